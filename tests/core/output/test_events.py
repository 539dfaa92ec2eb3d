"""Read events page by page."""

from __future__ import annotations

from lisa_py.core.context import Context
from lisa_py.core.output.events import EventReader
from lisa_py.host import files
from lisa_py.store import events
from lisa_py.store.paths import SessionRef
from tests.lisa_host import LisaHost


def log(machine: LisaHost, count: int, **env: str) -> tuple[Context, SessionRef]:
    machine.env.update(env)
    ctx = machine.context()
    ref = ctx.ref("lisa-x")
    for number in range(1, count + 1):
        events.add(ref, ctx.settings, 0.0, type="transition", state="in_progress", reason=f"r{number}")
    return ctx, ref


def reasons(machine_ctx: Context, ref: SessionRef, since: int | None, count: int = 8) -> list[str]:
    return [item.reason for item in EventReader(machine_ctx, since, "").read(ref, count).items]


def test_newest_events_are_read_without_cursor(machine: LisaHost) -> None:
    ctx, ref = log(machine, 12)
    assert reasons(ctx, ref, None, 3) == ["r10", "r11", "r12"]


def test_cursor_returns_every_unread_event_oldest_first(machine: LisaHost) -> None:
    ctx, ref = log(machine, 12)
    first = EventReader(ctx, 2, "").read(ref, 4)
    assert [item.reason for item in first.items] == ["r3", "r4", "r5", "r6"]
    assert (first.next, first.remaining) == (6, 6)
    assert reasons(ctx, ref, first.next, 99) == [f"r{number}" for number in range(7, 13)]


def test_cursor_stays_valid_after_log_is_trimmed(machine: LisaHost) -> None:
    ctx, ref = log(machine, 30, LISA_EVENTS_MAX_BYTES="1500")
    tail = EventReader(ctx, None, "").read(ref, 1)
    cursor = tail.newest
    events.add(ref, ctx.settings, 0.0, type="lifecycle", reason="new")
    assert reasons(ctx, ref, cursor) == ["new"]


def test_trimmed_unread_events_are_counted(machine: LisaHost) -> None:
    ctx, ref = log(machine, 60, LISA_EVENTS_MAX_BYTES="1500")
    found = EventReader(ctx, 1, "").read(ref, 99)
    assert found.missed == 60 - 1 - len(found.items)
    assert found.missed > 0


def test_cursor_of_replaced_log_resets(machine: LisaHost) -> None:
    ctx, ref = log(machine, 2)
    found = EventReader(ctx, 50, "").read(ref, 9)
    assert (found.reset, [item.reason for item in found.items]) == (True, ["r1", "r2"])


def test_cursor_file_continues_at_its_position(machine: LisaHost) -> None:
    ctx, ref = log(machine, 3)
    path = str(machine.folder / "cursor")
    for expected in (["r1", "r2"], ["r3"], []):
        reader = EventReader(ctx, None, path)
        assert [item.reason for item in reader.read(ref, 2).items] == expected
        reader.save(ctx)


def test_unreadable_lines_are_counted(machine: LisaHost) -> None:
    ctx, ref = log(machine, 2)
    files.append(ref.events, b"broken\n")
    found = EventReader(ctx, None, "").read(ref, 9)
    assert (len(found.items), found.dropped) == (2, 1)
