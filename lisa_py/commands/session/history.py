"""Print the recorded conversation of a session, also over /clear and /new."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.flags import AllFrames, BeforeFrame, FrameLimit, ProjectRoot, RawFrames, Session, SinceFrame
from lisa_py.contract.live import LiveFrame
from lisa_py.core.context import Context
from lisa_py.core.live import attach as live_attach
from lisa_py.core.live.archive import open_feed
from lisa_py.core.live.frame_view import FrameView


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    raw: RawFrames = False
    since: SinceFrame = ""
    before: BeforeFrame = ""
    limit: FrameLimit = 0
    verbose: AllFrames = False


class HistoryResult(Answer):
    """The recorded frames of a session."""

    session: str
    session_state: str
    frames: tuple[LiveFrame, ...] | UnsetType = UNSET
    """Absent with --raw, which prints each by itself."""
    cursor: str
    """Position after the last frame, for --since."""
    reset: str | UnsetType = UNSET
    """Reason why it could not continue at the cursor: transcript_gone, transcript_rewritten, other_source,
    or as `deltaReset` of capture."""
    omitted_bytes: int | UnsetType = UNSET
    """Bytes of transcript before the first frame, for --before; absent if it is the first of all."""


def run(args: Args, ctx: Context) -> HistoryResult:
    ref = ctx.record_ref(args.session, args.project_root)
    is_text = ctx.output_format == "text" and not args.raw
    view = FrameView(ctx, verbose=args.verbose)
    cursor = args.since
    listed: list[LiveFrame] = []
    with open_feed(ctx, ref, args.since) as feed:
        for frame in live_attach.read_history(
            feed,
            lambda frame: not is_text or view.is_shown(frame),
            since=args.since,
            before=args.before,
            limit=args.limit,
        ):
            cursor = frame.cursor
            if args.raw:
                ctx.emit(frame)
            elif is_text:
                view.show(frame)
            else:
                listed.append(frame)
        return HistoryResult(
            session=ref.session,
            session_state=feed.status.session_state,
            frames=UNSET if args.raw else tuple(listed),
            cursor=cursor,
            reset=feed.reset or UNSET,
            omitted_bytes=feed.omitted_bytes or UNSET,
        )


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=HistoryResult,
    run=run,
    text=lambda answer, args: "",
    newline=False,
    live=True,
    events=LiveFrame,
    errors=("archive_unreadable", "invalid_cursor", "session_not_found"),
    example="lisa session history --session lisa-demo-1 --limit 20\n"
    "lisa session history --session lisa-demo-1 --since CURSOR --json",
    notes="""\
Without --since it prints the frames of the newest 4 MiB of the transcripts. omittedBytes in the answer says that there
are older ones: --before with the cursor of the first frame prints those, --since start prints all.""",
)
