"""--cursor-reset replaces an unreadable cursor file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lisa_py.store import events
from tests.lisa_host import CallResult, LisaHost
from tests.session_harness import SessionHarness

READERS = {
    "list": ("list", "--delta-json", "--cursor-file"),
    "tree": ("tree", "--delta-json", "--cursor-file"),
    "wait": ("wait", "--timeout-seconds", "1", "--json", "--cursor-file"),
    "monitor": ("monitor", "--session", "lisa-stage-1", "--stream-json", "--emit-handoff", "--handoff-cursor-file"),
    "loop": ("loop", "--session", "lisa-stage-1", "--json", "--handoff-cursor-file"),
    "aggregate": ("aggregate", "--delta-json", "--cursor-file"),
    "packet": ("packet", "--session", "lisa-stage-1", "--json", "--cursor-file"),
    "handoff": ("handoff", "--session", "lisa-stage-1", "--json", "--cursor-file"),
    "capture": ("capture", "--session", "lisa-stage-1", "--raw", "--json", "--cursor-file"),
}
BROKEN = b'{"cut": "\xff'


def last(answer: CallResult) -> dict[str, Any]:
    found: dict[str, Any] = answer.lines[-1]
    return found


@pytest.mark.parametrize("reader", READERS)
def test_cursor_reset_sets_an_unreadable_file_aside(machine: LisaHost, reader: str) -> None:
    SessionHarness(machine).run("true")
    cursor = machine.project / "cursor"
    cursor.write_bytes(BROKEN)
    words = ("session", *READERS[reader], str(cursor))
    refused = machine.lisa(*words)
    assert (refused.code, refused.json["errorCode"]) == (1, "invalid_cursor_file")
    assert "--cursor-reset" in refused.json["error"]
    assert cursor.read_bytes() == BROKEN
    answer = machine.lisa(*words, "--cursor-reset")
    assert answer.code == 0, answer
    assert last(answer).get("cursorRecovered") or "set aside" in answer.err
    assert [path.read_bytes() for path in machine.project.glob("cursor.corrupt-*")] == [BROKEN]
    again = machine.lisa(*words, "--cursor-reset")
    assert "cursorRecovered" not in last(again) and "set aside" not in again.err


@pytest.mark.parametrize("words", [("list",), ("list", "--json-min"), ("tree", "--json-min")])
def test_unnamed_cursor_file_is_reset(machine: LisaHost, words: tuple[str, ...]) -> None:
    SessionHarness(machine).run("true")
    first = machine.lisa("session", *words, "--delta-json").json
    Path(first["cursorFile"]).write_text("{")
    again = machine.lisa("session", *words, "--delta-json", "--cursor-reset").json
    assert again["cursorRecovered"] is True
    assert len(again["delta"]["added"]) == 1


def test_stream_with_cursor_fails_on_an_unreadable_log(machine: LisaHost) -> None:
    stage = SessionHarness(machine).run("true")
    for _ in range(3):
        events.add(stage.ref, stage.ctx.settings, 0.0, type="lifecycle", reason="send_text")
    cursor = machine.project / "cursor"
    cursor.write_text("2\n")
    log = Path(stage.ref.events)
    log.rename(log.with_suffix(".kept"))
    log.mkdir()
    words = ("--stream-json", "--emit-handoff", "--handoff-cursor-file", str(cursor))
    answer = stage.lisa("monitor", *words)
    assert (answer.code, last(answer)["errorCode"]) == (1, "handoff_stream_failed")
    assert cursor.read_text() == "2\n"
    log.rmdir()
    log.with_suffix(".kept").rename(log)
    handoffs = [line for line in stage.lisa("monitor", *words).lines if line.get("type") == "handoff"]
    assert next(event["seq"] for line in handoffs for event in line["recent"]) == 3
    assert json.loads(cursor.read_text())["offset"] == handoffs[-1]["nextDeltaOffset"]
