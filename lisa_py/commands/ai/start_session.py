"""Start a session from a definition, as the LimaCharlie client does."""

from __future__ import annotations

from typing import Any

import msgspec

from lisa_py.contract.client_answers import StartResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, ClientArgs
from lisa_py.contract.command import Command
from lisa_py.contract.start_session import add_start_flags
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import start_flags, start_session
from lisa_py.core.live import owned_sessions

Args = add_start_flags(ClientArgs)


def run(args: Any, ctx: Context) -> StartResult:
    request = start_flags.read_request(ctx, args)
    root = owned_sessions.find_root(ctx, args.oid, args.project_root)
    started = start_session.start_session(ctx, msgspec.structs.replace(request, project_root=root))
    for warning in started.warnings or ():
        ctx.warn(f"start warning: {warning}")
    return StartResult(
        session_id=started.session_id,
        status=started.status,
        created_at=started.created_at,
        session=started.session,
        deduplicated=started.deduplicated,
        debounce_key=started.debounce_key,
        warnings=started.warnings,
    )


COMMAND = Command(
    group="live",
    args=Args,
    answer=StartResult,
    run=run,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, *start_flags.ERRORS),
    exits={code: EXITS[code] for code in (0, 1, 4)},
    example="lisa ai start-session --definition triage --output json",
)
