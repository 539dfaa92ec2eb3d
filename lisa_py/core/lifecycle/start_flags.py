"""Read the request of a start from the flags of a command."""

from __future__ import annotations

from typing import Any

import msgspec

from lisa_py.contract import jsontext
from lisa_py.contract.errors import UsageError
from lisa_py.contract.session_settings import SETTINGS_ERRORS
from lisa_py.contract.start_session import DEFINITION_ERRORS, StartSessionArgs
from lisa_py.core import secrets
from lisa_py.core.context import Context
from lisa_py.core.definitions import profiles
from lisa_py.core.inputs import InputError, Inputs
from lisa_py.core.lifecycle import launch, limit_files, settings_flags, start_session
from lisa_py.core.lifecycle.start_session import StartRequest

ERRORS = (
    *dict.fromkeys(
        (
            *launch.ERRORS,
            *DEFINITION_ERRORS,
            *profiles.ERRORS,
            *secrets.ERRORS,
            *SETTINGS_ERRORS,
            *limit_files.ERRORS,
            "agent_command_build_failed",
            "agent_not_installed",
            "invalid_data",
            "invalid_prompt",
            "spawn_early_exit",
            "spawn_oauth_selection_failed",
            "spawn_tmux_new_failed",
        )
    ),
)
"""Error codes of a command that starts a session from a definition."""
MAX_DEPTH = 64


def read_request(ctx: Context, args: StartSessionArgs) -> StartRequest:
    """Return the request of the flags. Raise UsageError(invalid_data | invalid_credentials | ...)."""
    overrides = settings_flags.read_settings_flags(ctx, args)
    credentials = _split_credentials(args.credential) if args.credential else {}
    if args.anthropic_key and not credentials:
        credentials = {"anthropic_key": args.anthropic_key}
    overrides = msgspec.structs.replace(
        overrides, name=args.name or msgspec.UNSET, credentials=credentials or msgspec.UNSET
    )
    return StartRequest(
        definition=args.definition,
        project_root=args.project_root,
        prompt=args.prompt,
        overrides=overrides,
        data=read_data(ctx, args.data) if args.data or "data" in ctx.given_fields else None,
        idempotent_key=args.idempotent_key,
        debounce_key=args.debounce_key,
        api_scope=start_session.find_api_scope(ctx, args.lc_api_key),
    )


def _split_credentials(words: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise UsageError("invalid_credentials", f"invalid --credential: {key} (expected KEY=VALUE)")
        found[key.strip()] = value
    return found


def read_data(ctx: Context, text: str) -> dict[str, Any]:
    """Return the object of `--data`: JSON, `@FILE`, or `-` for standard input. Raise UsageError(invalid_data)."""
    try:
        raw: str | bytes = text
        if text == "-" or text.startswith("@"):
            raw = Inputs(ctx).read_bytes(text.removeprefix("@"))
        found = jsontext.decode(raw, dict[str, Any])
    except InputError as problem:
        raise UsageError("invalid_data", f"invalid --data: {problem}") from None
    except msgspec.DecodeError as problem:
        raise UsageError("invalid_data", f"invalid --data: it is not a JSON object ({problem})") from None
    if _is_deeper(found, MAX_DEPTH):
        raise UsageError("invalid_data", f"invalid --data: it is nested more than {MAX_DEPTH} deep")
    return found


def _is_deeper(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_is_deeper(part, depth - 1) for part in parts)
