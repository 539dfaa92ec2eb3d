"""session attach: the conversation as it grows, and what is typed at it."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pytest

from lisa_py.store import session_records
from tests.lisa_host import BackgroundCall, LisaHost
from tests.outer_terminal import OuterTerminal
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


# -- interactive ----------------------------------------------------------------------------------------------------


def attach(stage: SessionHarness, stdin: str, *flags: str) -> list[str]:
    """Type lines at an attached session and leave; return the lines on the error stream."""
    answer = stage.machine.lisa("session", "attach", "--session", stage.name, "--interactive", *flags, stdin=stdin)
    assert answer.code == 0, answer
    return answer.err.splitlines()


def start(stage: SessionHarness, *flags: str) -> BackgroundCall:
    running = stage.machine.start("session", "attach", "--session", stage.name, "-i", *flags, stdin=subprocess.PIPE)
    assert running.stderr is not None
    wait_until(lambda: "Live stream" in running.stderr.readline(), what="the live stream")  # type: ignore[union-attr]
    return running


def type_line(running: BackgroundCall, line: str) -> None:
    assert running.stdin is not None
    running.stdin.write(line + "\n")
    running.stdin.flush()


def read_until(running: BackgroundCall, text: str) -> None:
    assert running.stdout is not None
    seen = running.stdout.readline()
    while text not in seen:
        assert seen, f"the output ended without {text!r}"
        seen = running.stdout.readline()


def test_typed_lines_are_prompts(stage: SessionHarness) -> None:
    stage.spawn()
    assert attach(stage, "\n  [say one] \n/quit\nnever\n")[-1] == "--- Live stream ---"
    attach(stage, "[say two]")  # without a line end, and leaving at the end of the input
    attach(stage, "")
    assert stage.prompts() == ["[say one]", "[say two]"]


def test_dialog_reads_the_next_line_and_delays_prompts(stage: SessionHarness) -> None:
    stage.spawn()
    running = start(stage)
    type_line(running, "[choose Colour? | Red | Blue] [say chosen]")
    read_until(running, "  2. Blue")
    type_line(running, "2")
    type_line(running, "[say after]")
    read_until(running, "  after")
    assert "Blue" in json.dumps(stage.transcript())
    type_line(running, "/quit")
    assert running.wait(timeout=20) == 0
    assert stage.prompts()[1:] == ["[say after]"]


def test_waiting_prompts_are_listed_on_exit(stage: SessionHarness) -> None:
    stage.spawn().send("[ask touch x]")
    stage.wait_for_text("touch x")
    lines = "".join(f"[say {number}]\n" for number in range(22))
    answer = stage.machine.lisa("session", "attach", "--session", stage.name, "-i", "--raw", "--json", stdin=lines)
    assert answer.code == 0
    undelivered = answer.lines[-1]["undelivered"]
    assert sorted(undelivered) == sorted(f"[say {number}]" for number in range(22))
    assert len(stage.prompts()) == 1


def test_interrupt_ends_the_turn(stage: SessionHarness) -> None:
    stage.spawn()
    running = start(stage)
    assert session_records.is_attended(stage.ref)
    type_line(running, "[think 60]")
    stage.wait_for_state("thinking")
    type_line(running, "/interrupt")
    assert running.stderr is not None and running.stderr.readline() == "interrupt sent\n"
    stage.wait_for_state("interrupted")
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=20)
    assert running.returncode == 0
    assert not session_records.is_attended(stage.ref)


def test_end_of_the_session_ends_an_open_input(stage: SessionHarness) -> None:
    stage.spawn()
    running = start(stage)
    assert stage.lisa("kill").code == 0
    assert running.wait(timeout=20) == 0  # its standard input is still open


def test_terminal_edits_lines_below_live_output(stage: SessionHarness) -> None:
    stage.spawn()
    terminal = OuterTerminal(stage.machine, "session", "attach", "--session", stage.name, "-i")
    terminal.wait_for("Live stream")
    terminal.wait_for("\n>")
    terminal.type("[say typpd")
    stage.send("[say meanwhile]")
    terminal.wait_for("  meanwhile\n> [say typpd")
    terminal.press("BSpace", "BSpace")
    terminal.type("ed]")
    stage.send("[choose Colour? | Red | Blue]")
    terminal.wait_for("\nChoose:\n")  # the half-typed line is kept apart
    assert stage.lisa("send", "--answer", "1").code == 0  # from another terminal
    terminal.wait_for("] system[")
    terminal.wait_for("\n> [say typed]")
    terminal.press("Enter")
    shown = terminal.wait_for("  typed\n>")
    assert shown.count("[say typed]") == 2 and "\x1b[36m" in terminal.screen(styled=True)
    terminal.press("C-c")
    assert terminal.wait_for_end() == 0
    assert stage.status().session_state == "waiting_input"
