"""session packet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lisa_py.host import files
from lisa_py.store import events
from tests.fake_pane import FakePane
from tests.lisa_host import LisaHost


def packet(machine: LisaHost, *words: str, code: int = 0) -> dict[str, Any]:
    form = [] if {"--json", "--json-min", "--delta-json"} & set(words) else ["--json"]
    whole = "--fields" not in words
    answer = machine.lisa("session", "packet", "--session", "lisa-talk", *words, *form, check_schema=whole)
    assert answer.code == code, answer
    return answer.json


def happen(pane: FakePane, *reasons: str) -> None:
    for reason in reasons:
        events.add(pane.ref, pane.ctx.settings, 0.0, type="transition", state="in_progress", reason=reason)


def test_packet_has_state_summary_and_events(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        happen(pane, "r1")
        pane.write("first\nlast\n")
        answer = packet(machine)
        assert answer["nextAction"] == "session monitor"
        assert answer["summary"].startswith("ops_summary:\nsession=lisa-talk\n")
        assert answer["summary"].endswith("\nfirst\nlast")
        assert answer["handoff"]["events"][0]["reason"] == "r1"
        assert (answer["capture"]["lines"], answer["summaryStyle"], answer["tokenBudget"]) == (120, "ops", 320)
        assert answer["nextOffset"] == pane.read().size


def test_small_form_has_events_as_recent(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        happen(pane, "r1")
        answer = packet(machine, "--json-min")
        assert [item["reason"] for item in answer["recent"]] == ["r1"]
        assert not {"projectRoot", "capture", "handoff", "cursorFile"} & set(answer)


def test_screen_layout_does_not_fill_the_summary(machine: LisaHost) -> None:
    ruler = "─" * 78
    with FakePane(machine) as pane:
        pane.write(f"● the answer\n\n{ruler}\n❯ \n{ruler}\n  ? for shortcuts")
        answer = packet(machine, "--token-budget", "60")
        assert answer["summary"].endswith("● the answer")


def test_cursor_limits_events_to_the_delta(machine: LisaHost) -> None:
    cursor = str(machine.folder / "cursor")
    with FakePane(machine) as pane:
        happen(pane, "r1")
        first = packet(machine, "--cursor-file", cursor, "--json-min")
        assert (first["deltaFrom"], first["nextDeltaOffset"], first["deltaCount"]) == (0, 1, 1)
        assert packet(machine, "--cursor-file", cursor, "--json-min")["recent"] == []


def test_delta_json_has_only_changed_fields(machine: LisaHost) -> None:
    cursor = str(machine.folder / "cursor")
    with FakePane(machine) as pane:
        first = packet(machine, "--delta-json", "--cursor-file", cursor)
        assert {change["field"] for change in first["delta"]["added"]} >= {"sessionState", "nextAction", "summary"}
        assert packet(machine, "--delta-json", "--cursor-file", cursor)["deltaCount"] == 0
        pane.write("more\n")
        second = packet(machine, "--delta-json", "--cursor-file", cursor)
        assert [change["field"] for change in second["delta"]["changed"]] == ["nextOffset", "summary"]
        assert second["delta"]["count"] == second["deltaCount"] == 2


def test_packet_and_delta_json_have_separate_positions(machine: LisaHost) -> None:
    cursor = str(machine.folder / "cursor")
    with FakePane(machine) as pane:
        happen(pane, "r1")
        packet(machine, "--delta-json", "--cursor-file", cursor)
        assert packet(machine, "--cursor-file", cursor)["deltaCount"] == 1
        assert packet(machine, "--delta-json", "--cursor-file", cursor)["deltaCount"] == 0
        assert packet(machine, "--cursor-file", cursor)["deltaCount"] == 0


def test_other_fields_are_not_reported_as_removed(machine: LisaHost) -> None:
    cursor = str(machine.folder / "cursor")
    with FakePane(machine):
        packet(machine, "--delta-json", "--cursor-file", cursor)
        narrow = packet(machine, "--delta-json", "--cursor-file", cursor, "--fields", "status,handoff")
        assert narrow["delta"]["removed"] == []
        wide = packet(machine, "--delta-json", "--cursor-file", cursor)
        assert wide["deltaCount"] == 0


def test_integer_cursor_is_accepted(machine: LisaHost) -> None:
    cursor = machine.folder / "cursor"
    with FakePane(machine) as pane:
        happen(pane, "r1", "r2")
        cursor.write_text("1\n")
        packet(machine, "--delta-json", "--cursor-file", str(cursor))
        assert json.loads(cursor.read_text())["offset"] == 1
        assert [item["reason"] for item in packet(machine, "--cursor-file", str(cursor), "--json-min")["recent"]] == [
            "r2"
        ]


def test_fields_select_dotted_paths_and_skip_unknown(machine: LisaHost) -> None:
    answer = packet(machine, "--fields", "session,handoff.droppedRecent,capture.lines,nope.x", code=1)
    assert answer == {
        "capture": {"lines": 120},
        "error": "lisa-talk: no session of this name exists",
        "errorCode": "session_not_found",
        "handoff": {"droppedRecent": 0},
        "ok": False,
        "session": "lisa-talk",
        "stderrPolicy": "diagnostic",
    }


def test_missing_session_returns_a_packet(machine: LisaHost) -> None:
    answer = packet(machine, "--json-min", code=1)
    assert (answer["errorCode"], answer["sessionState"], answer["nextAction"]) == (
        "session_not_found",
        "not_found",
        "session spawn",
    )
    assert "(no live capture)" in answer["summary"]


def test_missing_pane_is_replaced_by_saved_screen(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.tmux.kill_server()
        files.write(pane.ref.output, "the kept screen\n")
        answer = machine.lisa("session", "packet", "--session", "lisa-talk", "--json").json
        assert answer["capture"]["source"] == "saved"
        assert answer["summary"].endswith("the kept screen")


def test_text_shows_state_then_summary(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("hello\n")
        answer = machine.lisa("session", "packet", "--session", "lisa-talk", "--summary-style", "terse")
        assert answer.out.startswith("state=in_progress status=active reason=")
        assert answer.out.split("\n")[1:] == ["hello", ""]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--delta-json"], "cursor_file_required_for_delta_json"),
        (["--fields", "a..b"], "invalid_fields"),
        (["--lines", "0"], "invalid_lines"),
        (["--events", "-1"], "invalid_events"),
        (["--token-budget", "0"], "invalid_token_budget"),
        (["--summary-style", "x"], "invalid_summary_style"),
        (["--agent", "bogus"], "invalid_agent_hint"),
        (["--mode", "bogus"], "invalid_mode_hint"),
    ],
)
def test_invalid_flags_are_refused(machine: LisaHost, words: list[str], code: str) -> None:
    assert packet(machine, *words, code=1)["errorCode"] == code


def test_fields_need_json(machine: LisaHost) -> None:
    answer = machine.lisa("session", "packet", "--session", "lisa-talk", "--fields", "session")
    assert (answer.code, answer.out) == (1, "")
    assert "--fields requires --json" in answer.err


def test_reading_writes_no_files(machine: LisaHost) -> None:
    with FakePane(machine):
        before = {path: path.stat().st_mtime_ns for path in machine.folder.rglob("*") if path.is_file()}
        packet(machine)
        packet(machine, "--summary-style", "debug")
        assert {path: path.stat().st_mtime_ns for path in machine.folder.rglob("*") if path.is_file()} == before


def test_selected_fields_keep_the_failure_exit_code(machine: LisaHost) -> None:
    answer = machine.lisa(
        *("session", "packet", "--session", "lisa-gone", "--fields", "session,nextAction", "--json"), check_schema=False
    )
    assert answer.code == 1
    assert (
        answer.json.items()
        >= {"session": "lisa-gone", "nextAction": "session spawn", "errorCode": "session_not_found"}.items()
    )


@pytest.mark.parametrize("command", ["handoff", "packet"])
def test_unreadable_log_with_cursor_is_an_error(machine: LisaHost, command: str) -> None:
    with FakePane(machine) as pane:
        Path(pane.ref.events).mkdir()
        cursor = machine.project / "c"
        words = ["session", command, "--session", pane.name, "--cursor-file", str(cursor), "--json"]
        answer = machine.lisa(*words)
        assert (answer.code, answer.json["errorCode"]) == (1, "handoff_delta_read_failed")
        assert not cursor.exists()
