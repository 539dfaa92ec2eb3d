"""Attach to a session as the LimaCharlie client does: the same lines, notices and raw frames."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from lisa_py.contract.live import HistoryFrame, LiveFrame
from lisa_py.core.context import Context
from lisa_py.core.live import attach
from lisa_py.core.live.attach import AttachSummary
from lisa_py.core.live.frame_view import FrameView
from lisa_py.store import live_records
from lisa_py.store.paths import SessionRef

if TYPE_CHECKING:
    from lisa_py.core.live.interactive import InteractiveAttach


def follow_session(
    ctx: Context,
    ref: SessionRef,
    identity: str,
    *,
    read_only: bool = False,
    history: bool = True,
    raw: bool = False,
    verbose: bool = False,
    interactive: bool = False,
) -> AttachSummary:
    """Print the frames of a session until it ends or the reader leaves; `identity` is its id as the caller gave it.

    `interactive`: lines of standard input are prompts and answers, if the session is a chat.
    """
    view = FrameView(ctx, verbose=verbose)
    is_json = ctx.output_format != "text"
    record = live_records.read_readable(ref)
    is_owner = record is not None and record.family == "user"
    recorded: list[LiveFrame] = []
    is_live = False

    def begin() -> None:
        if not is_json:
            _announce(view, identity, is_owner=is_owner, read_only=read_only)

    def show(frame: LiveFrame) -> None:
        if is_json:
            ctx.emit(frame)
        elif raw and not is_live:
            recorded.append(frame)
        elif raw:
            _write_raw(ctx, frame)
        else:
            view.show(frame)

    def begin_live() -> None:
        nonlocal is_live
        is_live = True
        if raw and not is_json:
            _write_raw(ctx, attach.build_history(recorded, record.id if record is not None else identity))
        elif history and not is_json:
            view.begin_live()

    def follow(emit: Callable[[LiveFrame], None], on_live: Callable[[], None] = begin_live) -> AttachSummary:
        return attach.attach(
            ctx,
            ref,
            emit,
            history=history or raw,
            keep=attach.is_message,
            on_open=begin,
            on_history=lambda count: None if raw or is_json or not history else view.begin_history(count),
            on_live=on_live,
        )

    if not interactive or read_only or not is_owner:
        return follow(show)
    from lisa_py.core.live.interactive import InteractiveAttach  # noqa: PLC0415 - threads and senders, only here

    return _talk(InteractiveAttach(ctx, ref, view, show, asks=not raw and not is_json), follow, begin_live)


def _announce(view: FrameView, identity: str, *, is_owner: bool, read_only: bool) -> None:
    if not is_owner and not read_only:
        view.note("Owner access denied; retrying in read-only mode.")
    view.begin(identity, read_only=read_only or not is_owner)


def _talk(
    attached: InteractiveAttach,
    follow: Callable[[Callable[[LiveFrame], None], Callable[[], None]], AttachSummary],
    begin_live: Callable[[], None],
) -> AttachSummary:
    def begin_talk() -> None:
        begin_live()
        attached.begin_live()

    return attached.run(lambda emit: follow(emit, begin_talk))[0]


def _write_raw(ctx: Context, frame: LiveFrame | HistoryFrame) -> None:
    """Write a frame as one JSON line with the spacing and escapes of the client."""
    ctx.live_display.write_line(json.dumps(msgspec.to_builtins(frame)))
