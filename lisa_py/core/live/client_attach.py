"""Attach to a session as the LimaCharlie client does: the same lines, notices and raw frames."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from lisa_py.contract.live import HistoryFrame, LiveFrame
from lisa_py.core.context import Context
from lisa_py.core.live import attach
from lisa_py.core.live.archive import open_feed
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
    shown = _ClientView(ctx, ref, identity, read_only=read_only, history=history, raw=raw, verbose=verbose)

    def follow(emit: Callable[[LiveFrame], None], on_live: Callable[[], None] = shown.begin_live) -> AttachSummary:
        return attach.attach(
            ctx,
            ref,
            emit,
            history=history or raw,
            keep=attach.is_message,
            on_open=shown.begin,
            on_history=shown.begin_history,
            on_live=on_live,
        )

    if not interactive or read_only or not shown.is_owner:
        return follow(shown.show)
    from lisa_py.core.live.interactive import InteractiveAttach  # noqa: PLC0415 - threads and senders, only here

    attached = InteractiveAttach(ctx, ref, shown.view, shown.show, asks=shown.kind == "lines")
    return _talk(attached, follow, shown.begin_live)


class _ClientView:
    """The output of one attach: lines, raw frames of the client, or JSON lines of lisa."""

    def __init__(
        self,
        ctx: Context,
        ref: SessionRef,
        identity: str,
        *,
        read_only: bool,
        history: bool,
        raw: bool,
        verbose: bool,
    ) -> None:
        record = live_records.read_readable(ref)
        self._ctx = ctx
        self._given_id = identity
        self._id = record.id if record is not None else identity
        self.is_owner = record is not None and record.family == "user"
        self._read_only = read_only
        self.view = FrameView(ctx, verbose=verbose)
        self.kind = "json" if ctx.output_format != "text" else "raw" if raw else "lines"
        self._has_banners = history and self.kind == "lines"
        self._recorded: list[LiveFrame] = []
        self._is_live = False
        self._omitted_bytes = 0
        self._open_feed = lambda: open_feed(ctx, ref)

    def begin(self) -> None:
        """Announce the session."""
        if self.kind == "json":
            return
        if not self.is_owner and not self._read_only:
            self.view.note("Owner access denied; retrying in read-only mode.")
        self.view.begin(self._given_id, read_only=self._read_only or not self.is_owner)

    def begin_history(self, count: int, omitted_bytes: int) -> None:
        """Announce the recorded frames."""
        self._omitted_bytes = omitted_bytes
        if self._has_banners:
            self.view.begin_history(count)

    def show(self, frame: LiveFrame) -> None:
        """Print a frame; raw recorded ones are kept for the one frame that holds them."""
        if self.kind == "json":
            self._ctx.emit(frame)
        elif self.kind == "lines":
            self.view.show(frame)
        elif self._is_live:
            _write_raw(self._ctx, frame)
        else:
            self._recorded.append(frame)

    def begin_live(self) -> None:
        """End the recorded frames."""
        self._is_live = True
        if self.kind == "raw":
            first = self._recorded[0].cursor if self._recorded else ""
            omitted = attach.count_omitted(self._open_feed, first, self._omitted_bytes) if first else 0
            history = attach.build_history(
                self._recorded, self._id, omitted=omitted, is_omitted=self._omitted_bytes > 0
            )
            _write_raw(self._ctx, history)
        elif self._has_banners:
            self.view.begin_live()


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
