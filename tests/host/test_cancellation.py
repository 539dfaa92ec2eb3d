"""The request to stop waiting ends every wait, also one that has not begun."""

from __future__ import annotations

import os
import select
import threading
import time

from lisa_py.host.cancellation import Cancellation
from lisa_py.host.file_events import FileWatcher


def test_wait_returns_at_once_when_cancelled_before() -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    began = time.monotonic()
    assert cancellation.wait(60)
    assert time.monotonic() - began < 5


def test_every_waiter_wakes_from_another_thread() -> None:
    cancellation, ready, woken = Cancellation(), threading.Barrier(4), []

    def wait() -> None:
        ready.wait(20)
        woken.append(cancellation.wait(60))

    waiters = [threading.Thread(target=wait, daemon=True) for _ in range(3)]
    for each in waiters:
        each.start()
    ready.wait(20)
    cancellation.cancel()
    for each in waiters:
        each.join(20)
    assert woken == [True, True, True]


def test_wait_without_a_request_ends_at_its_timeout() -> None:
    began = time.monotonic()
    assert not Cancellation().wait(0.05)
    assert time.monotonic() - began >= 0.05


def test_handle_is_readable_whenever_it_was_opened() -> None:
    early, late = Cancellation(), Cancellation()
    handle = early.fileno()
    assert not select.select([handle], [], [], 0)[0]
    for each in (early, late):
        each.cancel()
        each.cancel()
        assert select.select([each.fileno()], [], [], 0)[0]


def test_child_cancellation_leaves_no_handle() -> None:
    whole = Cancellation()
    whole.fileno()
    before = os.listdir("/proc/self/fd")
    with whole.open_part() as part:
        circle: list[object] = [part]
        circle.append(circle)
        assert not part.wait(0)
        assert len(os.listdir("/proc/self/fd")) == len(before) + 2
    assert len(os.listdir("/proc/self/fd")) == len(before)
    part.cancel()  # late, as by a reader that leaves at the same time: it writes to no other file
    part.close()
    assert part.is_set and not whole.is_set


def test_observers_are_counted() -> None:
    cancellation = Cancellation()
    with cancellation.observe(), cancellation.observe():
        assert cancellation.is_observed
    assert not cancellation.is_observed


def test_file_watcher_wakes_at_the_handle() -> None:
    cancellation = Cancellation()
    watcher = FileWatcher(wake_handle=cancellation.fileno())
    assert not watcher.wait(0)
    cancellation.cancel()
    began = time.monotonic()
    assert watcher.wait(60)
    assert time.monotonic() - began < 5
    watcher.close()


def test_handles_are_closed_with_the_object() -> None:
    cancellation = Cancellation()
    handle = cancellation.fileno()
    before = os.fstat(handle)
    del cancellation
    try:
        assert os.fstat(handle).st_ino != before.st_ino
    except OSError:
        pass
