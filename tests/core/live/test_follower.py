"""One thread for all followed sessions; a slow, hanging or broken one holds up no other."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lisa_py.contract.live import LiveFrame
from lisa_py.core.live import broadcast, follower
from lisa_py.core.live.broadcast import FeedBroadcast
from lisa_py.core.live.feed import FeedPause
from lisa_py.core.wait import waiter
from tests.core.live.test_broadcast import Subscriber
from tests.core.live.test_feed import fill_transcript
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture(scope="module")
def stages() -> Iterator[list[SessionHarness]]:
    """Yield two idle sessions for all tests."""
    machine = LisaHost()
    try:
        found = [SessionHarness(machine, f"lisa-stage-{number}").spawn(ready=False) for number in range(2)]
        for stage in found:
            stage.wait_for_state("idle")
        yield found
    finally:
        machine.close()


def list_followers() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "follower"]


def write(stage: SessionHarness, text: str) -> None:
    """Add a reply to the transcript of a session."""
    with Path(stage.agent_state()["transcript"]).open("a") as out:
        out.write(f'{{"type":"assistant","at":1,"text":"{text}"}}\n')


def open_all(
    stages: list[SessionHarness], annotate: Callable[[LiveFrame], LiveFrame] = lambda frame: frame
) -> tuple[list[FeedBroadcast], list[Subscriber]]:
    """Follow sessions, the first with `annotate`; return once each reader has the status."""
    feeds = [FeedBroadcast(stages[0].ctx, stages[0].ref, annotate=annotate)]
    feeds += [FeedBroadcast(stage.ctx, stage.ref) for stage in stages[1:]]
    readers = [Subscriber(feed.subscribe(history=False)) for feed in feeds]
    wait_until(lambda: all(reader.frames for reader in readers))
    return feeds, readers


def test_one_thread_follows_all_sessions(stages: list[SessionHarness]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    feeds, readers = open_all(stages)
    assert len(list_followers()) == 1
    for number, stage in enumerate(stages):
        write(stage, f"frame {number}")
    for number, reader in enumerate(readers):
        wait_until(lambda reader=reader, number=number: reader.has(f"frame {number}"))  # type: ignore[misc]
        assert not any(reader.has(f"frame {other}") for other in range(2) if other != number)
    for feed in feeds:
        feed.close()
    assert [reader.subscription.end_reason for reader in readers] == ["closed"] * 2
    wait_until(lambda: not list_followers())
    del feeds, readers
    wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before + 1)  # one idle inotify instance is kept


def test_a_hanging_session_delays_no_other(stages: list[SessionHarness], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "HANG_SECONDS", 0.1)
    hangs, goes_on = threading.Event(), threading.Event()

    def annotate(frame: LiveFrame) -> LiveFrame:
        if "hang" in str(frame.payload):
            hangs.set()
            goes_on.wait(30)
        return frame

    feeds, readers = open_all(stages, annotate)
    write(stages[0], "hang")
    assert hangs.wait(10)
    write(stages[1], "other")
    wait_until(lambda: readers[1].has("other"))
    assert len(list_followers()) == 2
    assert not readers[0].has("hang")
    goes_on.set()
    wait_until(lambda: readers[0].has("hang"))
    write(stages[0], "after")
    wait_until(lambda: readers[0].has("after"))
    for reader in readers:
        assert len(set(reader.cursors)) == len(reader.cursors)
    for feed in feeds:
        feed.close()
    wait_until(lambda: not list_followers())


def test_a_hanging_session_can_be_closed(stages: list[SessionHarness], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "HANG_SECONDS", 0.1)
    hangs, goes_on = threading.Event(), threading.Event()

    def annotate(frame: LiveFrame) -> LiveFrame:
        hangs.set()
        goes_on.wait(30)
        return frame

    with FeedBroadcast(stages[0].ctx, stages[0].ref, annotate=annotate) as feed:
        reader = Subscriber(feed.subscribe(history=False))
        assert hangs.wait(10)
    reader.join(10)
    assert reader.subscription.end_reason == "closed"
    goes_on.set()
    wait_until(lambda: not list_followers())


def test_a_broken_session_ends_alone(stages: list[SessionHarness], monkeypatch: pytest.MonkeyPatch) -> None:
    problems: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: problems.append(str(args.exc_value)))

    def annotate(frame: LiveFrame) -> LiveFrame:
        if "broken" in str(frame.payload):
            raise ValueError("a bug")
        return frame

    feeds, readers = open_all(stages, annotate)
    write(stages[0], "broken")
    readers[0].join(10)
    assert readers[0].subscription.end_reason == "internal_error"
    assert problems == ["a bug"]
    write(stages[1], "other")
    wait_until(lambda: readers[1].has("other"))
    for feed in feeds:
        feed.close()


def test_follower_that_fails_ends_its_sessions(stages: list[SessionHarness], monkeypatch: pytest.MonkeyPatch) -> None:
    problems: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: problems.append(str(args.exc_value)))
    feeds, readers = open_all(stages)

    def fail(self: waiter.Waiter) -> set[str]:
        raise OSError("too many open files")

    with monkeypatch.context() as broken:
        broken.setattr(waiter.Waiter, "poll", fail)
        broken.setattr(waiter.Waiter, "wait", lambda self, seconds: fail(self))
        write(stages[0], "any")
        for reader in readers:
            reader.join(10)
    assert [reader.subscription.end_reason for reader in readers] == ["internal_error"] * 2
    assert problems == ["too many open files"]
    for feed in feeds:
        feed.close()
    wait_until(lambda: not list_followers())
    feeds, readers = open_all(stages)  # by another follower
    write(stages[1], "later")
    wait_until(lambda: readers[1].has("later"))
    for feed in feeds:
        feed.close()


def test_sessions_end_if_no_thread_can_take_them(stages: list[SessionHarness], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "HANG_SECONDS", 0.1)
    problems: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: problems.append(str(args.exc_value)))
    hangs, goes_on = threading.Event(), threading.Event()

    def annotate(frame: LiveFrame) -> LiveFrame:
        if "no thread" in str(frame.payload):
            hangs.set()
            goes_on.wait(30)
        return frame

    def refuse(self: follower.Follower) -> None:
        raise RuntimeError("can't start new thread")

    feeds, readers = open_all(stages, annotate)
    with monkeypatch.context() as broken:
        broken.setattr(follower.Follower, "start", refuse)
        write(stages[0], "no thread")
        assert hangs.wait(10)
        readers[1].join(10)
    assert (readers[1].subscription.end_reason, problems) == ("internal_error", ["can't start new thread"])
    goes_on.set()
    wait_until(lambda: readers[0].has("no thread"))
    for feed in feeds:
        feed.close()
    wait_until(lambda: not list_followers())


def test_a_slow_reader_delays_no_other_session(stages: list[SessionHarness], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "QUEUE_BYTES", 20_000)
    feeds, readers = open_all(stages)
    slow = feeds[0].subscribe(history=False)
    fill_transcript(Path(stages[0].agent_state()["transcript"]), 300)  # more than the queue
    wait_until(lambda: slow._drain_until is not None)
    write(stages[1], "other")
    wait_until(lambda: readers[1].has("other"))
    assert slow.end_reason == ""
    taken = []
    while len(taken) < 300:
        published = slow.read(10)
        assert published is not None
        if published.frame.type == "assistant":
            taken.append(published.frame.cursor)
    wait_until(lambda: [each.cursor for each in readers[0].frames if each.type == "assistant"] == taken)
    for feed in feeds:
        feed.close()


def test_long_transcript_shares_the_follower_with_others(
    stages: list[SessionHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "HANG_SECONDS", 60.0)
    monkeypatch.setattr(follower, "SLICE_SECONDS", 0.005)
    monkeypatch.setattr(waiter, "LIVE_PAUSE_FACTOR", 0)  # its reads pause by what they cost
    seen: list[str] = []
    has_begun = threading.Event()

    def annotate(frame: LiveFrame) -> LiveFrame:
        if frame.type == "assistant":
            seen.append(str(frame.payload)[:200])
            if has_begun.is_set() and len(seen) == 1:
                write(stages[1], "between")
        return frame

    feeds = [FeedBroadcast(stage.ctx, stage.ref, annotate=annotate) for stage in stages]
    reader, other = (Subscriber(feed.subscribe(history=False)) for feed in feeds)
    wait_until(lambda: reader.frames)
    for text in ("first", "second"):  # a new transcript is no event, and is watched from the read after it on
        write(stages[1], text)
        wait_until(lambda text=text: other.has(text))  # type: ignore[misc]
    seen.clear()
    has_begun.set()
    fill_transcript(Path(stages[0].agent_state()["transcript"]), 6_000)
    wait_until(lambda: len(reader.cursors) == 6_000)
    wait_until(lambda: any("between" in text for text in seen))
    place = next(number for number, text in enumerate(seen) if "between" in text)
    assert 0 < place < 6_000, place
    for feed in feeds:
        feed.close()


class CountedFeed:
    """A feed that counts its reads and keeps what it accepts."""

    def __init__(self) -> None:
        self.reads = 0
        self.accepted: list[object] = []

    def read(self) -> tuple[str, str]:
        self.reads += 1
        return ("evidence", f"status {self.reads}")

    def accept(self, evidence: object, status: object) -> None:
        self.accepted.append(status)


class CountedWaiter:
    """A waiter that only takes reads."""

    def start_read(self) -> None: ...

    def finish_read(self, found: object) -> None: ...


def test_a_stored_read_is_accepted_without_another(machine: LisaHost) -> None:
    feed: Any = CountedFeed()
    waiter_of_test: Any = CountedWaiter()
    pauses: Any = (FeedPause(1.0) for _ in range(9))
    task = follower._Task(follower.FollowedSession(feed), pauses)
    made = follower.Follower(machine.context().settings, lambda: None)
    try:
        made._advance_or_end(waiter_of_test, "a", task)
        assert (feed.reads, feed.accepted) == (1, ["status 1"])
        made._due.add("a")
        task.is_paused = False  # frames of the read are still being delivered
        made._advance_or_end(waiter_of_test, "a", task)
        assert (feed.reads, feed.accepted, task.latest) == (2, ["status 1"], ("evidence", "status 2"))
        made._advance_or_end(waiter_of_test, "a", task)
        assert (feed.reads, feed.accepted, task.latest) == (2, ["status 1", "status 2"], None)
    finally:
        made._wakeup.close()
