"""Remove the archive and the events of an ended session."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import forget


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""


class ForgetResult(Answer):
    session: str
    project_root: str
    removed: tuple[str, ...]
    """Ids of the removed sessions."""


def run(args: Args, ctx: Context) -> ForgetResult:
    ref, removed = forget.forget_session(ctx, args.session, args.project_root)
    return ForgetResult(session=ref.session, project_root=ref.project.root, removed=removed)


def text(answer: ForgetResult, args: Args) -> str:
    return "\n".join(f"forgot {answer.session} ({identity})" for identity in answer.removed)


COMMAND = Command(
    group="fleet",
    args=Args,
    answer=ForgetResult,
    run=run,
    text=text,
    min=("session", "removed"),
    errors=("session_not_ended", "session_not_found", "session_kill_failed"),
    example="lisa session forget --session lisa-demo-1",
    notes="""\
A name means all ended sessions of that name, an id one of them; the events are removed with the last. A session that
has not ended is refused. What the agent itself has written stays where the agent keeps it.""",
)
