"""session diff-pack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lisa_py.store import events
from tests.fake_pane import FakePane
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


def diff(machine: LisaHost, *words: str, code: int = 0, **more: Any) -> dict[str, Any]:
    form = [] if {"--json", "--json-min"} & set(words) else ["--json"]
    answer = machine.lisa("session", "diff-pack", "--session", "lisa-talk", *words, *form, **more)
    assert answer.code == code, answer
    return answer.json


@pytest.mark.parametrize("words", [[], ["--semantic-only"], ["--strategy", "full"], ["--strategy", "terse"]])
def test_no_activity_means_no_change(machine: LisaHost, words: list[str]) -> None:
    with FakePane(machine) as pane:
        pane.write("hello\n")
        first = diff(machine, *words)
        assert first["changed"] and "session=lisa-talk" in first["addedLines"]
        for _ in range(2):
            again = diff(machine, *words)
            assert (again["changed"], again["addedLines"], again["removedLines"]) == (False, [], [])


def test_added_and_removed_lines_are_listed(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("one\n")
        diff(machine)
        pane.write("two\none\n")
        events.add(pane.ref, pane.ctx.settings, 0.0, type="transition", state="in_progress", reason="r1")
        answer = diff(machine, "--json-min")
        assert answer["addedLines"] == ["1970-01-01T00:00:00Z in_progress/ r1", "one", "recent_events:", "two"]
        assert (answer["removedLines"], "pack" in answer) == ([], False)


def test_turn_is_a_change_and_idle_agent_is_none(machine: LisaHost) -> None:
    stage = SessionHarness(machine, "lisa-talk").spawn("[say one]")
    stage.wait_for_state("idle")
    assert diff(machine)["source"] == "transcript"
    assert diff(machine)["changed"] is False
    stage.send("[say two]")
    stage.wait_for_text("two")
    stage.wait_for_state("idle")
    assert "two" in diff(machine)["addedLines"]


def test_semantic_only_compares_meaningful_lines(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("built in 3s\n")
        first = diff(machine, "--semantic-only")
        assert first["semanticLineCount"] == len(first["semanticLines"])
        pane.write("built in 4s\n")
        same = diff(machine, "--semantic-only")
        assert (same["changed"], same["semanticLines"], same["semanticLineCount"]) == (
            False,
            [],
            first["semanticLineCount"],
        )
        pane.write("tests failed\nand again\n")
        changed = diff(machine, "--semantic-only")
        assert changed["addedLines"] == ["and again", "tests failed"]
        assert changed["semanticLines"] == ["tests failed", "and again"]


def test_cursor_is_in_session_folder_or_given_path(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        answer = diff(machine)
        assert answer["cursorFile"] == pane.ref.file("diff-pack.txt")
        assert Path(answer["cursorFile"]).read_text() == answer["pack"]
        own = str(machine.folder / "deep" / "cursor")
        mine = diff(machine, "--cursor-file", own, "--semantic-only")
        assert (mine["changed"], mine["semanticCursorFile"]) == (True, own + ".semantic.json")
        assert Path(own).stat().st_mode & 0o777 == 0o600


def test_missing_session_writes_no_files(machine: LisaHost) -> None:
    answer = diff(machine, code=1)
    assert (answer["errorCode"], answer["sessionState"]) == ("session_not_found", "not_found")
    assert not Path(answer["cursorFile"]).parent.exists()
    own = machine.folder / "cursor"
    diff(machine, "--cursor-file", str(own), code=1)
    assert own.read_text().startswith("session=lisa-talk\nstate=not_found")


def test_unavailable_tmux_keeps_the_cursor(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("hello\n")
        diff(machine)
        assert diff(machine, code=1, env={"PATH": str(machine.bin)})["sessionState"] == "degraded"
        assert diff(machine)["changed"] is False


def test_redaction_reaches_lines_and_cursor(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("DB_PASSWORD=hunter2x at /opt/secret\n")
        answer = diff(machine, "--redact", "all")
        text = json.dumps(answer)
        assert "hunter2x" not in text and "opt/secret" not in text and str(machine.folder) not in text
        assert "hunter2x" not in Path(pane.ref.file("diff-pack.txt")).read_text()
        assert diff(machine, "--redact", "all")["changed"] is False


@pytest.mark.parametrize("held", ["17\n", '{"kind":"pane","offset":4}'])
def test_cursor_of_other_command_is_not_overwritten(machine: LisaHost, held: str) -> None:
    path = machine.folder / "cursor"
    path.write_text(held)
    with FakePane(machine):
        assert diff(machine, "--cursor-file", str(path), code=1)["errorCode"] == "invalid_cursor_file"
        assert path.read_text() == held
        assert diff(machine, "--cursor-file", str(path), "--cursor-reset")["cursorRecovered"] is True


def test_corrupt_lines_file_keeps_cursor_and_can_be_reset(machine: LisaHost) -> None:
    path = machine.folder / "cursor"
    beside = Path(f"{path}.semantic.json")
    path.write_text("old")
    beside.write_text("{")
    words = ("--cursor-file", str(path), "--semantic-only")
    with FakePane(machine):
        assert diff(machine, *words, code=1)["errorCode"] == "semantic_cursor_read_failed"
        assert path.read_text() == "old"
        assert diff(machine, *words, "--cursor-reset")["cursorRecovered"] is True
        assert diff(machine, *words)["changed"] is False


def test_invalid_calls_are_refused(machine: LisaHost) -> None:
    assert diff(machine, "--redact", "x", code=1)["errorCode"] == "invalid_redact_rules"
    assert diff(machine, "--cursor-file", "/tmp", code=1)["errorCode"] == "invalid_cursor_file"
    assert diff(machine, "--cursor-file", "/proc/x/y", code=1)["errorCode"] == "cursor_file_write_failed"


def test_text_is_one_line(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("first\n")
        diff(machine)
        pane.write("hello\n")
        out = machine.lisa("session", "diff-pack", "--session", "lisa-talk").out
        assert out == f"changed=true added=1 removed=0 cursor={pane.ref.file('diff-pack.txt')}\n"


@pytest.mark.parametrize(
    ("command", "files"),
    [("diff-pack", ()), ("loop", ("--max-steps", "1")), ("loop", ("--max-steps", "1", "--cursor-file", "c"))],
)
def test_symlinked_session_folder_is_not_written(machine: LisaHost, command: str, files: tuple[str, ...]) -> None:
    with FakePane(machine) as pane:
        pane.write("hello\n")
        elsewhere = machine.folder / "elsewhere"
        Path(pane.ref.folder).rename(elsewhere)
        Path(pane.ref.folder).symlink_to(elsewhere)
        before = sorted(elsewhere.iterdir())
        answer = machine.lisa("session", command, "--session", "lisa-talk", *files, "--json")
        assert (answer.code, answer.json["errorCode"]) == (1, "store_unwritable")
        assert sorted(elsewhere.iterdir()) == before
        assert diff(machine, "--cursor-file", str(machine.folder / "mine"))["addedLines"]
