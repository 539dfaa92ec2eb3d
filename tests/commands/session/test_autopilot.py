"""session autopilot: spawn, monitor, capture, handoff and cleanup in one call."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.fleet import Fleet
from tests.lisa_host import CallResult, LisaHost
from tests.polling import wait_until

STEPS = ("spawn", "monitor", "capture", "handoff", "cleanup")
SCRIPTED = ("--agent", "scripted")


def _run_autopilot(machine: LisaHost, *words: str, code: int = 0, stdin: str | None = None) -> dict[str, Any]:
    answer = machine.lisa("session", "autopilot", *words, "--json", stdin=stdin)
    assert answer.code == code, answer
    return answer.json


def _done(got: dict[str, Any]) -> list[str]:
    return [name for name in STEPS if got[name]["ok"]]


def test_one_call_runs_all_steps(machine: LisaHost) -> None:
    got = _run_autopilot(machine, *SCRIPTED, "--session", "lisa-pilot", "--prompt", "[think 0.2] [say all is well]")
    assert (got["ok"], got["session"], got["goal"], got["mode"]) == (True, "lisa-pilot", "analysis", "interactive")
    assert _done(got) == ["spawn", "monitor", "capture", "handoff"]
    assert got["cleanup"] == {"ok": False, "skipped": True}
    assert got["monitor"]["output"]["finalState"] == "waiting_input"
    assert "all is well" in got["capture"]["output"]["capture"]
    assert got["handoff"]["output"]["nextAction"] == "session send"
    assert all(got[name]["elapsedSeconds"] >= 0 for name in STEPS[:4])


def test_json_min_has_outcome_and_output(machine: LisaHost) -> None:
    words = ("session", "autopilot", *SCRIPTED, "--session", "lisa-pilot", "--json-min")
    got = machine.lisa(*words, "--goal", "exec", "--prompt", "[say all is well]").json
    assert (got["ok"], got["session"], got["finalState"]) == (True, "lisa-pilot", "completed")
    assert "all is well" in got["capture"] and not {"spawn", "handoff", "prompt", "failedStep"} & got.keys()


def test_json_min_names_the_code_of_the_failed_step(machine: LisaHost) -> None:
    words = ("session", "autopilot", *SCRIPTED, "--session", "lisa-pilot", "--json-min")
    answer = machine.lisa(*words, "--prompt", "[ask rm -rf build]")
    got = answer.json
    assert (answer.code, got["ok"], got["failedStep"], got["stepErrorCode"]) == (2, False, "monitor", "agent_asks")
    assert [choice["number"] for choice in got["choices"]] == [1, 2, 3]


def test_exec_job_is_monitored_and_killed_on_request(machine: LisaHost, fleet: Fleet) -> None:
    words = ("--goal", "exec", "--prompt", "[say short and good]", "--summary", "--kill-after", "true")
    got = _run_autopilot(machine, *SCRIPTED, *words)
    assert _done(got) == list(STEPS)
    assert got["monitor"]["output"]["finalState"] == "completed"
    assert "short and good" in got["capture"]["output"]["summary"]
    assert "capture" not in got["capture"]["output"]
    assert fleet.names() == []


def test_failed_monitor_keeps_its_answer_captures_and_stops(machine: LisaHost, fleet: Fleet) -> None:
    words = ("--goal", "exec", "--prompt", "[say half of it] [wait 1] [exit 4]", "--kill-after", "true")
    got = _run_autopilot(machine, *SCRIPTED, *words, code=2)
    assert (got["errorCode"], got["failedStep"]) == ("autopilot_monitor_failed", "monitor")
    assert (got["monitor"]["errorCode"], got["monitor"]["exitCode"]) == ("monitor_crashed", 2)
    assert got["monitor"]["output"].items() >= {"finalState": "crashed", "exitCode": 4}.items()
    assert "half of it" in got["capture"]["output"]["capture"]
    assert (got["handoff"], got["cleanup"]) == ({"ok": False, "skipped": True}, {"ok": False, "skipped": True})
    assert fleet.names() == [got["session"]]  # it is kept to be looked at


def test_failed_spawn_keeps_its_code_and_text(machine: LisaHost) -> None:
    got = _run_autopilot(machine, *SCRIPTED, "--goal", "exec", "--prompt", "[say no such model] [exit 9]", code=1)
    assert (got["errorCode"], got["failedStep"]) == ("autopilot_spawn_failed", "spawn")
    assert (got["spawn"]["errorCode"], got["spawn"]["output"]["exitCode"]) == ("spawn_early_exit", 9)
    assert "no such model" in got["spawn"]["output"]["output"]
    assert _done(got) == []


def test_waiting_or_failed_agent_is_a_failure(machine: LisaHost) -> None:
    waiting = _run_autopilot(machine, *SCRIPTED, "--prompt", "[ask rm -rf build]", code=2)
    assert (waiting["monitor"]["errorCode"], waiting["monitor"]["output"]["waitingFor"]) == ("agent_asks", "permission")
    errs = _run_autopilot(machine, *SCRIPTED, "--prompt", "[error overloaded]", code=2)
    assert errs["monitor"]["errorCode"] == "agent_error"


def test_timed_out_run_resumes_at_the_failed_step(machine: LisaHost) -> None:
    words = ("--goal", "exec", "--prompt", "[wait 4] [say late]", "--timeout-seconds", "2", "--capture-lines", "50")
    first = machine.lisa("session", "autopilot", *SCRIPTED, *words, "--json")
    assert (first.code, first.json["monitor"]["errorCode"]) == (2, "monitor_timeout")
    assert first.json["elapsedSeconds"] < 5
    got = _run_autopilot(machine, "--resume-from", "-", "--timeout-seconds", "30", stdin=first.out)
    assert (got["ok"], got["resumeStep"], got["session"]) == (True, "monitor", first.json["session"])
    assert got["spawn"]["output"]["runId"] == first.json["spawn"]["output"]["runId"]
    assert got["spawn"]["resumed"] is True
    assert "late" in got["capture"]["output"]["capture"]
    for kept in ("agent", "prompt", "mode", "goal", "projectRoot", "captureLines"):
        assert got[kept] == first.json[kept], kept


def test_complete_run_is_not_repeated(machine: LisaHost) -> None:
    first = machine.lisa("session", "autopilot", *SCRIPTED, "--goal", "exec", "--prompt", "[say x]", "--json")
    path = machine.folder / "run.json"
    path.write_text(first.out)
    got = _run_autopilot(machine, "--resume-from", str(path))
    assert (got["ok"], got["resumeStep"], got["resumedFrom"]) == (True, "", str(path))
    text = machine.lisa("session", "autopilot", "--resume-from", str(path))
    assert text.out == f"session={got['session']} ok=true (resume no-op)\n"
    killed = _run_autopilot(machine, "--resume-from", str(path), "--kill-after", "true")
    assert (killed["resumeStep"], killed["cleanup"]["output"]["found"]) == ("cleanup", True)


def test_resumed_spawn_uses_the_first_options(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-taken")
    words = ("--session", "lisa-taken", "--goal", "exec", "--prompt", "[say mine]")
    first = machine.lisa("session", "autopilot", *SCRIPTED, *words, "--json")
    assert (first.code, first.json["spawn"]["errorCode"]) == (1, "session_already_exists")
    machine.lisa("session", "kill", "--session", "lisa-taken")
    got = _run_autopilot(machine, "--resume-from", "-", stdin=first.out)
    assert (got["resumeStep"], got["agent"], got["mode"], got["session"]) == ("spawn", "scripted", "exec", "lisa-taken")
    assert "mine" in got["capture"]["output"]["capture"]


def test_resume_first_runs_unfinished_earlier_steps(machine: LisaHost) -> None:
    run = _run_autopilot(machine, *SCRIPTED, "--goal", "exec", "--prompt", "[say x]")
    run |= {"ok": False, "failedStep": "capture", "errorCode": "autopilot_capture_failed"}
    run["monitor"] = {"ok": False, "exitCode": 2, "error": "old"}
    got = _run_autopilot(machine, "--resume-from", "-", stdin=json.dumps(run))
    assert (got["ok"], got["resumeStep"], got["monitor"]["ok"]) == (True, "monitor", True)
    assert "errorCode" not in got


def test_flags_override_the_lane_of_the_session(machine: LisaHost, fleet: Fleet) -> None:
    machine.lisa("session", "lane", "--name", "fix", "--goal", "exec", "--agent", "claude", "--prompt", "[say lane]",
                 "--budget", "77", "--contract", "handoff_v2_required")  # fmt: skip
    got = _run_autopilot(machine, *SCRIPTED, "--lane", "fix", "--session", "lisa-laned")
    assert (got["agent"], got["goal"], got["prompt"], got["tokenBudget"]) == ("scripted", "exec", "[say lane]", 77)
    assert got["spawn"]["output"]["lane"] == "fix"
    handoff = got["handoff"]["output"]
    assert (handoff["schema"], handoff["lane"]["name"]) == ("v2", "fix")


def test_progress_is_streamed_step_by_step(machine: LisaHost) -> None:
    answer = machine.lisa("session", "autopilot", *SCRIPTED, "--goal", "exec", "--prompt", "[say x]", "--stream-json")
    lines = answer.lines
    steps = [(line["step"], line["phase"]) for line in lines[:-1] if line["type"] == "step"]
    assert steps == [(name, phase) for name in STEPS[:4] for phase in ("started", "finished")]
    assert any(line["type"] == "poll" for line in lines[:-1])
    assert lines[-1]["ok"] is True


def test_ctrl_c_leaves_a_summary_that_can_be_resumed(machine: LisaHost, fleet: Fleet) -> None:
    words = ("--goal", "exec", "--session", "lisa-long", "--prompt", "[wait 3] [say end]", "--json")
    running = machine.start("session", "autopilot", *SCRIPTED, *words)
    wait_until(lambda: any(reason == "agent_thinking" for reason in fleet.reasons("lisa-long")))
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=30)
    got = json.loads(out)
    assert (running.returncode, got["failedStep"], got["monitor"]["errorCode"]) == (130, "monitor", "interrupted")
    assert _run_autopilot(machine, "--resume-from", "-", stdin=out)["ok"] is True


def test_text_has_session_and_result(machine: LisaHost) -> None:
    words = ("--goal", "exec", "--session", "lisa-t", "--prompt", "[wait 1] [exit 3]")
    answer = machine.lisa("session", "autopilot", *SCRIPTED, *words)
    assert (answer.code, answer.out) == (2, "session=lisa-t ok=false\n")
    assert "autopilot failed at monitor: the session is crashed" in answer.err
    again = machine.lisa("session", "autopilot", *SCRIPTED, *words)
    assert again.code == 1
    assert "autopilot spawn failed: session already exists" in again.err


STEP = '"spawn": {"ok": true}'


@pytest.mark.parametrize(
    ("words", "code", "stdin"),
    [
        (("--goal", "win"), "invalid_goal", None),
        (("--agent", "nobody"), "invalid_agent", None),
        (("--mode", "x"), "invalid_mode", None),
        (("--session", "x"), "invalid_session_name", None),
        (("--kill-after", "maybe"), "invalid_kill_after", None),
        (("--summary-style", "debug"), "summary_style_requires_summary", None),
        (("--capture-lines", "0"), "invalid_capture_lines", None),
        (("--agent", "claude", "--model", "x"), "invalid_model_configuration", None),
        (("--lane", "none"), "lane_not_found", None),
        (("--resume-from", "nowhere"), "invalid_resume_from", None),
        (("--resume-from", "-"), "invalid_resume_from", "[1]"),
        (("--resume-from", "-"), "invalid_resume_from", '{"ok": true}'),
        (("--resume-from", "-"), "invalid_resume_from", "{" + STEP + ', "mode": "sideways"}'),
        (("--resume-from", "-"), "invalid_resume_from", "{" + STEP + ', "goal": "win"}'),
        (("--resume-from", "-"), "invalid_resume_from", "{" + STEP + ', "session": "../x"}'),
        (("--resume-from", "-"), "invalid_resume_from", "{" + STEP + ', "maxPolls": "many"}'),
        (("--resume-from", "-"), "invalid_resume_from", "[" * 100_000),
        (("--resume-from", "-"), "autopilot_resume_missing_session", "{" + STEP + "}"),
    ],
)
def test_refused_arguments(machine: LisaHost, words: tuple[str, ...], code: str, stdin: str | None) -> None:
    answer: CallResult = machine.lisa("session", "autopilot", *words, "--json", stdin=stdin)
    assert (answer.code, answer.json["errorCode"]) == (1, code), answer
