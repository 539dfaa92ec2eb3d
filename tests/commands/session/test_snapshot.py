"""session snapshot: status and pane in one call."""

from __future__ import annotations

import pytest

from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def test_snapshot_has_state_and_pane(stage: SessionHarness) -> None:
    stage.spawn("[todos x one | > two] [say the answer]").wait_for_text("● the answer")
    answer = stage.lisa("snapshot")
    assert answer.code == 0
    got = answer.json
    assert (got["sessionState"], got["status"], got["waitingFor"]) == ("waiting_input", "idle", "prompt")
    assert (got["todosDone"], got["todosTotal"]) == (1, 2)
    assert "● the answer" in got["capture"]
    assert got["nextOffset"] > 0


def test_next_snapshot_shows_only_new_output(stage: SessionHarness) -> None:
    stage.run("echo first answer; while read -r line; do echo got $line; done").wait_for_text("first answer")
    first = stage.lisa("snapshot", "--json-min").json
    assert "waitEstimate" not in first
    stage.send("second")
    stage.wait_for_text("got second")
    second = stage.lisa("snapshot", "--delta-from", str(first["nextOffset"])).json
    assert "got second" in second["capture"]
    assert "first answer" not in second["capture"]
    assert (second["deltaMode"], second["deltaFrom"]) == ("offset", str(first["nextOffset"]))


def test_markers_replace_the_pane(stage: SessionHarness) -> None:
    stage.spawn("[say MARK_A and again MARK_A]").wait_for_text("● MARK_A")
    got = stage.lisa("snapshot", "--markers", "MARK_A,MARK_B").json
    assert got["markerMatches"] == {"MARK_A": True, "MARK_B": False}
    assert (got["foundMarkers"], got["missingMarkers"]) == (["MARK_A"], ["MARK_B"])
    assert "capture" not in got
    text = stage.machine.lisa("session", "snapshot", "--session", stage.name, "--markers", "MARK_A,MARK_B")
    assert text.out == "MARK_A=true\nMARK_B=false\n"


def test_missing_session_fails_only_with_the_flag(stage: SessionHarness) -> None:
    answer = stage.lisa("snapshot")
    expected = {
        "capture": "", "error": f"{stage.name}: no session of this name exists", "errorCode": "session_not_found",
        "nextOffset": 0, "ok": False, "session": stage.name,
        "sessionState": "not_found", "status": "not_found", "stderrPolicy": "diagnostic", "todosDone": 0,
        "todosTotal": 0, "waitEstimate": 0, "waitingFor": "",
    }  # fmt: skip
    assert (answer.code, answer.json) == (0, expected)
    answer = stage.lisa("snapshot", "--fail-not-found")
    assert (answer.code, answer.json) == (1, expected)


def test_unavailable_tmux_is_an_error_with_a_code(stage: SessionHarness) -> None:
    stage.spawn()
    answer = stage.lisa("snapshot", env={"PATH": str(stage.machine.bin)})
    assert (answer.code, answer.json["errorCode"], answer.json["sessionState"]) == (1, "tmux_missing", "degraded")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--lines", "0"), "invalid_lines"),
        (("--markers", "a,,b"), "invalid_markers"),
        (("--delta-from", "later"), "invalid_delta_from"),
        (("--agent", "unknown-agent"), "invalid_agent_hint"),
        (("--mode", "sideways"), "invalid_mode_hint"),
    ],
)
def test_invalid_values_are_refused_with_a_code(stage: SessionHarness, words: tuple[str, ...], code: str) -> None:
    stage.spawn()
    assert stage.lisa("snapshot", *words).json["errorCode"] == code
