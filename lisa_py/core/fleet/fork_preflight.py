"""Facts before a fork: if the session can be forked, and what the copy would lack."""

from __future__ import annotations

from lisa_py.contract.api_answers import ForkPreflight
from lisa_py.contract.errors import LisaError, session_not_found
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.context import Context
from lisa_py.core.fleet import session_objects
from lisa_py.core.lifecycle import fork
from lisa_py.store import live_records
from lisa_py.store.paths import SessionRef


def check_fork(ctx: Context, ref: SessionRef, profile: SessionSettings) -> ForkPreflight:
    """Return the facts of a fork with the settings of a profile. Raise LisaError(session_not_found)."""
    record = live_records.read_readable(ref)
    if record is None:
        raise session_not_found(ref.session, ref.project.root)
    described = session_objects.describe_session(ctx, ref)
    refusal = fork.find_refusal(ctx, ref)
    servers = tuple(record.settings.mcp_servers or ())
    return ForkPreflight(
        source_session_id=record.id,
        source_session_type=described.session_type,
        source_status=described.status,
        source_name=described.name,
        source_lifetime_days=ctx.settings.event_retention_days,
        default_fork_name=f"Fork of {described.name}",
        source_mcp_servers=servers,
        missing_mcps=tuple(name for name in servers if name not in (profile.mcp_servers or {})),
        is_forkable=not refusal,
        is_forkable_reason=refusal or None,
        history_available=fork.has_conversation(ctx, ref),
    )


def require_fork(preflight: ForkPreflight, acknowledged: tuple[str, ...]) -> None:
    """Raise LisaError(archive_gone | session_not_forkable | missing_tools)."""
    if not preflight.is_forkable:
        is_gone = preflight.source_status == "ended" and not preflight.history_available
        code = "archive_gone" if is_gone else "session_not_forkable"
        text = f"cannot fork {preflight.source_name}: {preflight.is_forkable_reason}"
        raise LisaError(code, text, reason=preflight.is_forkable_reason)
    missing = [name for name in preflight.missing_mcps if name not in acknowledged]
    if missing:
        text = f"the profile has no MCP servers {', '.join(missing)}; name them in acknowledge_missing_tools"
        raise LisaError("missing_tools", text, missing_mcps=missing)
