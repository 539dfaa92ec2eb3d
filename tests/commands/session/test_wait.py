"""session wait: a whole fleet in one process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from typing import Any

import pytest

from lisa_py.store import session_records
from tests.fleet import Fleet
from tests.lisa_host import PROGRAM, LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


def _stages(machine: LisaHost, count: int) -> list[SessionHarness]:
    return [SessionHarness(machine, f"lisa-w{number}").spawn() for number in range(1, count + 1)]


def _wait(machine: LisaHost, *words: str, code: int = 0) -> dict[str, Any]:
    answer = machine.lisa("session", "wait", *words, "--json")
    assert answer.code == code, answer
    return answer.json


def _names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["session"] for row in rows]


def _waiting(machine: LisaHost, *words: str) -> Any:
    """Start a wait that streams its changes."""
    return machine.start("session", "wait", *words, "--stream-json", "--timeout-seconds", "30")


def test_sessions_that_need_attention_end_the_wait(machine: LisaHost, fleet: Fleet) -> None:
    _stages(machine, 2)
    fleet.spawn("lisa-busy")
    got = _wait(machine)
    assert (got["ok"], got["condition"], got["count"]) == (True, "any", 3)
    assert _names(got["sessions"]) == ["lisa-w1", "lisa-w2"]
    assert got["sessions"][0].items() >= {"sessionState": "waiting_input", "waitingFor": "prompt"}.items()
    assert _names(got["pending"]) == ["lisa-busy"]


def test_more_sessions_than_file_handles_are_waited_for(machine: LisaHost, fleet: Fleet) -> None:
    """With 70 handles, 64 of them spare, no process gets one: the end of a session is still reported at once."""
    for number in range(8):
        fleet.spawn(
            f"lisa-{number}", "until [ -e go ]; do sleep 0.05; done; exit 7" if not number else "exec sleep 600"
        )
    argv = ["/bin/sh", "-c", 'ulimit -n 70; exec "$@"', "sh", *PROGRAM, "session", "wait", "--stream-json"]
    waiting = subprocess.Popen(argv, cwd=machine.project, env=machine.env, stdout=-1, stderr=-1, text=True)
    try:
        wait_until(lambda: _watches(waiting.pid))
        (machine.project / "go").touch()
        out, err = waiting.communicate(timeout=30)
    finally:
        waiting.kill()
    answer = json.loads(out.splitlines()[-1])
    assert (waiting.returncode, err, answer["count"]) == (0, "", 8)
    assert [(row["session"], row["exitCode"]) for row in answer["sessions"]] == [("lisa-0", 7)]
    assert time.time() - os.stat(fleet.ref("lisa-0").done).st_mtime < 5


def _watches(pid: int) -> bool:
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):  # a handle was closed meanwhile
        return any("inotify" in os.readlink(f"{folder}/{name}") for name in os.listdir(folder))
    return False


def test_all_waits_for_every_session(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-a", "exit 0")
    fleet.spawn("lisa-b", "until [ -e go ]; do sleep 0.05; done; exit 7")
    waiting = _waiting(machine, "--all")
    (machine.project / "go").touch()
    out, _ = waiting.communicate(timeout=30)
    got = json.loads(out.splitlines()[-1])
    assert waiting.returncode == 0, out
    ends = {row["session"]: (row["sessionState"], row["exitCode"]) for row in got["sessions"]}
    assert ends == {"lisa-a": ("completed", 0), "lisa-b": ("crashed", 7)}
    assert _names(got["sessions"]) == ["lisa-b", "lisa-a"]  # the most urgent first
    assert got["pending"] == []


def test_timeout_lists_pending_sessions(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-a", "exit 0")
    fleet.spawn("lisa-b")
    began = time.monotonic()
    got = _wait(machine, "--all", "--timeout-seconds", "1", code=2)
    assert 1 <= time.monotonic() - began < 20
    assert (got["ok"], got["errorCode"]) == (False, "wait_timeout")
    assert (_names(got["sessions"]), _names(got["pending"])) == (["lisa-a"], ["lisa-b"])


def test_only_requested_states_end_the_wait(machine: LisaHost, fleet: Fleet) -> None:
    _stages(machine, 1)
    fleet.spawn("lisa-b", "sleep 0.5")
    got = _wait(machine, "--until-state", "completed,crashed", "--timeout-seconds", "20")
    assert (_names(got["sessions"]), got["untilStates"]) == (["lisa-b"], ["completed", "crashed"])


def test_changed_ignores_earlier_changes(machine: LisaHost) -> None:
    first, _ = _stages(machine, 2)
    assert _wait(machine, "--changed", "--timeout-seconds", "1", code=2)["sessions"] == []
    waiting = _waiting(machine, "--changed")
    wait_until(lambda: _looks(waiting.pid))
    first.send("[think 0.3] [say done]")
    out, _ = waiting.communicate(timeout=30)
    lines = [json.loads(line) for line in out.splitlines()]
    assert _names(lines[-1]["sessions"]) == ["lisa-w1"]
    assert [line["session"]["sessionState"] for line in lines[:-1]][-1] == "waiting_input"


def _looks(pid: int) -> bool:
    """Return True if the process has its watches and sleeps."""
    with open(f"/proc/{pid}/wchan") as file:
        return "poll" in file.read()


def test_cursor_file_keeps_changes_between_two_calls(machine: LisaHost) -> None:
    cursor = str(machine.folder / "fleet.cursor")
    first, _ = _stages(machine, 2)
    words = ("--cursor-file", cursor, "--timeout-seconds", "1")
    assert _names(_wait(machine, *words)["sessions"]) == ["lisa-w1", "lisa-w2"]
    assert _wait(machine, *words, code=2)["sessions"] == []
    first.send("[say quick]")
    wait_until(lambda: first.status().session_state == "waiting_input")
    assert _names(_wait(machine, *words)["sessions"]) == ["lisa-w1"]
    assert _wait(machine, *words, code=2)["sessions"] == []


def test_session_killed_during_the_wait_is_not_found(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-a")
    waiting = _waiting(machine, "--sessions", "lisa-a")
    wait_until(lambda: _looks(waiting.pid))
    machine.lisa("session", "kill", "--session", "lisa-a")
    out, _ = waiting.communicate(timeout=30)
    assert json.loads(out.splitlines()[-1])["sessions"][0]["sessionState"] in ("not_found", "crashed")


def test_parent_does_not_wait_for_itself(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-parent")
    fleet.spawn("lisa-child", "exit 0")
    answer = machine.lisa("session", "wait", "--all", "--json", env={"LISA_SESSION_NAME": "lisa-parent"})
    assert (answer.code, _names(answer.json["sessions"])) == (0, ["lisa-child"])


def test_json_min_and_text_name_sessions_and_states(machine: LisaHost) -> None:
    _stages(machine, 1)
    small = machine.lisa("session", "wait", "--json-min").json
    assert small["sessions"] == [
        {"session": "lisa-w1", "sessionState": "waiting_input", "waitingFor": "prompt", "nextAction": "session send"}
    ]
    assert machine.lisa("session", "wait").out == "lisa-w1,waiting_input,prompt\n"


def test_rows_have_detail_and_choices_of_a_dialog(machine: LisaHost) -> None:
    SessionHarness(machine, "lisa-w1").spawn("[ask rm -rf build]")
    cursor = str(machine.folder / "cursor")
    words = ("session", "wait", "--any", "--cursor-file", cursor)
    row = machine.lisa(*words, "--json").json["sessions"][0]
    texts = ["Yes", "Yes, and do not ask again", "No"]
    assert [choice["text"] for choice in row["choices"]] == texts and "rm -rf build" in row["stateDetail"]
    SessionHarness(machine, "lisa-w2").spawn()
    small = machine.lisa(*words, "--json-min").json
    assert small["pending"] == ["lisa-w1"]
    assert [choice["text"] for choice in small["pendingRequests"][0]["choices"]] == texts
    assert "choices" not in small["sessions"][0]


def test_ctrl_c_keeps_the_sessions(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-a")
    waiting = _waiting(machine)
    wait_until(lambda: _looks(waiting.pid))
    waiting.send_signal(signal.SIGINT)
    out, _ = waiting.communicate(timeout=30)
    assert (waiting.returncode, json.loads(out)["errorCode"]) == (130, "interrupted")
    assert fleet.names() == ["lisa-a"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "no_sessions"),
        (("--any", "--all"), "wait_condition_conflict"),
        (("--until-state", "happy"), "invalid_until_state"),
        (("--until-state", ","), "invalid_until_state"),
        (("--sessions", ","), "invalid_sessions"),
        (("--sessions", "lisa-missing"), "session_not_found"),
        (("--sessions", "x"), "invalid_session_name"),
        (("--timeout-seconds", "0"), "invalid_timeout_seconds"),
    ],
)
def test_invalid_flags_are_refused(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "wait", *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)


def test_agent_with_a_killed_pane_is_reported(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-a")
    meta = session_records.read_meta(fleet.ref("lisa-a"))
    assert meta is not None
    waiting = _waiting(machine)
    wait_until(lambda: _looks(waiting.pid))
    os.kill(meta.pane_pid, signal.SIGKILL)
    out, _ = waiting.communicate(timeout=30)
    got = json.loads(out.splitlines()[-1])
    assert (got["ok"], got["sessions"][0]["sessionState"]) == (True, "crashed")
