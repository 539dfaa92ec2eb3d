"""Follow a session once for any number of subscribers in this process."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType

import msgspec
from msgspec import Struct, structs

from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.contract.live import (
    ApprovalPayload,
    DialogPayload,
    LiveFrame,
    QuestionPayload,
    StatusPayload,
    SystemPayload,
)
from lisa_py.core.context import Context
from lisa_py.core.live.archive import open_feed
from lisa_py.core.live.attach import HISTORY_BYTES
from lisa_py.core.live.position import LivePosition, parse_cursor
from lisa_py.host.cancellation import Cancellation
from lisa_py.store.paths import SessionRef

QUEUE_BYTES = 8 << 20
"""Encoded frames that wait for one subscriber; one that reads slower is ended with `slow_reader`."""
PLACE_BYTES = 1 << 20
"""Bytes of transcript that the follower reads to find its place: enough for an open tool call."""


class PublishedFrame(Struct, frozen=True):
    """A frame with its JSON, encoded once for all subscribers."""

    frame: LiveFrame
    encoded: bytes


def _publish(frame: LiveFrame) -> PublishedFrame:
    return PublishedFrame(frame, msgspec.json.encode(frame))


class Subscription:
    """One reader of a broadcast: an iterator over its frames that ends with `end_reason`."""

    def __init__(self, broadcast: FeedBroadcast, recorded: Iterator[PublishedFrame], skip: Callable[[LiveFrame], bool]):
        self._broadcast = broadcast
        self._recorded = recorded
        self._skip = skip
        """True for frames that this reader already has."""
        self._changed = threading.Condition()
        self._queue: deque[PublishedFrame] = deque()
        self._queued_bytes = 0
        self.end_reason = ""
        """session_ended, closed, slow_reader, or the code of the error that ended the follower; empty before."""

    def __iter__(self) -> Iterator[PublishedFrame]:
        yield from self._recorded
        while (published := self.read()) is not None:
            yield published

    def read(self, timeout: float | None = None) -> PublishedFrame | None:
        """Return the next live frame; None after the last one, or after `timeout` seconds without one."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self.end_reason, timeout)
            if not self._queue:
                return None
            published = self._queue.popleft()
            self._queued_bytes -= len(published.encoded)
            return published

    def put(self, published: PublishedFrame) -> None:
        """Add a frame for the reader; end a reader that is too slow."""
        with self._changed:
            if self.end_reason or self._skip(published.frame):
                return
            self._queued_bytes += len(published.encoded)
            if self._queued_bytes > QUEUE_BYTES:
                self._queue.clear()
                self.end_reason = "slow_reader"
            else:
                self._queue.append(published)
            self._changed.notify_all()

    def end(self, reason: str) -> None:
        """Let the reader end after the frames that wait for it."""
        with self._changed:
            self.end_reason = self.end_reason or reason
            self._changed.notify_all()

    def close(self) -> None:
        """Leave the broadcast."""
        self._broadcast.unsubscribe(self)
        self.end("closed")


class FeedBroadcast:
    """One follower of a session, in a thread of its own, and its subscribers.

    A subscriber gets the recorded frames after its cursor, the present status and dialog, and every further frame,
    each once and in order. One that does not read delays neither the follower nor the others.
    """

    def __init__(self, ctx: Context, ref: SessionRef) -> None:
        """Start to follow. Raise LisaError: session_not_found; TmuxUnavailable."""
        self._ref = ref
        self._ctx = Context(ctx.settings, clock=ctx.clock, cwd=ctx.cwd, cancellation=Cancellation())
        self._lock = threading.Lock()
        self._subscriptions: list[Subscription] = []
        self._present: dict[str, LiveFrame] = {}
        """The newest status and the open dialogs, by key."""
        self._end_reason = ""
        self._feed = open_feed(self._ctx, ref)
        for _ in self._feed.history(newest_bytes=PLACE_BYTES):
            pass
        self._position = self._feed.position
        """Position of the last delivered frame."""
        self._thread = threading.Thread(target=self._follow, name=f"feed of {ref.session}", daemon=True)
        self._thread.start()

    def __enter__(self) -> FeedBroadcast:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def subscribe(self, since: str = "", *, history: bool = True) -> Subscription:
        """Return a subscription that begins after a cursor, or without `history` with the next frame.

        Raise LisaError(invalid_cursor).
        """
        start = parse_cursor(since) if since else None
        with self._lock:
            joined = self._position
            is_ahead = start is not None and self._feed.precedes(joined, start)
            recorded = self._read_recorded(since, joined, history and not is_ahead, list(self._present.values()))
            made = Subscription(self, recorded, self._make_skip(start if is_ahead else None))
            if self._end_reason:
                made.end(self._end_reason)
            self._subscriptions.append(made)
        return made

    def _make_skip(self, start: LivePosition | None) -> Callable[[LiveFrame], bool]:
        """Return True for frames up to a position that the reader got from a faster source."""

        def skip(frame: LiveFrame) -> bool:
            return start is not None and not self._feed.precedes(start, parse_cursor(frame.cursor))

        return skip

    def _read_recorded(
        self, since: str, joined: LivePosition, history: bool, present: list[LiveFrame]
    ) -> Iterator[PublishedFrame]:
        """Yield the frames up to the place where the live ones begin, then the present status and dialog."""
        if history:
            with contextlib.suppress(CancellationError), open_feed(self._ctx, self._ref, since) as feed:
                for frame in feed.history(newest_bytes=0 if since else HISTORY_BYTES, until=joined.encode()):
                    yield _publish(frame)
        for frame in present:
            yield _publish(structs.replace(frame, cursor=joined.encode()))

    def unsubscribe(self, subscription: Subscription) -> None:
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    @property
    def subscribers(self) -> int:
        """Return the number of subscriptions."""
        with self._lock:
            return len(self._subscriptions)

    def close(self) -> None:
        """Stop following and end all subscriptions."""
        self._ctx.cancellation.cancel()
        self._thread.join()

    def _follow(self) -> None:
        reason = "internal_error"
        try:
            with self._feed as feed:
                for frame in feed.follow():
                    self._deliver(_publish(frame))
            reason = "session_ended"
        except CancellationError:
            reason = "closed"
        except LisaError as problem:
            reason = problem.code
        finally:
            with self._lock:
                self._end_reason = reason
                for subscription in self._subscriptions:
                    subscription.end(reason)

    def _deliver(self, published: PublishedFrame) -> None:
        with self._lock:
            self._note_present(published.frame)
            self._position = parse_cursor(published.frame.cursor)
            for subscription in self._subscriptions:
                subscription.put(published)

    def _note_present(self, frame: LiveFrame) -> None:
        payload = frame.payload
        if isinstance(payload, StatusPayload):
            self._present["status"] = frame
        elif isinstance(payload, ApprovalPayload):
            self._present[payload.tool_use_id] = frame
        elif isinstance(payload, QuestionPayload):
            self._present[payload.question_id] = frame
        elif isinstance(payload, DialogPayload):
            self._present["dialog"] = frame
        elif isinstance(payload, SystemPayload) and payload.subtype == "dialog_closed":
            self._present.pop("dialog", None)
        elif isinstance(payload, SystemPayload) and payload.subtype == "approval_decided":
            self._present.pop(str(payload.tool_use_id), None)
