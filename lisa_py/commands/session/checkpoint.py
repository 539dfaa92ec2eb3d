"""Save the state of a session to a file, or restore it."""

from __future__ import annotations

import os
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.contract import flags
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.flags import ProjectRoot
from lisa_py.contract.projection import copy_fields, omit
from lisa_py.core.context import Context
from lisa_py.core.handoff import checkpoint
from lisa_py.core.handoff.checkpoint import Checkpoint
from lisa_py.core.handoff.pack import PackRequest
from lisa_py.core.inputs import Inputs
from lisa_py.core.redact.redactor import Mask
from lisa_py.host import files
from lisa_py.store import cursors
from lisa_py.store.cursors import CursorFile


class Args(Struct, kw_only=True):
    action: Annotated[
        str, Flag(help="action; the flag name is optional", choices=("save", "resume"), positional=True)
    ] = "save"
    session: Annotated[
        str, Flag(help="session name; with resume: that of the checkpoint", metavar="NAME", positional=True)
    ] = ""
    file: Annotated[str, Flag(help="checkpoint file; resume also reads `-`, standard input", metavar="PATH")]
    project_root: ProjectRoot = ""
    events: flags.Events = 8
    lines: flags.Lines = 120
    strategy: flags.Strategy = "balanced"
    token_budget: flags.TokenBudget = 700
    redact: flags.Redact = "secrets,tokens"
    cursor_file: Annotated[
        str,
        Flag(
            help="with resume: file for the cursors of the checkpoint",
            metavar="PATH",
        ),
    ] = ""


class CheckpointResult(Answer):
    action: str
    file: str
    session: str
    project_root: str
    session_state: str
    """State at the time of the checkpoint."""
    next_action: str
    live: bool | UnsetType = UNSET
    """True if the agent of the session still runs; omitted if tmux cannot be queried."""
    live_state: str | UnsetType = UNSET
    live_reason: str | UnsetType = UNSET
    live_next_action: str | UnsetType = UNSET
    same_run: bool | UnsetType = UNSET
    """False: another session uses the name now."""
    events_since: int | UnsetType = UNSET
    """Number of events after the checkpoint."""
    respawn_command: str | UnsetType = UNSET
    """Command that starts the session again with its conversation, if it has ended and the agent supports it."""
    checkpoint: Checkpoint | UnsetType = UNSET
    cursor_file: str | UnsetType = UNSET
    redacted: dict[str, int] | UnsetType = UNSET
    """Number of redactions per rule."""


def run(args: Args, ctx: Context) -> CheckpointResult:
    return _save(args, ctx) if args.action == "save" else _resume(args, ctx)


def _save(args: Args, ctx: Context) -> CheckpointResult:
    path = _resolve_path(args.file, ctx)
    if not args.session:
        raise UsageError("missing_required_flag", "--session is required for save")
    mask = Mask(args.redact)
    request = copy_fields(args, PackRequest)
    new_checkpoint = checkpoint.create(ctx, ctx.ref(args.session, args.project_root), request, args.token_budget, mask)
    checkpoint.save(new_checkpoint, path)
    return CheckpointResult(
        action="save",
        file=path,
        session=new_checkpoint.session,
        project_root=new_checkpoint.project_root,
        session_state=new_checkpoint.session_state,
        next_action=new_checkpoint.next_action,
        redacted=mask.counts if mask.is_active else UNSET,
    )


def _resolve_path(file: str, ctx: Context) -> str:
    """Check the path of the checkpoint. Raise UsageError(invalid_file_path)."""
    if not file.strip() or "\0" in file or file.strip() == "-":
        raise UsageError("invalid_file_path", f"invalid --file: {file!r} is not a writable file")
    path = os.path.abspath(os.path.join(ctx.cwd, os.path.expanduser(file.strip())))
    if files.is_dir(path):
        raise UsageError("invalid_file_path", f"invalid --file: {path} is a folder")
    return path


def _resume(args: Args, ctx: Context) -> CheckpointResult:
    loaded, file = checkpoint.load(Inputs(ctx), args.file.strip())
    if args.session and args.session != loaded.session:
        raise LisaError(
            "checkpoint_session_mismatch",
            f"session mismatch: --session={args.session} checkpoint={loaded.session}",
        )
    ref = ctx.ref(loaded.session, args.project_root or loaded.project_root)
    liveness = checkpoint.check_liveness(ctx, ref, loaded)
    return CheckpointResult(
        action="resume",
        file=file if file == "-" else _resolve_path(file, ctx),
        session=loaded.session,
        project_root=ref.project.root,
        session_state=loaded.session_state,
        next_action=loaded.next_action,
        checkpoint=loaded,
        cursor_file=_write_cursor(args.cursor_file, loaded, ctx) or UNSET,
        **structs.asdict(liveness),
    )


def _write_cursor(file: str, loaded: Checkpoint, ctx: Context) -> str:
    """Write the cursors of the checkpoint where another command continues from them; return the path."""
    if not file:
        return ""
    path = cursors.resolve_path(file)
    cursor = loaded.cursors if isinstance(loaded.cursors, CursorFile) else CursorFile(offset=loaded.next_offset)
    cursors.write(path, cursor, cursor.kind, cursor.offset, ctx.clock.now())
    return path


def minimize(answer: CheckpointResult, args: Args) -> CheckpointResult:
    """Return the answer without the checkpoint, which is in the file."""
    return omit(answer, "checkpoint")


def text(answer: CheckpointResult, args: Args) -> str:
    if answer.action == "save":
        return f"saved checkpoint: {answer.file}"
    live = "unknown" if answer.live is UNSET else str(answer.live).lower()
    saved_state = f"session={answer.session} state={answer.session_state} next={answer.next_action}"
    respawn = "" if answer.respawn_command is UNSET else f"\n{answer.respawn_command}"
    return f"{saved_state}\nlive={live} now={answer.live_state}{respawn}"


COMMAND = Command(
    group="handing_on",
    args=Args,
    answer=CheckpointResult,
    run=run,
    text=text,
    min=minimize,
    errors=(
        "invalid_file_path",
        "status_compute_failed",
        "checkpoint_write_failed",
        "checkpoint_read_failed",
        "checkpoint_session_mismatch",
        "cursor_file_write_failed",
    ),
    example="lisa session checkpoint save --session lisa-demo-1 --file /tmp/c.json --json\n"
    "lisa session checkpoint resume --file /tmp/c.json --json",
    notes="""\
A checkpoint contains state, next action, recent events, a context pack, the newest output, objective, lane, memory and
cursors. Secrets and tokens are removed (--redact none keeps them); with --redact all the project folder is removed too,
and resume uses the current folder. resume changes nothing: `live` is true if the agent still runs, `sameRun` if it is
the same session. If the agent has ended and can resume its conversation, `respawnCommand` does that.""",
)
