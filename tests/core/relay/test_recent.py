"""Reading events page by page."""

from __future__ import annotations

from lisa_py.core.context import Context
from lisa_py.core.relay.recent import EventReader
from lisa_py.host import files
from lisa_py.store import events
from lisa_py.store.places import Place
from tests.machine import Machine


def log(machine: Machine, count: int, **env: str) -> tuple[Context, Place]:
    machine.env.update(env)
    ctx = machine.context()
    place = ctx.place("lisa-x")
    for number in range(1, count + 1):
        events.add(place, ctx.settings, 0.0, type="transition", state="in_progress", reason=f"r{number}")
    return ctx, place


def reasons(machine_ctx: Context, place: Place, since: int | None, count: int = 8) -> list[str]:
    return [item.reason for item in EventReader(machine_ctx, since, "").read(place, count).items]


def test_without_a_cursor_the_newest_are_given(machine: Machine) -> None:
    ctx, place = log(machine, 12)
    assert reasons(ctx, place, None, 3) == ["r10", "r11", "r12"]


def test_with_a_cursor_the_oldest_unread_come_first_and_none_is_lost(machine: Machine) -> None:
    ctx, place = log(machine, 12)
    first = EventReader(ctx, 2, "").read(place, 4)
    assert [item.reason for item in first.items] == ["r3", "r4", "r5", "r6"]
    assert (first.next, first.remaining) == (6, 6)
    assert reasons(ctx, place, first.next, 99) == [f"r{number}" for number in range(7, 13)]


def test_a_cursor_survives_the_trimming_of_the_log(machine: Machine) -> None:
    ctx, place = log(machine, 30, LISA_EVENTS_MAX_BYTES="1500")
    tail = EventReader(ctx, None, "").read(place, 1)
    cursor = tail.newest
    events.add(place, ctx.settings, 0.0, type="lifecycle", reason="new")
    assert reasons(ctx, place, cursor) == ["new"]


def test_events_trimmed_before_they_were_read_are_counted(machine: Machine) -> None:
    ctx, place = log(machine, 60, LISA_EVENTS_MAX_BYTES="1500")
    found = EventReader(ctx, 1, "").read(place, 99)
    assert found.missed == 60 - 1 - len(found.items)
    assert found.missed > 0


def test_a_cursor_from_a_log_that_is_gone_starts_anew_and_says_so(machine: Machine) -> None:
    ctx, place = log(machine, 2)
    found = EventReader(ctx, 50, "").read(place, 9)
    assert (found.reset, [item.reason for item in found.items]) == (True, ["r1", "r2"])


def test_a_cursor_file_goes_on_where_it_stopped(machine: Machine) -> None:
    ctx, place = log(machine, 3)
    path = str(machine.folder / "cursor")
    for expected in (["r1", "r2"], ["r3"], []):
        reader = EventReader(ctx, None, path)
        assert [item.reason for item in reader.read(place, 2).items] == expected
        reader.save(ctx)


def test_unreadable_lines_are_counted_not_hidden(machine: Machine) -> None:
    ctx, place = log(machine, 2)
    files.append(place.events, b"broken\n")
    found = EventReader(ctx, None, "").read(place, 9)
    assert (len(found.items), found.dropped) == (2, 1)
