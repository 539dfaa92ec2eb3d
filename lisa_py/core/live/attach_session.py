"""Attach to a session for a person or a program: show its frames and, if asked to, send what is typed."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.live import LiveFrame
from lisa_py.core.context import Context
from lisa_py.core.live.attach import AttachSummary, attach
from lisa_py.core.live.frame_view import FrameView
from lisa_py.store.paths import SessionRef


class AttachRequest(Struct, frozen=True, kw_only=True):
    """A requested attach."""

    shown_id: str
    """Name or id of the session in notices."""
    raw: bool = False
    """Frames are emitted as they are."""
    verbose: bool = False
    history: bool = True
    banners: bool = True
    """Lines around the recorded frames."""
    since: str = ""
    limit: int = 0
    read_only: bool = False
    interactive: bool = False
    prompt: str = ""
    """Prompt to send first, before the typed lines."""


class AttachResult(Answer):
    """The end of an attach."""

    session: str
    session_state: str
    ended: bool
    """True if the session has ended; false if the reader left."""
    frames: int
    """Number of printed frames."""
    cursor: str
    """Position for --since."""
    reset: str | UnsetType = UNSET
    """Reason why it could not continue at the cursor: transcript_gone, transcript_rewritten, other_source,
    or as `deltaReset` of capture."""
    omitted_bytes: int | UnsetType = UNSET
    """Bytes of transcript before the first printed frame (lisa session history --before)."""
    undelivered: tuple[str, ...] | UnsetType = UNSET
    """Typed prompts that the agent did not take."""


def attach_session(ctx: Context, ref: SessionRef, request: AttachRequest) -> AttachResult:
    """Show the session until it ends or the person leaves. Raise LisaError: session_not_found, invalid_cursor."""
    view = FrameView(ctx, verbose=request.verbose)
    show = ctx.emit if request.raw else view.show
    if not request.interactive or request.read_only:
        return _build_result(ref, _follow(ctx, ref, request, view, show))
    from lisa_py.core.live.interactive import InteractiveAttach  # noqa: PLC0415 - threads and senders, only here

    interactive = InteractiveAttach(ctx, ref, view, show, asks=not request.raw, prompt=request.prompt)
    attached, undelivered = interactive.run(
        lambda emit: _follow(ctx, ref, request, view, emit, on_live=interactive.begin_live)
    )
    return _build_result(ref, attached, undelivered)


def _build_result(ref: SessionRef, attached: AttachSummary, undelivered: tuple[str, ...] = ()) -> AttachResult:
    return AttachResult(
        session=ref.session,
        session_state=attached.state,
        ended=attached.ended,
        frames=attached.frames,
        cursor=attached.cursor,
        reset=attached.reset or UNSET,
        omitted_bytes=attached.omitted_bytes or UNSET,
        undelivered=undelivered or UNSET,
    )


def _follow(
    ctx: Context,
    ref: SessionRef,
    request: AttachRequest,
    view: FrameView,
    emit: Callable[[LiveFrame], None],
    on_live: Callable[[], None] = lambda: None,
) -> AttachSummary:
    has_banners = request.history and request.banners and not request.raw

    def is_listed(frame: LiveFrame) -> bool:
        return request.raw or (frame.type != "usage_delta" and (not request.limit or view.is_shown(frame)))

    def begin_live() -> None:
        on_live()
        if has_banners:
            view.begin_live()

    return attach(
        ctx,
        ref,
        emit,
        since=request.since,
        history=request.history,
        limit=request.limit,
        keep=is_listed,
        on_open=lambda: None if request.raw else view.begin(request.shown_id, read_only=request.read_only),
        on_history=lambda count, omitted_bytes: view.begin_history(count) if has_banners else None,
        on_live=begin_live,
    )
