"""session status."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.lisa_host import PROGRAM, LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

MIN_KEYS = {
    "session",
    "status",
    "sessionState",
    "todosDone",
    "todosTotal",
    "waitEstimate",
    "waitingFor",
    "stderrPolicy",
}


@pytest.fixture
def ended(machine: LisaHost) -> SessionHarness:
    """A session whose command has completed."""
    stage = SessionHarness(machine, "lisa-done").run("echo bye")
    stage.wait_until_dead()
    return stage


def test_missing_session_is_a_failure_only_on_request(machine: LisaHost) -> None:
    answer = machine.lisa("session", "status", "--session", "lisa-x")
    assert (answer.code, answer.out) == (0, "not_found,0,0,,0,not_found\n")
    failed = machine.lisa("session", "status", "--session", "lisa-x", "--fail-not-found")
    assert (failed.code, failed.out) == (1, "not_found,0,0,,0,not_found\n")


def test_json_min_has_the_code_only_for_a_failure(machine: LisaHost) -> None:
    failed = machine.lisa("session", "status", "--session", "lisa-x", "--json-min", "--fail-not-found")
    assert failed.code == 1
    assert failed.json == {
        "error": "lisa-x: no session of this name exists",
        "errorCode": "session_not_found",
        "ok": False,
        "session": "lisa-x",
        "sessionState": "not_found",
        "status": "not_found",
        "stderrPolicy": "diagnostic",
        "todosDone": 0,
        "todosTotal": 0,
        "waitEstimate": 0,
        "waitingFor": "",
    }
    fine = machine.lisa("session", "status", "--session", "lisa-x", "--json-min")
    assert (fine.code, "errorCode" in fine.json) == (0, False)


def test_scenario_34_status_of_an_unknown_name_leaves_no_file(machine: LisaHost) -> None:
    for form in ("--json", "--json-min", "--full"):
        machine.lisa("session", "status", "--session", "lisa-x", form)
        machine.lisa("session", "explain", "--session", "lisa-x")
    assert not [path for path in (machine.folder / "state").rglob("*") if "lisa-x" in path.name]


def test_completed_session_has_status_and_state(ended: SessionHarness) -> None:
    assert ended.machine.lisa("session", "status", "--session", ended.name).out == "completed,0,0,,0,completed\n"
    assert set(ended.lisa("status", "--json-min").json) == MIN_KEYS


def test_full_line_has_its_columns_and_keeps_the_last_screen(ended: SessionHarness) -> None:
    line = ended.machine.lisa("session", "status", "--session", ended.name, "--full").out.strip().split(",")
    assert line[:2] == ["status_full_v1", "completed"]
    assert line[6:10] == ["completed", "done_file", "exited:0", "0"]
    assert len(line) == 22
    assert "bye" in Path(line[4]).read_text()
    assert os.stat(line[4]).st_mode & 0o777 == 0o600


def test_without_full_nothing_is_written(ended: SessionHarness) -> None:
    before = sorted(path.name for path in Path(ended.ref.folder).iterdir())
    ended.lisa("status")
    assert sorted(path.name for path in Path(ended.ref.folder).iterdir()) == before


def test_json_names_source_and_evidence(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[todos x plan|> build|ship] [ask deploy?]")
    answer = wait_until(lambda: (now := stage.lisa("status").json)["waitingFor"] == "permission" and now)
    assert (answer["sessionState"], answer["status"], answer["stateSource"]) == ("waiting_input", "idle", "agent_file")
    assert (answer["todosDone"], answer["todosTotal"]) == (1, 3)
    assert answer["agentSessionId"] and answer["transcriptPath"]
    assert {report["source"] for report in answer["signals"]["reports"]} >= {"agent_file", "hook", "transcript"}
    assert {"waitingFor", "source", "state", "at"} <= set(answer["signals"]["reports"][0])


def test_active_task_is_the_current_task(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[todos x plan|> build it, all of it|ship] [hang]")
    line = wait_until(
        lambda: "build" in (out := machine.lisa("session", "status", "--session", stage.name).out) and out
    )
    assert line.startswith('active,1,3,"build it, all of it",')
    assert line.endswith(",in_progress\n")


def test_scenario_16_missing_tmux_is_degraded_with_reason(ended: SessionHarness) -> None:
    working = SessionHarness(ended.machine, "lisa-works").run("sleep 600")
    answer = working.lisa("status", env={"PATH": str(ended.machine.bin)})
    assert answer.json["sessionState"] == "degraded"
    assert answer.json["errorCode"] == "tmux_missing"
    assert ended.machine.lisa("session", "exists", "--session", working.name).out == "true\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--agent", "gemini"), "invalid_agent_hint"),
        (("--mode", "batch"), "invalid_mode_hint"),
        (("--session", "lisa-a.b"), "invalid_session_name"),
        (("--session",), "missing_flag_value"),
        (("--bogus",), "unknown_flag"),
    ],
)
def test_invalid_values_are_refused_with_their_code(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "status", "--session", "lisa-x", *words, "--json")
    assert (answer.code, answer.json["errorCode"], answer.json["ok"]) == (1, code, False)


def test_session_on_another_socket_is_found_by_its_records(machine: LisaHost) -> None:
    stage = SessionHarness(machine).run("sleep 600")
    elsewhere = machine.folder / "other"
    elsewhere.mkdir()
    answer = stage.lisa("status", env={"LISA_TMUX_SOCKET_DIR": str(elsewhere)})
    assert answer.json["sessionState"] == "in_progress"


def test_the_terminal_gets_a_program_status_record(machine: LisaHost) -> None:
    words = [*PROGRAM, "session", "status", "--session", "lisa-x", "--osc7501", "--json"]
    refused = subprocess.run(words, cwd=machine.project, env=machine.env, start_new_session=True, capture_output=True)
    assert json.loads(refused.stdout)["errorCode"] == "no_terminal"
    ours, theirs = pty.openpty()
    with_terminal = ["setsid", "--ctty", "--wait", *words]
    done = subprocess.run(
        with_terminal, cwd=machine.project, env={**machine.env, "TMUX": ""}, stdin=theirs, capture_output=True
    )
    os.close(theirs)
    assert json.loads(done.stdout)["programStatus"] == "unknown"
    assert os.read(ours, 4096) == b"\x1b]7501;state=clear\x1b\\"
    os.close(ours)


def test_the_end_of_a_usage_limit_is_an_instant(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[limit usage limit reached, try again in 2 hours]")
    wait_until(lambda: stage.status().waiting_for == "limit", what="the limit")
    limit = stage.lisa("status").json["limit"]
    end = datetime.strptime(limit["resetsAt"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    assert 7100 < end - time.time() <= 7200
    assert limit["text"] == "usage limit reached, try again in 2 hours"
