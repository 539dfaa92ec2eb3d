"""session loop: monitor, what is new, handoff and next step, round by round."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.fleet import Fleet
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

QUICK = ("--poll-interval", "1", "--max-polls", "20")


def _loop(stage: SessionHarness, *words: str, code: int = 0) -> dict[str, Any]:
    answer = stage.lisa("loop", *words)
    assert answer.code == code, answer
    return answer.json


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def test_round_has_the_answers_of_its_four_steps(stage: SessionHarness) -> None:
    stage.spawn("[say hello loop]")
    got = _loop(stage)
    assert (got["ok"], got["completedSteps"], got["exitReason"]) == (True, 1, "steps_done")
    (cycle,) = got["steps"]
    assert cycle["monitor"]["finalState"] == "waiting_input"
    assert cycle["diffPack"]["changed"] is True and cycle["diffPack"]["semanticOnly"] is True
    assert any("hello loop" in line for line in cycle["diffPack"]["addedLines"])
    assert (cycle["handoff"]["schema"], cycle["handoff"]["deltaFrom"]) == ("v2", 0)
    assert cycle["next"]["nextAction"] == "session send"
    assert cycle["next"]["recommendedCommand"].startswith("lisa session send")


def test_second_loop_continues_after_the_first(stage: SessionHarness) -> None:
    stage.spawn("[say first]")
    first = _loop(stage)["steps"][0]
    again = _loop(stage)["steps"][0]
    assert "first" not in str(again["diffPack"]["addedLines"])
    assert again["handoff"]["deltaFrom"] == first["handoff"]["nextDeltaOffset"]
    stage.lisa("turn", "--text", "[say second]", "--enter")
    assert "second" in str(_loop(stage)["steps"][0]["diffPack"]["addedLines"])


def test_idle_session_is_not_read_repeatedly(stage: SessionHarness) -> None:
    stage.spawn("[say x]")
    got = _loop(stage, "--steps", "5", "--poll-interval", "1", "--max-polls", "1")
    assert (got["ok"], got["exitReason"], got["completedSteps"]) == (True, "waiting_input", 1)


def test_next_round_begins_with_the_next_input(stage: SessionHarness) -> None:
    stage.spawn("[say x]")
    looping = stage.machine.start("session", "loop", "--session", stage.name, "--steps", "2", *QUICK, "--json")
    wait_until(lambda: _is_waiting(looping.pid))
    began = time.monotonic()
    stage.send("[think 0.3] [say done now]")
    out, _ = looping.communicate(timeout=30)
    got = json.loads(out)
    assert (got["ok"], got["completedSteps"]) == (True, 2), out
    assert time.monotonic() - began < 10
    assert "done now" in str(got["steps"][1]["diffPack"]["addedLines"])
    assert got["steps"][1]["waitedSeconds"] > 0


def _is_waiting(pid: int) -> bool:
    """Waiting on many, which a monitor does not."""
    with open(f"/proc/{pid}/wchan") as file:
        return "epoll" in file.read()


def test_a_loop_ends_with_its_session(stage: SessionHarness) -> None:
    stage.spawn("[say x]", mode="exec")
    got = _loop(stage, "--steps", "9", *QUICK)
    assert (got["ok"], got["exitReason"], got["completedSteps"]) == (True, "completed", 1)


def test_steps_within_the_limit_succeed(stage: SessionHarness) -> None:
    stage.spawn("[say x]")
    got = _loop(stage, "--steps", "1", "--max-steps", "1", "--max-tokens", "100000", "--max-seconds", "60")
    assert (got["ok"], got["observed"]["steps"]) == (True, 1)
    assert "violations" not in got


def test_reached_limit_ends_the_loop_before_a_round(stage: SessionHarness) -> None:
    stage.spawn("[say x]")
    for limit, metric in (("--max-steps", "steps"), ("--max-tokens", "tokens")):
        got = _loop(stage, "--steps", "3", limit, "1", code=1)
        assert (got["errorCode"], got["failedStep"], got["completedSteps"]) == ("budget_limit_exceeded", "budget", 1)
        assert [item["metric"] for item in got["violations"]] == [metric]
    more = _loop(stage, "--steps", "1", "--max-tokens", "1", code=1)
    assert more["violations"][0]["observed"] > 1


def test_seconds_are_a_deadline(stage: SessionHarness) -> None:
    stage.spawn("[hang]", ready=False)
    began = time.monotonic()
    got = _loop(stage, "--steps", "3", "--max-seconds", "1", code=1)
    assert time.monotonic() - began < 5
    assert (got["errorCode"], got["failedStep"], got["violations"][0]["metric"]) == (
        "budget_limit_exceeded", "budget", "seconds",
    )  # fmt: skip


def test_tokens_count_the_answer_not_the_budget(stage: SessionHarness) -> None:
    stage.spawn("[say x]")
    got = _loop(stage, "--token-budget", "9000")
    size = len(json.dumps(got["steps"][0], separators=(",", ":")))
    assert abs(got["observed"]["tokens"] - size / 4) < size / 20
    assert got["estimatedMetrics"] == ["tokens"]
    small = _loop(stage, "--token-budget", "9000", "--json-min")
    assert small["observed"]["tokens"] < got["observed"]["tokens"] / 5


def test_observed_usage_is_accepted_by_budget_observe(stage: SessionHarness) -> None:
    stage.spawn("[say x]")
    run = stage.lisa("loop").out
    seen = stage.machine.lisa("session", "budget-observe", "--from", "-", "--json", stdin=run).json
    assert seen["observed"]["tokens"] == json.loads(run)["observed"]["tokens"]
    assert seen["estimatedMetrics"] == ["tokens"]


def test_error_of_the_failed_step_is_kept(stage: SessionHarness) -> None:
    stage.spawn("[say almost] [wait 1] [exit 6]", mode="exec")
    got = _loop(stage, *QUICK, code=1)
    assert (got["errorCode"], got["failedStep"]) == ("loop_monitor_failed", "monitor")
    cause = got["cause"]
    assert (cause["errorCode"], cause["exitReason"], cause["exitCode"]) == ("monitor_crashed", "crashed", 2)
    assert cause["output"]["exitCode"] == 6
    assert got["error"] == "the session is crashed (crashed)"
    text = stage.machine.lisa("session", "loop", "--session", stage.name)
    assert (text.code, text.err) == (1, "loop failed at monitor: the session is crashed (crashed)\n")


@pytest.mark.parametrize("schema", ["1", "v3", "v4", "4"])
def test_every_handoff_schema_is_accepted(stage: SessionHarness, schema: str) -> None:
    stage.spawn("[say x]")
    got = _loop(stage, "--schema", schema)
    assert got["steps"][0]["handoff"]["schema"] == f"v{schema.removeprefix('v')}"


def test_json_min_has_the_fields_of_a_loop(stage: SessionHarness) -> None:
    stage.spawn("[say x]")
    got = _loop(stage, "--json-min")
    cycle = got["steps"][0]
    assert cycle.pop("elapsedSeconds") >= 0
    assert cycle.pop("deltaCount") > 0
    assert cycle == {
        "index": 1, "monitorState": "waiting_input", "waitingFor": "prompt", "nextAction": "session send",
        "changed": True,
    }  # fmt: skip


def test_missing_session_leaves_no_loop_files(machine: LisaHost, fleet: Fleet) -> None:
    stage = SessionHarness(machine, "lisa-nobody")
    got = _loop(stage, code=1)
    assert (got["errorCode"], got["cause"]["errorCode"]) == ("loop_monitor_failed", "monitor_not_found")
    assert fleet.files("lisa-nobody") == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--steps", "0"), "invalid_steps"),
        (("--max-tokens", "-1"), "invalid_max_tokens"),
        (("--schema", "v5"), "invalid_schema"),
        (("--strategy", "x"), "invalid_strategy"),
        (("--handoff-cursor-file", "bad"), "invalid_cursor_file"),
        (("--cursor-file", "bad.json"), "invalid_cursor_file"),
    ],
)
def test_refused_arguments(stage: SessionHarness, words: tuple[str, ...], code: str) -> None:
    (stage.machine.project / "bad").write_text("no number")
    (stage.machine.project / "bad.json").write_text("{}")
    assert _loop(stage, *words, code=1)["errorCode"] == code
