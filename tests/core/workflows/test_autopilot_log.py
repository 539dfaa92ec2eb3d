"""Autopilot runs: their logs, resuming by id after the process was killed, and the list of runs."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

from lisa_py.store import autopilot_runs, session_records
from lisa_py.store.autopilot_runs import RunRef
from tests.fleet import Fleet
from tests.lisa_host import CallResult, LisaHost
from tests.polling import wait_until

AUTOPILOT = ("session", "autopilot")
SCRIPTED = ("--agent", "scripted")
GATED = (*SCRIPTED, "--goal", "exec", "--prompt", "[wait go] [say at last]")
"""The agent continues once the project has a file of that name."""


def _run_autopilot(machine: LisaHost, *words: str, code: int = 0, stdin: str | None = None) -> dict[str, Any]:
    answer = machine.lisa(*AUTOPILOT, *words, "--json", stdin=stdin)
    assert answer.code == code, answer
    return answer.json


def _assert_refused(machine: LisaHost, *words: str, code: str) -> CallResult:
    answer = machine.lisa(*AUTOPILOT, *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code), answer
    return answer


def _runs(machine: LisaHost) -> list[RunRef]:
    return autopilot_runs.list_runs(machine.context().project())


def _read_log(run: RunRef) -> dict[str, Any]:
    found = json.loads(autopilot_runs.read(run) or b"{}")
    assert isinstance(found, dict)
    return found


def _wait_for_step(machine: LisaHost, step: str, *, session: str) -> RunRef:
    """Return the run of a session once its log lists a step as done."""

    def found() -> RunRef | None:
        every = [(run, _read_log(run)) for run in _runs(machine)]
        return next((run for run, log in every if log.get("session") == session and log[step]["ok"]), None)

    run = wait_until(found, what=f"{step} of {session} is in a log")
    assert run is not None
    return run


def _open(machine: LisaHost) -> None:
    (machine.project / "go").touch()


def _kill_in_monitor_step(machine: LisaHost, fleet: Fleet, session: str, *words: str) -> RunRef:
    """Kill the process of a run in its monitor step; the agent keeps working."""
    running = machine.start(*AUTOPILOT, *GATED, *words, "--session", session, "--json")
    run = _wait_for_step(machine, "spawn", session=session)
    # the monitor has read the status; its reason depends on how far the agent was
    wait_until(lambda: session_records.read_state(fleet.ref(session)).last_session_state == "in_progress")
    _kill(running)
    return run


def _kill(running: subprocess.Popen[str]) -> None:
    running.send_signal(signal.SIGKILL)
    out, _ = running.communicate(timeout=30)
    assert (running.returncode, out) == (-signal.SIGKILL, "")


# -- resuming --------------------------------------------------------------------------------------------------------


def test_run_killed_in_monitor_step_resumes_by_id(machine: LisaHost, fleet: Fleet) -> None:
    run = _kill_in_monitor_step(machine, fleet, "lisa-cut", "--capture-lines", "50", "--kill-after", "true")
    log = _read_log(run)
    assert (log["ok"], log["monitor"], "failedStep" in log) == (False, {"ok": False, "skipped": True}, False)
    _open(machine)
    got = _run_autopilot(machine, "--resume-from", run.id)
    assert (got["ok"], got["resumeStep"], got["resumedFrom"]) == (True, "monitor", run.id)
    assert (got["autopilotId"], got["session"], got["captureLines"]) == (run.id, "lisa-cut", 50)
    assert got["spawn"]["output"]["runId"] == log["spawn"]["output"]["runId"]
    assert "at last" in got["capture"]["output"]["capture"]
    assert (got["cleanup"]["ok"], fleet.names()) == (True, [])


def test_resumed_run_killed_again_resumes_again(machine: LisaHost, fleet: Fleet) -> None:
    run = _kill_in_monitor_step(machine, fleet, "lisa-twice")
    again = machine.start(*AUTOPILOT, "--resume-from", run.id, "--json")
    wait_until(lambda: autopilot_runs.is_running(run) and "resumedFrom" in _read_log(run))
    _kill(again)
    _open(machine)
    got = _run_autopilot(machine, "--resume-from", run.id)
    assert (got["ok"], got["resumeStep"], got["autopilotId"]) == (True, "monitor", run.id)
    assert [each.id for each in _runs(machine)] == [run.id]


def test_last_is_the_newest_run_of_the_project(machine: LisaHost, fleet: Fleet) -> None:
    _assert_refused(machine, "--resume-from", "last", code="invalid_resume_from")
    _run_autopilot(machine, *SCRIPTED, "--goal", "exec", "--prompt", "[say first]", "--session", "lisa-first")
    newest = _kill_in_monitor_step(machine, fleet, "lisa-newest")
    elsewhere = machine.folder / "other"
    elsewhere.mkdir()
    _run_autopilot(machine, *SCRIPTED, "--goal", "exec", "--prompt", "[say x]", "--project-root", str(elsewhere))
    _open(machine)
    got = _run_autopilot(machine, "--resume-from", "last")
    assert (got["ok"], got["resumedFrom"], got["session"]) == (True, newest.id, "lisa-newest")
    assert _run_autopilot(machine, "--resume-from", "last")["resumeStep"] == ""


def test_id_is_found_from_any_folder_without_project_root(machine: LisaHost, fleet: Fleet) -> None:
    run = _kill_in_monitor_step(machine, fleet, "lisa-far")
    elsewhere = machine.folder / "other"
    elsewhere.mkdir()
    _assert_refused(machine, "--resume-from", run.id, "--project-root", str(elsewhere), code="invalid_resume_from")
    _open(machine)
    answer = machine.lisa(*AUTOPILOT, "--resume-from", run.id, "--json", cwd=elsewhere)
    assert (answer.code, answer.json["projectRoot"]) == (0, str(machine.project)), answer
    assert _read_log(run)["ok"] is True


def test_run_killed_in_spawn_step_starts_no_second_agent(machine: LisaHost, fleet: Fleet) -> None:
    """The log has the name before the spawn, also a generated one."""
    running = machine.start(*AUTOPILOT, *GATED, "--json")
    run = wait_until(lambda: next((run for run in _runs(machine) if _read_log(run).get("session")), None))
    running.send_signal(signal.SIGSTOP)
    name = _read_log(run)["session"]
    _kill(running)
    assert name.startswith("lisa-proj-")
    _open(machine)
    answer = machine.lisa(*AUTOPILOT, "--resume-from", run.id, "--json")
    if answer.code:
        assert answer.json["spawn"]["errorCode"] == "session_already_exists", answer
    assert answer.json["session"] == name
    assert fleet.names() == [name]


def test_run_resumes_from_summary_file_with_same_id(machine: LisaHost) -> None:
    first = _run_autopilot(machine, *GATED, "--timeout-seconds", "1", code=2)
    assert (first["failedStep"], first["monitor"]["errorCode"]) == ("monitor", "monitor_timeout")
    _open(machine)
    got = _run_autopilot(machine, "--resume-from", "-", "--timeout-seconds", "30", stdin=json.dumps(first))
    assert (got["ok"], got["autopilotId"], got["resumedFrom"]) == (True, first["autopilotId"], "-")
    older = {key: value for key, value in first.items() if key != "autopilotId"}
    (machine.project / "last").write_text(json.dumps(older))
    from_file = _run_autopilot(machine, "--resume-from", "last", "--timeout-seconds", "30")
    assert (from_file["resumedFrom"], from_file["session"]) == ("last", first["session"])
    assert from_file["autopilotId"] != first["autopilotId"]
    got["autopilotId"] = "../../x"
    answer = machine.lisa(*AUTOPILOT, "--resume-from", "-", "--json", stdin=json.dumps(got))
    assert answer.json["errorCode"] == "invalid_resume_from"


# -- the log --------------------------------------------------------------------------------------------------------


def test_log_equals_summary(machine: LisaHost) -> None:
    secret = {"ANTHROPIC_API_KEY": "sk-ant-api03-of-the-environment"}
    words = ("--goal", "exec", "--prompt", "[say x]", "--kill-after", "true")
    answer = machine.lisa(*AUTOPILOT, *SCRIPTED, *words, "--json", env=secret)
    (run,) = _runs(machine)
    got = answer.json
    del got["stderrPolicy"]
    assert _read_log(run) == got
    assert run.id == got["autopilotId"] != got["spawn"]["output"]["runId"]
    log = Path(run.log)
    assert (log.stat().st_mode & 0o777, log.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "sk-ant" not in log.read_text()
    assert not Path(run.lock).exists()


def test_log_of_failed_run_names_failed_step(machine: LisaHost) -> None:
    got = _run_autopilot(machine, *SCRIPTED, "--goal", "exec", "--prompt", "[wait 1] [exit 4]", code=2)
    (run,) = _runs(machine)
    log = _read_log(run)
    assert (log["failedStep"], log["errorCode"], log["ok"]) == ("monitor", "autopilot_monitor_failed", False)
    assert log["capture"] == got["capture"]
    text = machine.lisa(*AUTOPILOT, *SCRIPTED, "--goal", "exec", "--prompt", "[wait 1] [exit 4]")
    assert f"--resume-from '{_runs(machine)[0].id}'" in text.err


def test_corrupt_log_is_set_aside_and_previous_run_is_last(machine: LisaHost) -> None:
    first = _run_autopilot(machine, *SCRIPTED, "--goal", "exec", "--prompt", "[say x]")
    for broken in ('{"ok": fal', "[1]", '{"spawn": {"ok": true}, "mode": "sideways"}'):
        second = _run_autopilot(machine, *SCRIPTED, "--goal", "exec", "--prompt", "[say y]")
        run = _runs(machine)[0]
        assert run.id == second["autopilotId"]
        Path(run.log).write_text(broken)
        answer = _assert_refused(machine, "--resume-from", "last", code="invalid_resume_from")
        (aside,) = Path(run.log).parent.glob(run.id + ".json.corrupt-*")
        assert aside.read_text() == broken
        assert str(aside) in answer.json["error"]
        _assert_refused(machine, "--resume-from", run.id, code="invalid_resume_from")
    assert _run_autopilot(machine, "--resume-from", "last")["autopilotId"] == first["autopilotId"]


def test_concurrent_runs_keep_separate_logs(machine: LisaHost) -> None:
    names = ("lisa-one", "lisa-two")
    running = [machine.start(*AUTOPILOT, *GATED, "--session", name, "--json") for name in names]
    found = {name: _wait_for_step(machine, "spawn", session=name) for name in names}
    _open(machine)
    answers = [json.loads(each.communicate(timeout=60)[0]) for each in running]
    assert [each["ok"] for each in answers] == [True, True]
    for name, answer in zip(names, answers, strict=True):
        assert answer["autopilotId"] == found[name].id
        assert _read_log(found[name])["session"] == answer["session"] == name
        assert _read_log(found[name])["handoff"] == answer["handoff"]


def test_run_is_executed_by_one_process_at_a_time(machine: LisaHost) -> None:
    running = machine.start(*AUTOPILOT, *GATED, "--session", "lisa-busy", "--json")
    run = _wait_for_step(machine, "spawn", session="lisa-busy")
    for word in (run.id, "last"):
        busy = _assert_refused(machine, "--resume-from", word, code="autopilot_run_busy")
        assert busy.json["autopilotId"] == run.id
    copy = machine.lisa(*AUTOPILOT, "--resume-from", "-", "--json", stdin=json.dumps(_read_log(run)))
    assert copy.json["errorCode"] == "autopilot_run_busy"
    assert _listed(machine) == [(run.id, "under_way", "lisa-busy")]
    _open(machine)
    assert json.loads(running.communicate(timeout=60)[0])["ok"] is True


def test_one_of_several_concurrent_resumes_succeeds(machine: LisaHost, fleet: Fleet) -> None:
    run = _kill_in_monitor_step(machine, fleet, "lisa-race")
    every = [machine.start(*AUTOPILOT, "--resume-from", run.id, "--json") for _ in range(4)]
    wait_until(lambda: sum(each.poll() is not None for each in every) == 3, what="three are refused")
    _open(machine)
    answers = [json.loads(each.communicate(timeout=60)[0]) for each in every]
    assert sorted(answer.get("errorCode", "") for answer in answers) == ["", *["autopilot_run_busy"] * 3]


def test_unwritable_log_does_not_stop_the_run(machine: LisaHost) -> None:
    folder = Path(machine.context().project().folder)
    folder.mkdir(parents=True, mode=0o700)
    (folder / "runs").write_text("no folder")
    answer = machine.lisa(*AUTOPILOT, *SCRIPTED, "--goal", "exec", "--prompt", "[say x]", "--json")
    assert (answer.code, answer.json["ok"]) == (0, True), answer
    assert answer.err.count("observability warning") == 1


def test_prompt_that_is_not_text_is_assert_refused(machine: LisaHost) -> None:
    got = _run_autopilot(machine, *SCRIPTED, "--goal", "exec", "--prompt", "bad\udcff", code=1)
    assert (got["failedStep"], got["spawn"]["errorCode"]) == ("spawn", "invalid_prompt")
    assert _read_log(_runs(machine)[0])["prompt"] == got["prompt"] == "bad\ufffd"


# -- the list -------------------------------------------------------------------------------------------------------


def _listed(machine: LisaHost) -> list[tuple[str, str, str]]:
    got = _run_autopilot(machine, "--list-runs")
    assert got["count"] == len(got["runs"])
    return [(run["autopilotId"], run["state"], run.get("session", "")) for run in got["runs"]]


def test_list_shows_progress_of_each_run(machine: LisaHost, fleet: Fleet) -> None:
    assert machine.lisa(*AUTOPILOT, "--list-runs").out == "no runs\n"
    assert not (machine.folder / "state").exists()
    _run_autopilot(machine, *SCRIPTED, "--goal", "exec", "--prompt", "[say x]", "--session", "lisa-a")
    _run_autopilot(machine, *SCRIPTED, "--goal", "exec", "--prompt", "[wait 1] [exit 4]", "--session", "lisa-b", code=2)
    _kill_in_monitor_step(machine, fleet, "lisa-c")
    _run_autopilot(machine, *SCRIPTED, "--goal", "exec", "--prompt", "[say x]", "--session", "lisa-d")
    Path(_runs(machine)[0].log).write_text("{")
    found = _listed(machine)
    assert [(state, session) for _, state, session in found] == [
        ("unreadable", ""),
        ("cut_off", "lisa-c"),
        ("failed", "lisa-b"),
        ("complete", "lisa-a"),
    ]
    rows = machine.lisa(*AUTOPILOT, "--list-runs").out.splitlines()
    assert [row.split(",")[:2] for row in rows] == [[ident, state] for ident, state, _ in found]


def test_streamed_steps_name_the_run_from_the_first_line(machine: LisaHost) -> None:
    answer = machine.lisa(*AUTOPILOT, *SCRIPTED, "--goal", "exec", "--prompt", "[say x]", "--stream-json")
    ids = {line["autopilotId"] for line in answer.lines if line.get("type") != "poll"}
    assert ids == {_runs(machine)[0].id}
    assert answer.lines[0]["autopilotId"]
