"""End a session with its child sessions, and remove everything but its events."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.errors import session_not_found
from lisa_py.contract.flags import AllHashes, ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import kill
from lisa_py.core.lifecycle.terminate import LeftProcess


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    cleanup_all_hashes: AllHashes = False


class KillResult(Answer):
    session: str
    ok: bool
    found: bool
    """True if tmux had the session, or a process of it still ran."""
    project_root: str
    processes: int | UnsetType = UNSET
    """Number of processes that were found."""
    descendants: tuple[str, ...] | UnsetType = UNSET
    """Child sessions that were killed first."""
    left: tuple[LeftProcess, ...] | UnsetType = UNSET
    """Processes that still run and may belong to a session."""
    errors: tuple[str, ...] | UnsetType | None = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> KillResult:
    ref = ctx.ref(args.session, args.project_root)
    result = kill.kill_session(ctx, ref, all_hashes=args.cleanup_all_hashes or ctx.settings.cleanup_all_hashes)
    for problem in result.errors:
        ctx.warn(f"kill: {problem}")
    found = result.target.found
    if not found and not result.errors and ctx.output_format == "text":
        raise session_not_found(ref.session, ref.project.root)
    code = "session_kill_failed" if result.errors else UNSET if found else "session_not_found"
    return KillResult(
        session=ref.session,
        ok=code is UNSET,
        found=found,
        project_root=ref.project.root,
        processes=result.target.processes or UNSET,
        descendants=tuple(outcome.ref.session for outcome in result.descendants) or UNSET,
        left=result.left or UNSET,
        errors=UNSET if code is UNSET else tuple(result.errors) or None,
        error_code=code,
    )


def text(answer: KillResult, args: Args) -> str:
    return "ok" if answer.ok else "failed"


COMMAND = Command(
    args=Args,
    answer=KillResult,
    run=run,
    text=text,
    min=("session", "ok", "found", "error_code"),
    exit_code=lambda answer: 0 if answer.ok else 1,
    exits={0: "it is gone", 1: "it does not exist, or a part could not be ended (see errorCode)"},
    errors=("session_kill_failed",),
    example="lisa session kill --session lisa-demo-1",
    notes="""\
Sessions it has spawned are ended first, also those in other projects; each is asked (TERM) and forced (KILL) three
seconds later, with all processes that belong to its run or to the kernel session of its pane. `left` has those that
still run: they cannot be ended, or may be strangers. When tmux does not answer, nothing is touched.""",
)
