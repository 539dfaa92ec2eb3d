"""Attach to a session: print or stream its frames until it ends or the reader leaves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from msgspec import Struct

from lisa_py.contract.errors import CancellationError
from lisa_py.contract.live import LiveFrame
from lisa_py.core.context import Context
from lisa_py.core.live.feed import SessionFeed
from lisa_py.store.paths import SessionRef


class AttachSummary(Struct, frozen=True, kw_only=True):
    """Outcome of an attach."""

    frames: int
    cursor: str
    ended: bool
    """The session has ended; False if the reader left."""
    state: str
    reset: str


def read_history(
    ctx: Context, ref: SessionRef, since: str, limit: int, keep: Callable[[LiveFrame], bool]
) -> tuple[list[LiveFrame], SessionFeed]:
    """Return the newest recorded frames after a cursor, at most `limit` of those to keep (0: all), and the feed."""
    with SessionFeed(ctx, ref, since) as feed:
        return list(_newest(filter(keep, feed.history()), limit)), feed


def _newest(frames: Iterable[LiveFrame], limit: int) -> Iterable[LiveFrame]:
    return deque(frames, maxlen=limit) if limit else list(frames)


def attach(
    ctx: Context,
    ref: SessionRef,
    emit: Callable[[LiveFrame], None],
    *,
    since: str = "",
    history: bool = True,
    limit: int = 0,
    keep: Callable[[LiveFrame], bool] = lambda frame: True,
    on_history: Callable[[int], None] = lambda count: None,
    on_live: Callable[[], None] = lambda: None,
) -> AttachSummary:
    """Emit the recorded frames, then every further one; return when the session ends or the wait is cancelled.

    Of the recorded frames only the newest `limit` to keep are emitted. `on_history` is called with their number,
    `on_live` before the first live one.
    """
    count, cursor, ended = 0, since, False
    with SessionFeed(ctx, ref, since) as feed:
        try:
            recorded = list(_newest(filter(keep, feed.history()), limit))
            if history:
                on_history(len(recorded))
                for frame in recorded:
                    emit(frame)
                    count, cursor = count + 1, frame.cursor
            on_live()
            for frame in feed.follow():
                emit(frame)
                count, cursor, ended = count + 1, frame.cursor, frame.type == "session_end"
        except CancellationError:
            pass  # the reader leaves; the session continues
        return AttachSummary(
            frames=count, cursor=cursor, ended=ended, state=feed.status.session_state, reset=feed.reset
        )
