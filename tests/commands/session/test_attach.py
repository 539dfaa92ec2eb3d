"""session attach: the conversation as it grows."""

from __future__ import annotations

import json
import re
import signal

import pytest

from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def test_exec_run_is_followed_to_its_end(stage: SessionHarness) -> None:
    stage.spawn("[say hello]", mode="exec")
    answer = stage.machine.lisa("session", "attach", "--session", stage.name)
    assert answer.code == 0, answer
    lines = [line.partition("] ")[2] or line for line in answer.out.splitlines()]
    assert lines[:2] == ["user:", "  [say hello]"]
    assert lines[2:4] == ["assistant:", "  hello"]
    assert lines[-1] == "session ended: completed (exit_code=0)"
    assert "\x1b" not in answer.out
    notices = answer.err.splitlines()
    assert notices[0] == f"Attached to session {stage.name} (interactive mode). Ctrl+C to detach."
    assert re.fullmatch(r"--- History \(\d+ messages\) ---", notices[1]) and notices[2:] == ["--- Live stream ---"]
    quiet = stage.machine.lisa("session", "attach", "--session", stage.name, "--no-history", "--read-only")
    assert quiet.err.splitlines() == [f"Attached to session {stage.name} (read-only mode). Ctrl+C to detach."]
    assert quiet.out.partition("] ")[2] == "session ended: completed (exit_code=0)\n"


def test_terminal_gets_colors_and_full_times(stage: SessionHarness) -> None:
    stage.spawn("[say hello]", mode="exec")
    code, shown = stage.machine.show("session", "attach", "--session", stage.name, "--verbose")
    assert code == 0 and "\x1b[2m--- Live stream ---\x1b[0m\n" in shown
    assert re.search(
        r"^\x1b\[36m\x1b\[1m\[\d{4}-\d\d-\d\dT[\d:.]+Z\] assistant:\x1b\[0m\n  hello$", shown, re.MULTILINE
    )
    assert "usage_delta" not in stage.machine.show("session", "attach", "--session", stage.name)[1]


def test_raw_prints_one_object_per_frame_and_the_end(stage: SessionHarness) -> None:
    stage.spawn("[say hello]", mode="exec")
    answer = stage.machine.lisa("session", "attach", "--session", stage.name, "--raw")
    lines = [json.loads(line) for line in answer.out.splitlines()]
    assert lines[-1]["type"] == "session_end" and [line["type"] for line in lines].count("session_end") == 1
    end = stage.lisa("attach", "--since", lines[-1]["cursor"]).out.splitlines()[-1]
    assert (json.loads(end)["ended"], json.loads(end)["sessionState"]) == (True, "completed")
    later = stage.machine.lisa("session", "attach", "--session", stage.name, "--raw", "--since", lines[0]["cursor"])
    known = [line for line in lines if line.get("type") in ("assistant", "result")]
    again = [json.loads(line) for line in later.out.splitlines()]
    assert [line for line in again if line.get("type") in ("assistant", "result")] == known


def test_ctrl_c_leaves_and_names_the_position(stage: SessionHarness) -> None:
    stage.spawn().send("[say hello]")
    stage.wait_for_text("● hello")
    running = stage.machine.start("session", "attach", "--session", stage.name, "--json")
    first = running.stdout.readline()
    assert json.loads(first)["type"] == "user"
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=30)
    end = json.loads(out.splitlines()[-1])
    assert running.returncode == 0 and end["ended"] is False and end["cursor"].startswith("t.")
    assert stage.status().session_state == "waiting_input"


def test_without_history_only_new_frames_are_printed(stage: SessionHarness) -> None:
    stage.spawn().send("[say old]")
    stage.wait_for_text("● old")
    stage.wait_for_state("idle")
    running = stage.machine.start("session", "attach", "--session", stage.name, "--raw", "--no-history")
    assert json.loads(running.stdout.readline())["type"] == "session_status"
    stage.send("[say new]")
    wait_until(lambda: "new" in running.stdout.readline(), what="the new reply")
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=30)
    assert "old" not in out


@pytest.mark.parametrize("command", ["attach", "history"])
def test_bad_cursor_and_unknown_session_are_refused(stage: SessionHarness, command: str) -> None:
    assert stage.lisa(command).json["errorCode"] == "session_not_found"
    stage.spawn()
    answer = stage.lisa(command, "--since", "nonsense")
    assert (answer.code, answer.json["errorCode"]) == (1, "invalid_cursor")
