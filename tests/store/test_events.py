"""The event log."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.store import events
from tests.lisa_host import LisaHost


def test_numbers_continue_after_trimming(machine: LisaHost) -> None:
    machine.env["LISA_EVENTS_MAX_LINES"] = "50"
    ctx = machine.context()
    ref = ctx.ref("lisa-x")
    for _ in range(120):
        events.add(ref, ctx.settings, 0.0, type="transition", state="in_progress", reason="agent_thinking")
    kept = events.read_tail(ref, 1000).events
    assert len(kept) <= 50
    assert [event.seq for event in kept] == list(range(121 - len(kept), 121))


def test_log_with_corrupt_start_is_trimmed(machine: LisaHost) -> None:
    machine.env["LISA_EVENTS_MAX_LINES"] = "20"
    ctx = machine.context()
    ref = ctx.ref("lisa-x")
    events.add(ref, ctx.settings, 0.0, type="lifecycle", reason="spawn_success")
    files.write(ref.events, b"rubbish\n" + (files.read(ref.events) or b""))
    for _ in range(60):
        events.add(ref, ctx.settings, 0.0, type="transition", state="in_progress", reason="agent_thinking")
    page = events.read_tail(ref, 1000)
    assert len(page.events) <= 20
    assert page.next == 61


def test_unfinished_line_does_not_hide_the_next_event(machine: LisaHost) -> None:
    ctx = machine.context()
    ref = ctx.ref("lisa-x")
    for _ in range(2):
        events.add(ref, ctx.settings, 0.0, type="lifecycle", reason="send_text")
    limit = files.size(ref.events) + 20
    with file_size_limit(limit), pytest.raises(LisaError) as refused:
        events.add(ref, ctx.settings, 0.0, type="lifecycle", reason="never_seen")
    assert refused.value.code == "store_unwritable"
    assert files.size(ref.events) == limit
    events.add(ref, ctx.settings, 0.0, type="lifecycle", reason="kill_success")
    page = events.read_since(ref, 0, 10)
    assert [(event.seq, event.reason) for event in page.events] == [
        (1, "send_text"),
        (2, "send_text"),
        (3, "kill_success"),
    ]
    assert page.dropped == 1


def test_invalid_bytes_do_not_hide_other_events(machine: LisaHost) -> None:
    ctx = machine.context()
    ref = ctx.ref("lisa-x")
    events.add(ref, ctx.settings, 0.0, type="lifecycle", reason="spawn_success")
    files.append(ref.events, b'{"seq":2,"reason":"\xff\xfe"}\n')
    events.add(ref, ctx.settings, 0.0, type="lifecycle", reason="send_text")
    page = events.read_tail(ref, 10)
    assert [event.reason for event in page.events] == ["spawn_success", "send_text"]
    assert page.dropped == 1


def test_large_log_is_read_from_its_end(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_TAIL", 2000)
    monkeypatch.setattr(events, "WHOLE_BYTES", 4000)
    machine.env["LISA_EVENTS_MAX_LINES"] = "100000"
    ctx = machine.context()
    ref = ctx.ref("lisa-x")
    events.add(ref, ctx.settings, 0.0, type="lifecycle", reason="spawn_success")
    line = (files.read(ref.events) or b"").decode()
    files.write(ref.events, "".join(line.replace('"seq":1,', f'"seq":{seq},') for seq in range(41, 3041)))
    files.append(ref.events, b"unreadable\n")
    parsed: list[int] = []
    parse = events._parse
    monkeypatch.setattr(events, "_parse", lambda lines: (parsed.append(len(lines)), parse(lines))[1])
    page = events.read_tail(ref, 3)
    assert ([event.seq for event in page.events], page.next, page.dropped) == ([3038, 3039, 3040], 3040, 1)
    recent = events.read_since(ref, 3030, 4)
    assert ([event.seq for event in recent.events], recent.more, recent.missed) == ([3031, 3032, 3033, 3034], 6, 0)
    assert sum(parsed) < 100
    files.append(ref.events, b"unreadable\n" * 5000)
    del parsed[:]
    assert events.read_tail(ref, 3).events == () and sum(parsed) < 5000
    oldest = events.read_since(ref, 7, 2)
    assert ([event.seq for event in oldest.events], oldest.more, oldest.missed) == ([41, 42], 2998, 33)


@contextlib.contextmanager
def file_size_limit(most: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes: a write that goes further is cut short, then refused."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
