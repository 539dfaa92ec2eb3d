"""session anomaly."""

from __future__ import annotations

import pytest

from lisa_py.store import events
from tests.lisa_host import CallResult, LisaHost
from tests.polling import wait_until

NAME = "lisa-odd-1"


def _spawn(machine: LisaHost, command: str) -> None:
    answer = machine.lisa("session", "spawn", "--session", NAME, "--mode", "exec", "--command", command, "--json")
    assert answer.json.get("session") == NAME, answer


def _anomaly(machine: LisaHost, *words: str, env: dict[str, str] | None = None) -> CallResult:
    return machine.lisa("session", "anomaly", "--session", NAME, *words, "--json", env=env)


def test_busy_healthy_session_has_no_anomaly(machine: LisaHost) -> None:
    _spawn(machine, "while :; do echo working; sleep 0.1; done")
    for _ in range(3):
        machine.lisa("session", "status", "--session", NAME)
        machine.lisa("session", "monitor", "--session", NAME, "--poll-interval", "1", "--timeout-seconds", "1")
    ctx = machine.context()
    ref = ctx.ref(NAME)
    long_ago = ctx.clock.now() - 900
    for number in range(8):  # an orchestrator that has looked in vain for a quarter of an hour
        events.add(
            ref, ctx.settings, long_ago + 100 * number, type="lifecycle", state="in_progress", reason="monitor_x"
        )
    answer = _anomaly(machine)
    assert (answer.code, answer.json["anomalies"], answer.json["ok"]) == (0, [], True)
    assert answer.json["nextAction"] == "session monitor"
    assert machine.lisa("session", "anomaly", "--session", NAME).out == "ok\n"


def test_reading_adds_no_events(machine: LisaHost) -> None:
    _spawn(machine, "sleep 60")
    log = machine.context().ref(NAME).events
    with open(log, "rb") as file:
        before = file.read()
    _anomaly(machine)
    with open(log, "rb") as file:
        assert file.read() == before


def test_repeated_events_without_activity_are_a_loop(machine: LisaHost) -> None:
    _spawn(machine, "sleep 60")
    ctx = machine.context()
    ref = ctx.ref(NAME)
    long_ago = ctx.clock.now() - 900
    for number in range(7):
        fields = {"type": "lifecycle", "state": "in_progress", "reason": "monitor_auto_recover"}
        events.add(ref, ctx.settings, long_ago + 100 * number, **fields)
    answer = _anomaly(machine)
    if answer.json["agentState"] in ("tool", "thinking", "streaming", "starting"):
        pytest.fail(f"a silent command is called {answer.json['agentState']}")
    assert [item["code"] for item in answer.json["anomalies"]] == ["reason_loop"]
    assert answer.code == 1


def test_crashed_session_is_reported_with_remedies(machine: LisaHost) -> None:
    _spawn(machine, "sleep 0.5; exit 3")
    wait_until(lambda: machine.lisa("session", "status", "--session", NAME, "--json").json["sessionState"] == "crashed")
    answer = _anomaly(machine, "--auto-remediate")
    assert (answer.code, answer.json["status"], answer.json["nextAction"]) == (1, "crashed", "session explain")
    assert [(item["code"], item["severity"]) for item in answer.json["anomalies"]] == [("terminal_crashed", "high")]
    plan = answer.json["autoRemediate"]
    assert plan["enabled"] is True
    assert plan["steps"][-1]["command"].endswith("--command 'sleep 0.5; exit 3' --json")
    lines = machine.lisa("session", "anomaly", "--session", NAME, "--auto-remediate").out.splitlines()
    assert lines[0].startswith("terminal_crashed,high,1,")
    assert lines[1] == "auto_remediate:"
    assert lines[2] == f"- lisa session status --session '{NAME}' --project-root '{machine.project}' --json-min"


def test_a_missing_session_is_an_anomaly_with_a_code(machine: LisaHost) -> None:
    answer = _anomaly(machine)
    assert (answer.code, answer.json["errorCode"], answer.json["nextAction"]) == (
        1,
        "session_not_found",
        "session spawn",
    )
    assert [item["code"] for item in answer.json["anomalies"]] == ["session_not_found"]
    assert "autoRemediate" not in answer.json


def test_tmux_failure_is_not_an_anomaly(machine: LisaHost) -> None:
    _spawn(machine, "sleep 60")
    answer = _anomaly(machine, env={"PATH": str(machine.bin)})
    assert (answer.code, answer.json["errorCode"]) == (1, "status_compute_failed")


@pytest.mark.parametrize(
    ("words", "code"),
    [((), "missing_required_flag"), (("--session", NAME, "--events", "0"), "invalid_events")],
)
def test_refused_arguments(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "anomaly", *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)
