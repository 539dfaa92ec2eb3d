"""Set a pooled OAuth token aside once its session shows that the service refuses it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from lisa_py import agents
from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.records import SessionState
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.status.evidence import Evidence
from lisa_py.host import files
from lisa_py.store.paths import SessionRef

if TYPE_CHECKING:
    from lisa_py.terminal.layout import Layout

FAILED_STATES = ("crashed", "stuck", "degraded")
_START = "__LISA_SESSION_START__"
_HISTORY_LINES = 320


def set_aside(ctx: Context, ref: SessionRef, evidence: Evidence, status: Status) -> Status:
    """Set the token of a session aside if the service refuses it; return the status, with the reason of a failure.

    The only write of a status read, and at most one per session. Never raise: what cannot be written is a warning.
    """
    meta = evidence.meta
    if meta is None or not meta.oauth_token_id or evidence.state.oauth_token_pruned:
        return status
    if meta.custom_command or not agents.get(meta.agent).oauth_variable or not files.exists(ref.meta):
        return status
    why = _find_reason(ctx, ref, evidence, status)
    if not why:
        return status
    try:
        if not _record(ctx, ref, meta.oauth_token_id, why, _failed_at(evidence) or ctx.clock.now()):
            return status
    except LisaError as problem:
        ctx.warn_about(problem)
        return status
    if status.session_state not in FAILED_STATES:
        return status
    return structs.replace(status, status="idle", session_state="crashed", classification_reason=f"oauth_{why}")


def _find_reason(ctx: Context, ref: SessionRef, evidence: Evidence, status: Status) -> str:
    assert evidence.meta is not None
    if status.error_kind == "auth":
        return "invalid_token"
    if status.session_state not in FAILED_STATES or evidence.pane is None:
        return ""
    try:
        pane = evidence.pane.pane_id
        text = ctx.server(ref).capture([pane], history=_HISTORY_LINES).get(pane, "")
    except TmuxUnavailable:
        return ""
    failures = agents.get(evidence.meta.agent).token_failures
    return find_auth_failure(text, failures, agents.layout_of(evidence.meta))


def _failed_at(evidence: Evidence) -> float:
    """Return the time of the newest error; 0 if unknown."""
    reported = [report.at for report in evidence.reports if report.error]
    return max([*reported, evidence.end.at if evidence.end is not None else 0.0])


def _record(ctx: Context, ref: SessionRef, token_id: str, why: str, failed_at: float) -> bool:
    """Disable the token and mark the session; return False if the token was enabled after the failure."""
    from lisa_py.store import events, oauth_tokens, session_records  # noqa: PLC0415 - only for a failure

    now = ctx.clock.now()
    disabled = oauth_tokens.quarantine(ctx.settings, now, token_id, why, failed_at=failed_at)
    if disabled is None:
        return False

    def change(state: SessionState) -> None:
        state.oauth_token_pruned, state.oauth_token_prune_reason = True, why

    session_records.change_state(ref, ctx.settings, now, change)
    if disabled:
        reason = f"oauth_token_pruned_{why}"
        events.add(ref, ctx.settings, now, type="lifecycle", state="crashed", status="idle", reason=reason)
    return True


def find_auth_failure(text: str, patterns: Sequence[tuple[str, str]], signs: Layout) -> str:
    """Return the kind of token failure in a pane's text after the session's start line, or an empty text.

    Lines in quotes, lists or boxes are ignored: there an agent only writes about such a failure.
    """
    lines = text.split("\n")
    begin = max((at for at, line in enumerate(lines) if line.startswith(_START)), default=-1)
    for line in lines[begin + 1 :]:
        content = line.strip().lower()
        if not content or signs.is_quoted(content):
            continue
        for pattern, why in patterns:
            if re.search(pattern, content):
                return why
    return ""
