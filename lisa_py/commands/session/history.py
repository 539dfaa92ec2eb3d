"""Print the recorded conversation of a session, also over /clear and /new."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.flags import AllFrames, FrameLimit, ProjectRoot, Session, SinceFrame
from lisa_py.contract.live import LiveFrame
from lisa_py.core.context import Context
from lisa_py.core.live import attach as live_attach
from lisa_py.terminal import frame_lines


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    since: SinceFrame = ""
    limit: FrameLimit = 0
    verbose: AllFrames = False


class HistoryResult(Answer):
    """The recorded frames of a session."""

    session: str
    session_state: str
    frames: tuple[LiveFrame, ...]
    cursor: str
    """Position behind the last frame, for --since."""
    reset: str | UnsetType = UNSET
    """Reason why it could not continue at the cursor: transcript_gone, transcript_rewritten, other_source,
    or as `deltaReset` of capture."""


def run(args: Args, ctx: Context) -> HistoryResult:
    ref = ctx.ref(args.session, args.project_root)
    is_text = ctx.output_format == "text" and not args.verbose
    frames, feed = live_attach.read_history(
        ctx, ref, args.since, args.limit, lambda frame: not (is_text and frame_lines.is_noise(frame))
    )
    return HistoryResult(
        session=ref.session,
        session_state=feed.status.session_state,
        frames=tuple(frames),
        cursor=frames[-1].cursor if frames else args.since,
        reset=feed.reset or UNSET,
    )


def text(answer: HistoryResult, args: Args) -> str:
    blocks = (frame_lines.format_frame(frame, colors=False, verbose=args.verbose) for frame in answer.frames)
    return "\n".join(line for block in blocks for line in block)


COMMAND = Command(
    group="reading",
    args=Args,
    answer=HistoryResult,
    run=run,
    text=text,
    errors=("invalid_cursor", "session_not_found"),
    example="lisa session history --session lisa-demo-1 --limit 20\n"
    "lisa session history --session lisa-demo-1 --since CURSOR --json",
)
