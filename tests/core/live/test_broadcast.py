"""One follower for many subscribers: each frame once, in order, for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from lisa_py.contract.live import LiveFrame
from lisa_py.core.fleet import session_objects
from lisa_py.core.live import attach, broadcast
from lisa_py.core.live.broadcast import FeedBroadcast, PublishedFrame, Subscription
from tests.core.live.test_feed import fill_transcript, read_history
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

STATUS_KINDS = ("session_status", "tool_approval_request", "session_end")


class Subscriber(threading.Thread):
    """A subscription that is read in its own thread."""

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(daemon=True)
        self.subscription = subscription
        self.frames: list[LiveFrame] = []
        self.start()

    def run(self) -> None:
        for published in self.subscription:
            self.frames.append(published.frame)

    @property
    def cursors(self) -> list[str]:
        """Return the cursors of the conversation: a status has none of its own."""
        return [frame.cursor for frame in self.frames if frame.type not in STATUS_KINDS]

    def has(self, text: str) -> bool:
        return any(text in str(frame.payload) for frame in self.frames)


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def test_all_subscribers_get_each_frame_once(stage: SessionHarness) -> None:
    stage.spawn().send("[say one]")
    stage.wait_for_text("● one")
    stage.wait_for_state("idle")
    with FeedBroadcast(stage.ctx, stage.ref) as feed:
        first = Subscriber(feed.subscribe())
        wait_until(lambda: first.has("one"))
        cursor = first.cursors[0]
        stage.send("[say two]")
        readers = [Subscriber(feed.subscribe()), Subscriber(feed.subscribe(cursor))]
        wait_until(lambda: first.has("two"))
        readers.append(Subscriber(feed.subscribe(first.cursors[-1])))
        stage.send("/clear")
        stage.send("[say three]")
        stage.wait_for_text("● three")
        stage.wait_for_state("idle")
        last = read_history(stage)[-1].cursor
        for reader in (first, *readers):
            wait_until(lambda reader=reader: reader.cursors[-1:] == [last])
        assert feed.subscribers == 4
    for reader in (first, *readers):
        reader.join(10)
        assert reader.subscription.end_reason == "closed"
    assert len(set(first.cursors)) == len(first.cursors)
    assert readers[0].cursors == first.cursors
    assert readers[1].cursors == first.cursors[1:]
    assert readers[2].cursors and readers[2].cursors == first.cursors[-len(readers[2].cursors) :]


def test_long_history_has_the_counted_number(stage: SessionHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that are too many to count at once were counted with the usage of the session."""
    monkeypatch.setattr(attach, "HISTORY_BYTES", 100_000)
    monkeypatch.setattr(attach, "COUNT_BYTES", 200_000)
    stage.spawn().send("[say one]")
    stage.wait_for_text("● one")
    stage.wait_for_state("idle")
    path = Path(stage.agent_state()["transcript"])

    def count_total() -> int | None:
        """Return the number of messages by the first frame of a new reader."""
        with FeedBroadcast(stage.ctx, stage.ref) as feed:
            recorded = feed.subscribe().recorded
            kept = [each.frame for each in recorded if attach.is_message(each.frame)]
            assert recorded.omitted_bytes > attach.COUNT_BYTES
            omitted = recorded.count_omitted(kept[0].cursor)
            return None if omitted is None else omitted + len(kept)

    fill_transcript(path, 500)
    assert count_total() is None
    session_objects.describe_session(stage.ctx, stage.ref)
    total = sum(map(attach.is_message, read_history(stage)))
    assert count_total() == total > 500
    fill_transcript(path, 3)  # the counted end is among the newest messages
    assert count_total() == total + 3
    fill_transcript(path, 150)  # it is before them
    assert count_total() == total + 153
    fill_transcript(path, 300)  # it is too far before them
    assert count_total() is None


def test_slow_reader_ends_and_delays_no_other(stage: SessionHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "QUEUE_BYTES", 20_000)
    monkeypatch.setattr(broadcast, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(broadcast, "START_SECONDS", 0.3)
    stage.spawn().send("[say one]")
    stage.wait_for_text("● one")
    stage.wait_for_state("idle")
    with FeedBroadcast(stage.ctx, stage.ref) as feed:
        slow, quick = feed.subscribe(), Subscriber(feed.subscribe())
        wait_until(lambda: quick.has("one"))
        fill_transcript(Path(stage.agent_state()["transcript"]), 100)  # a burst of more than the queue
        wait_until(lambda: len(quick.cursors) >= 100)
        assert quick.subscription.end_reason == ""
        assert slow.end_reason == "slow_reader" and slow.read() is None


class SlowClock:
    """A clock that advances by a second whenever it is read; `at_each` is called first."""

    def __init__(self) -> None:
        self.now = 0.0
        self.at_each: Callable[[], object] = lambda: None
        self._is_called = False

    def read(self) -> float:
        if not self._is_called:
            self.now, self._is_called = self.now + 1, True
            self.at_each()
            self._is_called = False
        return self.now


@pytest.mark.parametrize(
    ("has_begun", "reads", "expected"),
    [
        (False, 0, ("slow_reader", 9)),
        (True, 0, ("slow_reader", 3)),
        (True, 1, ("slow_reader", 30)),
        (True, 40, ("", 3)),
    ],
    ids=["new", "none", "few", "all"],
)
def test_reader_of_a_full_queue_ends_only_if_it_is_slow(
    monkeypatch: pytest.MonkeyPatch, has_begun: bool, reads: int, expected: tuple[str, int]
) -> None:
    monkeypatch.setattr(broadcast, "QUEUE_BYTES", 20_000)
    clock, nothing = SlowClock(), cast("Any", None)
    subscription = Subscription(nothing, nothing, (), lambda frame: False, lambda: None, clock.read)
    published = PublishedFrame(nothing, b"x" * 100)
    if has_begun:
        subscription.note_progress()
    for _ in range(200):
        subscription.put(published)
    began = clock.now
    assert not subscription.has_space(100)
    clock.at_each = lambda: [subscription.read(0) for _ in range(reads)]
    while not subscription.has_space(100):
        pass
    assert subscription.end_reason == expected[0]
    assert expected[1] <= clock.now - began <= expected[1] + 1
    assert (subscription.read(0) is None) is (expected[0] == "slow_reader")


def test_subscriber_after_the_end_gets_the_record(stage: SessionHarness) -> None:
    stage.spawn("[say done]", mode="exec")
    with FeedBroadcast(stage.ctx, stage.ref) as feed:
        early = Subscriber(feed.subscribe())
        early.join(30)
        late = Subscriber(feed.subscribe())
        late.join(10)
        assert early.subscription.end_reason == late.subscription.end_reason == "session_ended"
        assert late.cursors == early.cursors and late.has("done")
        assert early.frames[-1].type == "session_end"


def test_late_subscriber_gets_the_open_dialog(stage: SessionHarness) -> None:
    stage.spawn().send("[ask touch x]")
    stage.wait_for_state("waiting")
    with FeedBroadcast(stage.ctx, stage.ref) as feed:
        first = Subscriber(feed.subscribe())
        wait_until(lambda: any(frame.type == "tool_approval_request" for frame in first.frames))
        late = Subscriber(feed.subscribe(history=False))
        wait_until(lambda: [frame.type for frame in late.frames] == ["session_status", "tool_approval_request"])
        stage.lisa("send", "--answer", "yes")
        wait_until(lambda: late.has("approval_decided"))
        second = Subscriber(feed.subscribe(history=False))
        wait_until(lambda: [frame.type for frame in second.frames][:1] == ["session_status"])
        assert not any(frame.type == "tool_approval_request" for frame in second.frames)
