"""Attach to a session: print or stream its frames until it ends or the reader leaves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct

from lisa_py.contract.client_answers import MessagesResult
from lisa_py.contract.errors import CancellationError
from lisa_py.contract.live import HistoryFrame, HistoryPayload, LiveFrame
from lisa_py.core.context import Context
from lisa_py.core.live.archive import open_feed
from lisa_py.core.live.feed import SessionFeed
from lisa_py.core.live.prompt_ids import PromptIds
from lisa_py.store.paths import SessionRef

T = TypeVar("T")


class AttachSummary(Struct, frozen=True, kw_only=True):
    """Outcome of an attach."""

    frames: int
    cursor: str
    ended: bool
    """The session has ended; False if the reader left."""
    state: str
    reset: str
    omitted_bytes: int
    """Bytes of transcript before the first recorded frame that was emitted."""


HISTORY_BYTES = 4 << 20
"""Bytes of transcript that are read back if no position is given."""
COUNT_BYTES = 8 << 20
"""Bytes of transcript that are read to count the messages in them: a fifth of a second."""
FIRST_BYTES = 1 << 18
"""Bytes of transcript that are read back first for a number of frames."""


def read_history(
    feed: SessionFeed,
    keep: Callable[[LiveFrame], bool],
    *,
    since: str = "",
    before: str = "",
    limit: int = 0,
) -> Iterator[LiveFrame]:
    """Yield the recorded frames to keep; with a limit at most so many, the newest.

    Without `since` only the newest frames are read (`feed.omitted_bytes`), as far back as the limit needs. Raise
    LisaError(invalid_cursor), TmuxUnavailable.
    """
    if not limit:
        yield from filter(keep, feed.history(newest_bytes=0 if since else HISTORY_BYTES, before=before))
    elif since:
        yield from deque(filter(keep, feed.history(before=before)), maxlen=limit)
    else:
        yield from _read_back(feed, keep, before, limit)


def _read_back(feed: SessionFeed, keep: Callable[[LiveFrame], bool], before: str, limit: int) -> Iterator[LiveFrame]:
    size = FIRST_BYTES
    while True:
        frames = deque(filter(keep, feed.history(newest_bytes=size, before=before)), maxlen=limit)
        if len(frames) == limit or not feed.omitted_bytes:
            return iter(frames)
        size *= 4


def read_messages(ctx: Context, ref: SessionRef, *, since: str = "", before: str = "") -> MessagesResult:
    """Return the newest part of the recorded conversation, or of that after or before a cursor.

    Raise LisaError(invalid_cursor | archive_unreadable), TmuxUnavailable.
    """
    with open_feed(ctx, ref, since) as feed:
        recorded = feed.history(newest_bytes=0 if since else HISTORY_BYTES, before=before)
        frames = map(PromptIds(ctx, ref).name, filter(is_message, recorded))
        kept, dropped = limit_size((frame, len(msgspec.json.encode(frame))) for frame in frames)
        return MessagesResult(
            messages=kept, truncated=dropped > 0 or feed.omitted_bytes > 0 or UNSET, reset=feed.reset or UNSET
        )


def limit_size(frames: Iterable[tuple[T, int]]) -> tuple[tuple[T, ...], int]:
    """Return the newest of some frames with their sizes that have HISTORY_BYTES, and the number of the others.

    At least one is returned.
    """
    kept: deque[tuple[T, int]] = deque()
    total, dropped = 0, 0
    for frame, size in frames:
        kept.append((frame, size))
        total += size
        while total > HISTORY_BYTES and len(kept) > 1:
            total -= kept.popleft()[1]
            dropped += 1
    return tuple(frame for frame, _ in kept), dropped


def take_size(frames: Iterable[tuple[T, int]], limit: int = HISTORY_BYTES) -> tuple[T, ...]:
    """Return the next of some frames with their sizes until they reach a limit; the others can still be read."""
    taken: list[T] = []
    total = 0
    for frame, size in frames:
        taken.append(frame)
        total += size
        if total >= limit:
            break
    return tuple(taken)


def is_message(frame: LiveFrame) -> bool:
    """Return True for a frame that belongs to the history of the sessions API."""
    return frame.type != "usage_delta"


def count_omitted(open_source: Callable[[], SessionFeed], first: str, omitted_bytes: int) -> int | None:
    """Return the number of messages before the cursor of one, which have so many bytes of transcript.

    None if there are too many to count at once, and they were not counted with the usage. Raise TmuxUnavailable.
    """
    if not omitted_bytes:
        return 0
    with open_source() as feed:
        if omitted_bytes > COUNT_BYTES:
            return feed.count_before(first, COUNT_BYTES)
        return sum(is_message(frame) for frame in feed.history(before=first))


def build_payload(
    messages: tuple[Any, ...], *, dropped: int, omitted: int | None, is_omitted: bool, reset: str = ""
) -> HistoryPayload:
    """Return the payload of the first frame: `dropped` messages are left out of those read, `omitted` before them."""
    is_cut = dropped > 0 or is_omitted
    return HistoryPayload(
        messages=messages,
        truncated=is_cut or UNSET,
        total=len(messages) + dropped + omitted if is_cut and omitted is not None else UNSET,
        reset=reset or UNSET,
    )


def build_history(
    frames: Sequence[LiveFrame], identity: str, *, omitted: int | None = 0, is_omitted: bool = False
) -> HistoryFrame:
    """Return the recorded frames as the one frame that begins a connection of the sessions API."""
    kept, dropped = limit_size((frame, len(msgspec.json.encode(frame))) for frame in frames)
    return HistoryFrame(
        payload=build_payload(kept, dropped=dropped, omitted=omitted, is_omitted=is_omitted),
        timestamp=frames[-1].timestamp if frames else "",
        session_id=identity,
        cursor=frames[-1].cursor if frames else "",
    )


def attach(
    ctx: Context,
    ref: SessionRef,
    emit: Callable[[LiveFrame], None],
    *,
    since: str = "",
    history: bool = True,
    limit: int = 0,
    keep: Callable[[LiveFrame], bool] = lambda frame: True,
    on_open: Callable[[], None] = lambda: None,
    on_history: Callable[[int, int], None] = lambda count, omitted_bytes: None,
    on_live: Callable[[], None] = lambda: None,
) -> AttachSummary:
    """Emit the recorded frames, then every further one; return when the session ends or the wait is cancelled.

    The recorded frames are those of `read_history`; `on_open` is called once the session is found, `on_history` with
    their number and the bytes of transcript before them, `on_live` before the first live one.
    """
    count, cursor, ended = 0, since, False
    with open_feed(ctx, ref, since) as feed:
        on_open()
        try:
            recorded = list(read_history(feed, keep, since=since, limit=limit if history else 1))
            if history:
                on_history(len(recorded), feed.omitted_bytes)
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
            frames=count,
            cursor=cursor,
            ended=ended,
            state=feed.status.session_state,
            reset=feed.reset,
            omitted_bytes=feed.omitted_bytes if history else 0,
        )
