"""Follow a session once for any number of subscribers in this process."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType

import msgspec
from msgspec import Struct, structs

from lisa_py.contract.errors import CancellationError, LisaError, session_not_found
from lisa_py.contract.live import (
    ApprovalPayload,
    DialogPayload,
    LiveFrame,
    QuestionPayload,
    SessionEndPayload,
    StatusPayload,
    SystemPayload,
)
from lisa_py.core.context import Context
from lisa_py.core.live import attach
from lisa_py.core.live.archive import open_feed
from lisa_py.core.live.feed import SessionFeed
from lisa_py.core.live.follower import FOLLOWERS, FollowedSession
from lisa_py.core.live.frame_size import FRAME_BYTES, shorten_frame
from lisa_py.core.live.position import LivePosition, parse_cursor
from lisa_py.host.cancellation import Cancellation
from lisa_py.store import archives
from lisa_py.store.paths import SessionRef

QUEUE_BYTES = 8 << 20
"""Encoded frames that wait for one subscriber."""
STALL_SECONDS = 3.0
"""A subscriber with a full queue that has read nothing for so long is ended with `slow_reader`."""
START_SECONDS = 10.0
"""The same for one that has just come: its recorded frames may be waiting for their turn."""
DRAIN_SECONDS = 30.0
"""Time for a subscriber that reads to empty half of a full queue; the follower waits for it."""
PLACE_BYTES = 1 << 20
"""Bytes of transcript that the follower reads to find its place: enough for an open tool call."""


class PublishedFrame(Struct, frozen=True):
    """A frame with its JSON, encoded once for all subscribers."""

    frame: LiveFrame
    encoded: bytes


Publish = Callable[[LiveFrame], PublishedFrame]


class Subscription:
    """One reader of a broadcast: an iterator over its frames that ends with `end_reason`."""

    def __init__(
        self,
        broadcast: FeedBroadcast,
        recorded: RecordedFrames,
        present: tuple[PublishedFrame, ...],
        skip: Callable[[LiveFrame], bool],
        on_change: Callable[[], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._broadcast = broadcast
        self.recorded = recorded
        """The frames before those of `read`, read when they are iterated."""
        self.present = present
        """The status and the open dialogs where the live frames begin."""
        self._skip = skip
        """True for frames that this reader already has."""
        self._on_change = on_change
        """Called by the follower when the reader has something to read again, or has come to its end."""
        self._changed = threading.Condition()
        self._queue: deque[PublishedFrame] = deque()
        self._queued_bytes = 0
        self._drain_until: float | None = None
        """Time until which a full queue has to be emptied."""
        self._monotonic = monotonic
        self._read_at = monotonic() + START_SECONDS - STALL_SECONDS
        """Time of the last sign that the reader reads, or of the first frame that waits."""
        self.end_reason = ""
        """session_ended, closed, slow_reader, or the code of the error that ended the follower; empty before."""

    def __iter__(self) -> Iterator[PublishedFrame]:
        for former in itertools.chain(self.recorded, self.present):
            yield former
            self.note_progress()
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
            self.note_progress()
            self._changed.notify_all()
            return published

    def note_progress(self) -> None:
        """Note that the reader reads, also what does not come from the queue."""
        self._read_at = self._monotonic()

    def has_space(self, size: int) -> bool:
        """Return True if a frame of this size fits; end a reader that does not read, or too slowly.

        A queue that was full has space again when half of it is read.
        """
        with self._changed:
            now = self._monotonic()
            if self.end_reason:
                return True
            if self._drain_until is None:
                if self._queued_bytes + size <= QUEUE_BYTES:
                    return True
                self._drain_until = now + DRAIN_SECONDS
            if self._queued_bytes <= QUEUE_BYTES // 2:
                self._drain_until = None
                return True
            if now < min(self._drain_until, self._read_at + STALL_SECONDS):
                return False
            self._queue.clear()
            self._queued_bytes = 0
            self.end_reason = "slow_reader"
        self._on_change()
        return True

    def put(self, published: PublishedFrame) -> None:
        """Add a frame for the reader."""
        with self._changed:
            if self.end_reason or self._skip(published.frame):
                return
            was_empty = not self._queue
            if was_empty:
                self._read_at = max(self._read_at, self._monotonic())
            self._queued_bytes += len(published.encoded)
            self._queue.append(published)
            self._changed.notify_all()
        if was_empty:
            self._on_change()

    def end(self, reason: str) -> None:
        """Let the reader end after the frames that wait for it."""
        with self._changed:
            self.end_reason = self.end_reason or reason
            self._changed.notify_all()
        self._on_change()

    def close(self) -> None:
        """Leave the broadcast."""
        self._broadcast.unsubscribe(self)
        self.end("closed")


class RecordedFrames:
    """The recorded frames of a session between two positions, the newest 4 MiB where there is no first one."""

    def __init__(
        self, ctx: Context, ref: SessionRef, identity: str, *, since: str, until: str, publish: Publish
    ) -> None:
        self._ctx = ctx
        self._ref = ref
        self._identity = identity
        self._since = since
        self._until = until
        """Cursor of the last frame; empty: there is none to read."""
        self._publish = publish
        self.cursor = until or since
        """Cursor after the last frame."""
        self.omitted_bytes = 0
        """Bytes of transcript before the first frame; set by the iteration."""
        self.reset = ""
        """Reason why they start from the beginning instead of at the given cursor; set by the iteration."""

    def __iter__(self) -> Iterator[PublishedFrame]:
        """Yield the frames. Raise LisaError: session_not_found, archive_unreadable; TmuxUnavailable."""
        if not self._until:
            return
        with contextlib.suppress(CancellationError), self._open() as feed:
            newest = 0 if self._since else attach.HISTORY_BYTES
            for frame in feed.history(newest_bytes=newest, until=self._until):
                self.omitted_bytes, self.reset = feed.omitted_bytes, feed.reset
                yield self._publish(frame)

    def count_omitted(self, first: str) -> int | None:
        """Return the number of messages before the cursor of the first frame; None: too many to count at once."""
        return attach.count_omitted(self._open, first, self.omitted_bytes)

    def _open(self) -> SessionFeed:
        """Return the feed of the session, or of its archive if it was killed meanwhile."""
        try:
            feed = open_feed(self._ctx, self._ref, self._since)
            if feed.identity == self._identity:
                return feed
        except LisaError as problem:
            if problem.code != "session_not_found":
                raise
        archive = archives.find_archive(self._ctx.settings, self._identity, self._ref.project.root)
        if archive is None:
            raise session_not_found(self._ref.session, self._ref.project.root)
        return open_feed(self._ctx, archive, self._since)


class FeedBroadcast(FollowedSession):
    """A followed session and its subscribers.

    A subscriber gets the recorded frames after its cursor, the present status and dialog, and every further frame,
    each once and in order. The others wait for one that reads slowly, and only for a moment for one that does not.
    """

    def __init__(
        self, ctx: Context, ref: SessionRef, *, annotate: Callable[[LiveFrame], LiveFrame] = lambda frame: frame
    ) -> None:
        """Start to follow. Raise LisaError: session_not_found; TmuxUnavailable.

        `annotate` returns the frame as subscribers get it; it is called in the order of the frames, and again for
        each reader of a recorded one.
        """
        self._ref = ref
        self._annotate = annotate
        self._ctx = Context(ctx.settings, clock=ctx.clock, cwd=ctx.cwd, cancellation=Cancellation())
        self._lock = threading.Lock()
        self._subscriptions: list[Subscription] = []
        self._present: dict[str, LiveFrame] = {}
        """The newest status and the open dialogs, by key."""
        self.end_reason = ""
        """As that of a subscription; empty while the session is followed."""
        super().__init__(open_feed(self._ctx, ref))
        for _ in self._feed.history(newest_bytes=PLACE_BYTES):
            pass
        self._position = self._feed.position
        """Position of the last delivered frame."""
        self._key = FOLLOWERS.join(ctx.settings, self)

    def __enter__(self) -> FeedBroadcast:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def subscribe(
        self, since: str = "", *, history: bool = True, on_change: Callable[[], None] = lambda: None
    ) -> Subscription:
        """Return a subscription that begins after a cursor, or without `history` with the next frame.

        `on_change` is called by another thread: it may only wake the reader. Raise LisaError(invalid_cursor).
        """
        start = parse_cursor(since) if since else None
        with self._lock:
            joined = self._position
            is_ahead = start is not None and self._feed.precedes(joined, start)
            until = joined.encode() if history and not is_ahead else ""
            made = Subscription(
                self,
                RecordedFrames(
                    self._ctx, self._ref, self._feed.identity, since=since, until=until, publish=self._publish
                ),
                tuple(
                    self._publish(structs.replace(frame, cursor=joined.encode())) for frame in self._present.values()
                ),
                self._make_skip(start if is_ahead else None),
                on_change,
                self._ctx.clock.monotonic,
            )
            if self.end_reason:
                made.end(self.end_reason)
            self._subscriptions.append(made)
        return made

    def _make_skip(self, start: LivePosition | None) -> Callable[[LiveFrame], bool]:
        """Return True for frames up to a position that the reader got from a faster source."""

        def skip(frame: LiveFrame) -> bool:
            return start is not None and not self._feed.precedes(start, parse_cursor(frame.cursor))

        return skip

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
        FOLLOWERS.leave(self._key)
        self.finish("closed")

    def finish(self, reason: str) -> None:
        with self._lock:
            self.end_reason = self.end_reason or reason
            for subscription in self._subscriptions:
                subscription.end(self.end_reason)

    def prepare(self, frame: LiveFrame) -> Callable[[], bool]:
        published = self._publish(frame)
        return lambda: self._deliver(published)

    def _publish(self, frame: LiveFrame) -> PublishedFrame:
        shown = self._annotate(frame)
        encoded = msgspec.json.encode(shown)
        if len(encoded) >= FRAME_BYTES:
            shown = shorten_frame(shown)
            encoded = msgspec.json.encode(shown)
        return PublishedFrame(shown, encoded)

    def _deliver(self, published: PublishedFrame) -> bool:
        """Give a frame to all subscribers; return False while one that reads has no space for it."""
        with self._lock:
            subscriptions = list(self._subscriptions)
        have_space = [each.has_space(len(published.encoded)) for each in subscriptions]  # ask all: each has a deadline
        if not all(have_space):
            return False
        with self._lock:
            self._note_present(published.frame)
            self._position = parse_cursor(published.frame.cursor)
            for subscription in self._subscriptions:
                subscription.put(published)
        return True

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
        elif isinstance(payload, SessionEndPayload):
            self._present = {"status": self._present["status"]} if "status" in self._present else {}
            self._present["end"] = frame

    @property
    def has_dialog(self) -> bool:
        """Return True while a dialog of the session is open."""
        with self._lock:
            return any(key not in ("status", "end") for key in self._present)
