"""The event log."""

from __future__ import annotations

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
