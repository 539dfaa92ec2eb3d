"""Start a session from a definition, with overrides for this run."""

from __future__ import annotations

from typing import Annotated

import msgspec

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import Trust
from lisa_py.contract.start_session import StartSessionArgs, StartSessionResult
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import start_flags, start_session


class Args(StartSessionArgs, kw_only=True):
    session: Annotated[str, Flag(help="session name; default: a generated one", metavar="NAME")] = ""
    trust: Trust = False


def run(args: Args, ctx: Context) -> StartSessionResult:
    request = start_flags.read_request(ctx, args)
    request = msgspec.structs.replace(request, session=args.session, trust=args.trust)
    result = start_session.start_session(ctx, request)
    for warning in result.warnings or ():
        ctx.warn(f"start warning: {warning}")
    return result


def text(answer: StartSessionResult, args: Args) -> str:
    return answer.session or f"{answer.status} behind {answer.debounce_key}"


COMMAND = Command(
    group="live",
    args=Args,
    answer=StartSessionResult,
    run=run,
    text=text,
    min=("session_id", "session", "status"),
    errors=(*start_flags.ERRORS, "session_already_exists"),
    example="lisa start-session --definition triage --data @event.json --json",
    notes="Settings come from the default profile, the definition and the flags; the later one counts, and variables"
    " are added. A session ends after its answer unless --no-one-shot is given. --data fills {{ .a.b }} in prompt,"
    " name and debounce key and is appended to the prompt.",
)
