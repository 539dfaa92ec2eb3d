"""session turn: send, monitor and packet in one call."""

from __future__ import annotations

import json

import pytest

from lisa_py.store import events
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

BUDGET = ("--token-budget", "2000")
CHOICES = [
    {"number": 1, "text": "Yes"},
    {"number": 2, "text": "Yes, and do not ask again"},
    {"number": 3, "text": "No"},
]


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def test_one_call_sends_waits_and_packs(stage: SessionHarness) -> None:
    answer = stage.spawn().lisa("turn", "--text", "[think 0.5] [say the answer is 7]", "--enter", *BUDGET)
    assert answer.code == 0, answer
    got = answer.json
    assert (got["ok"], got["session"]) == (True, stage.name)
    assert got["send"]["delivered"] is True
    assert (got["monitor"]["finalState"], got["monitor"]["exitReason"]) == ("waiting_input", "waiting_input")
    assert "the answer is 7" in got["packet"]["summary"]
    assert [got[f"{step}ExitCode"] for step in ("send", "monitor", "packet")] == [0, 0, 0]


def test_earlier_idle_state_does_not_end_the_turn(stage: SessionHarness) -> None:
    stage.spawn()
    for number in range(3):
        got = stage.lisa(
            "turn", "--text", f"[think 0.3] [say number {number}]", "--enter", "--lines", "8", *BUDGET
        ).json
        assert f"number {number}" in got["packet"]["summary"]


def test_json_min_has_the_outcome(stage: SessionHarness) -> None:
    got = stage.spawn().lisa("turn", "--text", "[say hi]", "--enter", "--json-min").json
    assert got == {
        "exitReason": "waiting_input",
        "finalState": "waiting_input",
        "nextAction": "session send",
        "ok": True,
        "projectRoot": str(stage.machine.project),
        "session": stage.name,
        "sessionState": "waiting_input",
        "status": "idle",
        "stderrPolicy": "diagnostic",
        "waitingFor": "prompt",
    }


def test_answer_is_always_json(stage: SessionHarness) -> None:
    stage.spawn()
    answer = stage.machine.lisa("session", "turn", "--session", stage.name, "--text", "[say hi]", "--enter")
    assert answer.json["ok"] is True


def test_one_call_answers_a_question_and_waits(stage: SessionHarness) -> None:
    stage.spawn()
    waiting = stage.lisa("turn", "--text", "[ask echo yes] [say it said {last}]", "--enter", "--json-min").json
    assert waiting["waitingFor"] == "permission"
    got = stage.lisa("turn", "--answer", "yes", *BUDGET).json
    assert got["send"]["answered"]["text"] == "Yes"
    assert "it said yes" in got["packet"]["summary"]


def test_draft_submitted_by_a_key_is_waited_for(stage: SessionHarness) -> None:
    stage.spawn()
    for number in range(3):
        assert stage.lisa("send", "--text", f"[think 0.3] [say draft {number}]").json["ok"] is True
        got = stage.lisa("turn", "--keys", "Enter", "--lines", "8", *BUDGET).json
        assert got["packet"]["summary"].splitlines()[-1] == f"draft {number}", got
        assert got["monitor"]["waitingFor"] == "prompt"


def test_key_without_effect_delays_the_turn_briefly(stage: SessionHarness) -> None:
    answer = stage.spawn().lisa("turn", "--keys", "Left", "--json-min", timeout=15)
    assert (answer.code, answer.json["finalState"]) == (0, "waiting_input")


def test_packet_has_only_requested_fields(stage: SessionHarness) -> None:
    got = stage.spawn().lisa("turn", "--text", "[say hi]", "--enter", "--fields", "nextAction,capture.lines").json
    assert got["packet"] == {"capture": {"lines": 120}, "nextAction": "session send"}


# -- when a step fails --------------------------------------------------------------------------------------------


def test_failed_send_ends_the_turn(stage: SessionHarness) -> None:
    answer = stage.lisa("turn", "--text", "hello", "--enter")
    got = answer.json
    assert answer.code == 1
    assert (got["failedStep"], got["errorCode"]) == ("send", "turn_send_failed")
    assert (got["sendExitCode"], got["monitorExitCode"], got["packetExitCode"]) == (1, 0, 0)
    assert got["send"]["errorCode"] == "session_not_found"
    assert "session not found" in got["error"]
    assert "monitor" not in got and "packet" not in got


def test_timeout_is_a_failure_of_the_monitor(stage: SessionHarness) -> None:
    words = ("turn", "--text", "[think 600]", "--enter", "--timeout-seconds", "1")
    answer = stage.spawn().lisa(*words, "--json-min")
    assert (answer.code, answer.json) == (
        2,
        {
            "error": "monitor_timeout",
            "errorCode": "turn_monitor_failed",
            "exitReason": "max_polls_exceeded",
            "failedStep": "monitor",
            "finalState": "timeout",
            "ok": False,
            "projectRoot": str(stage.machine.project),
            "session": stage.name,
            "stderrPolicy": "diagnostic",
            "stepErrorCode": "monitor_timeout",
        },
    )


@pytest.mark.parametrize("form", ["--json", "--json-min"])
def test_send_into_a_dialog_names_code_state_and_choices(stage: SessionHarness, form: str) -> None:
    stage.spawn("[ask rm -rf build]")
    stage.wait_for_state("waiting")
    answer = stage.lisa("turn", "--text", "go on", "--enter", form)
    assert answer.code == 1
    assert (
        answer.json.items()
        >= {
            "failedStep": "send",
            "errorCode": "turn_send_failed",
            "stepErrorCode": "agent_waiting_dialog",
            "finalState": "waiting_input",
            "waitingFor": "permission",
            "choices": CHOICES,
        }.items()
    )
    assert "rm -rf build" in answer.json["stateDetail"]


@pytest.mark.parametrize("form", ["--json", "--json-min"])
def test_turn_that_ends_in_a_dialog_has_its_choices(stage: SessionHarness, form: str) -> None:
    got = stage.spawn().lisa("turn", "--text", "[ask rm -rf build]", "--enter", form).json
    assert (got["finalState"], got["waitingFor"], got["choices"]) == ("waiting_input", "permission", CHOICES)
    assert "rm -rf build" in got["stateDetail"] and "stepErrorCode" not in got


def test_crash_during_the_turn_exits_with_2(stage: SessionHarness) -> None:
    answer = stage.spawn().lisa("turn", "--text", "[think 0.3] [crash 4]", "--enter")
    assert (answer.code, answer.json["failedStep"]) == (2, "monitor")
    assert answer.json["monitor"]["finalState"] == "crashed"


def test_keys_that_end_the_agent_are_a_terminal_end(stage: SessionHarness) -> None:
    stage.spawn()
    answer = stage.lisa("turn", "--keys", "C-d", "--expect", "terminal", "--json-min")
    assert (answer.code, answer.json["finalState"]) == (0, "completed")


def test_log_of_thousands_of_events_adds_no_delay(stage: SessionHarness) -> None:
    stage.spawn()
    for number in range(700):
        events.add(stage.ref, stage.ctx.settings, 1e9 + number, type="snapshot", reason="x" * 200)
    answer = stage.lisa("turn", "--text", "[say hi]", "--enter", "--events", "600", timeout=30)
    assert answer.code == 0
    assert len(answer.json["packet"]["handoff"]["events"]) == 600
    assert len(answer.out) > 65536


def test_ctrl_c_keeps_the_session(stage: SessionHarness) -> None:
    import signal

    stage.spawn()
    running = stage.machine.start("session", "turn", "--session", stage.name, "--text", "[think 600]", "--enter")
    stage.wait_for_state("thinking")
    wait_until(lambda: "send_text" in stage.event_reasons())
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=20)
    assert running.returncode == 130
    assert json.loads(out)["errorCode"] == "interrupted"
    assert stage.status().session_state == "in_progress"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "missing_send_payload"),
        (("--text", "a", "--keys", "b"), "send_payload_conflict"),
        (("--text", "a", "--poll-interval", "0"), "invalid_poll_interval"),
        (("--text", "a", "--max-polls", "x"), "invalid_max_polls"),
        (("--text", "a", "--timeout-seconds", "-1"), "invalid_timeout_seconds"),
        (("--text", "a", "--stop-on-waiting", "maybe"), "invalid_stop_on_waiting"),
        (("--text", "a", "--waiting-requires-turn-complete", "1"), "invalid_waiting_requires_turn_complete"),
        (("--text", "a", "--recover-max", "0"), "invalid_recover_max"),
        (("--text", "a", "--recover-budget", "0"), "invalid_recover_budget"),
        (("--text", "a", "--lines", "0"), "invalid_lines"),
        (("--text", "a", "--events", "0"), "invalid_events"),
        (("--text", "a", "--token-budget", "0"), "invalid_token_budget"),
        (("--text", "a", "--fields", "a..b"), "invalid_fields"),
        (("--text", "a", "--expect", "marker"), "expect_marker_requires_until_marker"),
    ],
)
def test_invalid_arguments_have_their_code(stage: SessionHarness, words: tuple[str, ...], code: str) -> None:
    answer = stage.lisa("turn", *words)
    assert (answer.code, answer.json["errorCode"]) == (1, code)
