"""session memory."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from lisa_py.contract.errors import LisaError
from lisa_py.core.handoff import session_memory
from lisa_py.core.redact.redactor import Mask
from lisa_py.host.clock import Clock
from tests.lisa_host import LisaHost
from tests.polling import wait_until

NAME = "lisa-mem-1"
NOON = 1_800_000_000.0


def _show(machine: LisaHost, *lines: str, name: str = NAME) -> None:
    """Start a session whose pane shows these lines and every line appended to its file."""
    shown = machine.project / f"{name}.txt"
    shown.write_text("".join(f"{line}\n" for line in lines))
    ctx = machine.context()
    tmux = ctx.tmux(ctx.project())
    tmux.new_session(
        name, ["/usr/bin/tail", "-n", "+1", "-f", str(shown)], root=str(machine.project), width=90, height=20
    )
    _wait_for(machine, lines[-1], name)


def _add(machine: LisaHost, *lines: str) -> None:
    with open(machine.project / f"{NAME}.txt", "a") as file:
        file.writelines(f"{line}\n" for line in lines)
    _wait_for(machine, lines[-1], NAME)


def _wait_for(machine: LisaHost, text: str, name: str) -> None:
    ctx = machine.context()
    wait_until(lambda: text in session_memory.read_shown_lines(ctx, ctx.ref(name)).lines, what=text)


def _end(machine: LisaHost) -> None:
    ctx = machine.context()
    assert ctx.tmux(ctx.project()).kill_session(NAME)


def _memory(machine: LisaHost, *words: str) -> dict[str, Any]:
    answer = machine.lisa("session", "memory", "--session", NAME, *words, "--json")
    assert answer.code == 0, answer
    return answer.json


def _path(machine: LisaHost) -> Path:
    return next((machine.folder / "state").rglob(f"memories/{NAME}.json"))


def test_memory_outlives_the_session(machine: LisaHost) -> None:
    _show(machine, "first finding", "", "first finding", "second finding")
    fresh = _memory(machine, "--refresh")
    assert (fresh["lines"], fresh["lineCount"], fresh["source"]) == (["first finding", "second finding"], 2, "pane")
    assert fresh["deltaMetadata"] == {
        "baselineLineCount": 0,
        "currentLineCount": 2,
        "deltaCount": 2,
        "maxLines": 80,
    }
    assert fresh["expiresAt"] > fresh["updatedAt"]
    _end(machine)
    assert _memory(machine)["lines"] == fresh["lines"]
    again = _memory(machine, "--refresh")
    assert (again["lines"], again["deltaCount"], again["source"]) == (fresh["lines"], 0, "none")
    assert oct(_path(machine).stat().st_mode & 0o777) == "0o600"


def test_refresh_lists_added_and_removed_lines(machine: LisaHost) -> None:
    _show(machine, "old line", "kept line that is quite long")
    _memory(machine, "--refresh")
    _add(machine, "a new line that is quite long", "short")
    live = _memory(machine, "--semantic-diff")
    assert (live["refresh"], live["semanticDiffSource"]) == (False, "live_vs_cached")
    assert live["lines"] == ["old line", "kept line that is quite long"]
    assert live["semanticDiff"] == {
        "added": [
            {"line": "a new line that is quite long", "confidence": "high"},
            {"line": "short", "confidence": "medium"},
        ],
        "removed": [],
        "unchanged": 2,
    }
    renewed = _memory(machine, "--refresh", "--semantic-diff", "--max-lines", "3")
    assert renewed["deltaLines"] == ["a new line that is quite long", "short"]
    assert renewed["lines"] == ["kept line that is quite long", "a new line that is quite long", "short"]
    assert renewed["semanticDiffSource"] == "refresh_vs_previous"
    assert [item["line"] for item in renewed["semanticDiff"]["removed"]] == ["old line"]


def test_an_ended_session_shows_its_saved_screen(machine: LisaHost) -> None:
    ctx = machine.context()
    ref = ctx.ref(NAME)
    os.makedirs(ref.folder)
    Path(ref.output).write_text("the last words\n")
    assert session_memory.refresh(ctx, ref, ttl_hours=1, max_lines=5).memory.lines == ("the last words",)


def test_unknown_session_has_an_empty_memory(machine: LisaHost) -> None:
    answer = _memory(machine, "--refresh")
    assert (answer["lineCount"], answer["source"]) == (0, "none")
    assert _memory(machine)["lines"] == []


def test_reading_a_missing_memory_writes_no_files(machine: LisaHost) -> None:
    answer = machine.lisa("session", "memory", "--session", NAME, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "memory_not_found")
    assert not (machine.folder / "state").exists()


def test_expired_memory_is_removed(machine: LisaHost) -> None:
    def at(now: float) -> Any:
        return machine.context(clock=Clock(now=lambda: now))

    ref = at(NOON).ref(NAME)
    session_memory.refresh(at(NOON), ref, ttl_hours=2, max_lines=5)
    assert session_memory.read_memory(at(NOON + 7200), ref).session == NAME
    with pytest.raises(LisaError) as gone:
        session_memory.read_memory(at(NOON + 7201), ref)
    assert gone.value.code == "memory_not_found"
    assert session_memory.build_block(at(NOON + 7200), ref, Mask("")) is not UNSET
    assert session_memory.build_block(at(NOON + 7201), ref, Mask("")) is UNSET
    renewed = session_memory.refresh(at(NOON + 7201), ref, ttl_hours=2, max_lines=5)
    assert renewed.previous == ()


def test_corrupt_memory_does_not_block_a_refresh(machine: LisaHost) -> None:
    _show(machine, "a finding")
    _memory(machine, "--refresh")
    _path(machine).write_text("{")
    read = machine.lisa("session", "memory", "--session", NAME, "--json")
    assert (read.code, read.json["errorCode"]) == (1, "memory_read_failed")
    renewed = _memory(machine, "--refresh")
    assert (renewed["recovered"], renewed["lines"]) == (True, ["a finding"])


def test_unavailable_tmux_keeps_the_memory(machine: LisaHost) -> None:
    _show(machine, "a finding")
    _memory(machine, "--refresh")
    blind = {"PATH": str(machine.bin)}
    answer = machine.lisa("session", "memory", "--session", NAME, "--refresh", "--json", env=blind)
    assert (answer.code, answer.json["errorCode"]) == (1, "memory_refresh_failed")
    assert _memory(machine)["lines"] == ["a finding"]


def test_forty_concurrent_refreshes_keep_memory_valid(machine: LisaHost) -> None:
    ctx = machine.context()
    _show(machine, "a finding")
    failures: list[Exception] = []

    def refresh() -> None:
        try:
            session_memory.refresh(ctx, ctx.ref(NAME), ttl_hours=1, max_lines=5)
        except Exception as problem:
            failures.append(problem)

    threads = [threading.Thread(target=refresh) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert json.loads(_path(machine).read_text())["lines"] == ["a finding"]


def test_text_shows_the_lines(machine: LisaHost) -> None:
    _show(machine, "a finding")
    answer = machine.lisa("session", "memory", "--session", NAME, "--refresh", "--semantic-diff")
    assert answer.out.splitlines() == [
        f"session={NAME} lines=1 refresh=true",
        "a finding",
        "semantic_diff added=1 removed=0",
    ]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "missing_required_flag"),
        (("--session", "x"), "invalid_session_name"),
        (("--session", NAME, "--ttl-hours", "0"), "invalid_ttl_hours"),
        (("--session", NAME, "--refresh", "--ttl-hours", "9007199254740991"), "invalid_ttl_hours"),
        (("--session", NAME, "--max-lines", "0"), "invalid_max_lines"),
    ],
)
def test_invalid_calls_are_refused(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "memory", *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)
