"""Check if a session exists."""

# annotations are evaluated here: as strings they cost a one-shot call its first `compile` (decision 0017)
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.common_flags import ProjectRoot, Session
from lisa_py.core.context import Context


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""


class ExistsResult(Answer):
    session: str
    exists: bool
    project_root: str
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> ExistsResult:
    ref = ctx.ref(args.session, args.project_root)
    exists = ctx.find_pane(ref) is not None
    return ExistsResult(
        session=ref.session,
        exists=exists,
        project_root=ref.project.root,
        error_code=UNSET if exists else "session_not_found",
    )


def text(answer: ExistsResult, args: Args) -> str:
    return "true" if answer.exists else "false"


COMMAND = Command(
    group="fleet",
    reads=True,
    args=Args,
    answer=ExistsResult,
    run=run,
    text=text,
    min=("session", "exists", "error_code"),
    exit_code=lambda answer: 0 if answer.exists else 1,
    exits={0: "it exists", 1: "it does not exist, or this is unknown (see errorCode)"},
    example="lisa session exists --session lisa-demo-1",
    notes="""\
True until the session is killed, also after its agent has ended; names must match exactly.""",
)
