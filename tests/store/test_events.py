"""The event log."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.store import events
from tests.machine import Machine


def test_numbers_go_on_when_the_log_is_halved_at_its_cap_of_lines(machine: Machine) -> None:
    machine.env["LISA_EVENTS_MAX_LINES"] = "50"
    ctx = machine.context()
    place = ctx.place("lisa-x")
    for _ in range(120):
        events.add(place, ctx.settings, 0.0, type="transition", state="in_progress", reason="agent_thinking")
    kept = events.tail(place, 1000).events
    assert len(kept) <= 50
    assert [event.seq for event in kept] == list(range(121 - len(kept), 121))


def test_a_log_that_begins_with_rubbish_is_trimmed_all_the_same(machine: Machine) -> None:
    machine.env["LISA_EVENTS_MAX_LINES"] = "20"
    ctx = machine.context()
    place = ctx.place("lisa-x")
    events.add(place, ctx.settings, 0.0, type="lifecycle", reason="spawn_success")
    files.write(place.events, b"rubbish\n" + (files.read(place.events) or b""))
    for _ in range(60):
        events.add(place, ctx.settings, 0.0, type="transition", state="in_progress", reason="agent_thinking")
    page = events.tail(place, 1000)
    assert len(page.events) <= 20
    assert page.next == 61


def test_a_line_that_a_full_disk_left_unfinished_does_not_swallow_the_next_event(machine: Machine) -> None:
    ctx = machine.context()
    place = ctx.place("lisa-x")
    for _ in range(2):
        events.add(place, ctx.settings, 0.0, type="lifecycle", reason="send_text")
    room = files.size(place.events) + 20
    with file_size_limit(room), pytest.raises(LisaError) as refused:
        events.add(place, ctx.settings, 0.0, type="lifecycle", reason="never_seen")
    assert refused.value.code == "store_unwritable"
    assert files.size(place.events) == room
    events.add(place, ctx.settings, 0.0, type="lifecycle", reason="kill_success")
    page = events.since(place, 0, 10)
    assert [(event.seq, event.reason) for event in page.events] == [
        (1, "send_text"),
        (2, "send_text"),
        (3, "kill_success"),
    ]
    assert page.dropped == 1


def test_an_event_of_strange_bytes_hides_no_other(machine: Machine) -> None:
    ctx = machine.context()
    place = ctx.place("lisa-x")
    events.add(place, ctx.settings, 0.0, type="lifecycle", reason="spawn_success")
    files.append(place.events, b'{"seq":2,"reason":"\xff\xfe"}\n')
    events.add(place, ctx.settings, 0.0, type="lifecycle", reason="send_text")
    page = events.tail(place, 10)
    assert [event.reason for event in page.events] == ["spawn_success", "send_text"]
    assert page.dropped == 1


@contextlib.contextmanager
def file_size_limit(most: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes: a write that goes further is cut short, then refused."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
