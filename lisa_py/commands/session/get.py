"""Describe a session, running or ended: status, model, usage, cost, limits, end."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.contract.session_object import SessionObject, shorten_prompt
from lisa_py.core.context import Context
from lisa_py.core.fleet import session_objects


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    full_prompt: Annotated[bool, Flag(help="whole first prompt instead of 120 characters")] = False


class GetResult(Answer):
    session: SessionObject
    """The keys of the sessions API."""


def run(args: Args, ctx: Context) -> GetResult:
    found = session_objects.describe_session(ctx, ctx.record_ref(args.session, args.project_root))
    return GetResult(session=found if args.full_prompt else shorten_prompt(found))


def text(answer: GetResult, args: Args) -> str:
    values = msgspec.to_builtins(answer.session)
    shown = {key: value for key, value in values.items() if value not in (None, [], ()) and key != "session_id"}
    width = max(len(key) for key in shown)
    return "\n".join(f"{key.ljust(width)}  {_format(value)}" for key, value in shown.items())


def _format(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(str(value).split("\n"))


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=GetResult,
    run=run,
    text=text,
    errors=("session_not_found",),
    example="lisa session get --session lisa-demo-1\nlisa session get --session ID --full-prompt --json",
    notes="""\
After session kill the archive answers: by name until a new session has it, by id as long as the archive is kept.""",
)
