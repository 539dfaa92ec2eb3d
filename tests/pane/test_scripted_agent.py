"""pane/scripted: the bundled agent behaves as real agent CLIs do, on a terminal and as an exec run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lisa_py.agents.scripted import PROGRAM
from lisa_py.host.tmux import Tmux
from tests.lisa_host import LisaHost, find_server_pid
from tests.polling import wait_until

ARGV = (sys.executable, "-I", "-S", PROGRAM)


class ScriptedAgentHarness:
    """The agent in a pane of its own."""

    def __init__(self, machine: LisaHost, *words: str) -> None:
        self.home = machine.home / ".scripted"
        self.folder = machine.folder
        context = machine.context()
        self.tmux: Tmux = context.tmux(context.project())
        self._hooks = machine.folder / "hooks.txt"
        hook = machine.add_program("note-hook", f'#!/bin/sh\nprintf "%s %s\\n" "$1" "$(cat)" >>{self._hooks}\n')
        argv = [*ARGV, "--hook", str(hook), *words]
        self.pane = self.tmux.new_session("lisa-agent", argv, root=str(machine.project), width=100, height=30).pane_id
        wait_until(lambda: self._states())

    def _states(self) -> list[Path]:
        return list((self.home / "sessions").glob("*.json"))

    def state(self) -> dict[str, Any]:
        found = self._states()
        return json.loads(found[0].read_text()) if found else {}

    def wait_for_state(self, state: str, **more: object) -> dict[str, Any]:
        expected = {"state": state, **more}
        return wait_until(lambda: (now := self.state()) and now.items() >= expected.items() and now, what=str(expected))

    def submit(self, text: str) -> None:
        assert self.tmux.paste(self.pane, text.encode()) == "ok"
        self.press("Enter")

    def run_turn(self, text: str) -> None:
        """Submit and wait for the end of the turn."""
        before = len(self.records("turn_end"))
        self.submit(text)
        wait_until(lambda: len(self.records("turn_end")) > before)

    def press(self, *keys: str) -> None:
        assert self.tmux.send_keys(self.pane, keys)

    def screen(self) -> str:
        return self.tmux.capture([self.pane]).get(self.pane, "")

    def wait_for_text(self, text: str) -> str:
        return wait_until(lambda: text in (screen := self.screen()) and screen, what=text)

    def records(self, kind: str = "") -> list[dict[str, Any]]:
        path = Path(self.state()["transcript"])
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [line for line in lines if not kind or line["type"] == kind]

    def hooks(self) -> list[str]:
        lines = self._hooks.read_text().splitlines() if self._hooks.exists() else []
        return [line.split(" ", 1)[0] for line in lines]

    def wait_until_ended(self) -> str:
        wait_until(lambda: (pane := self.tmux.find_pane("lisa-agent")) and pane.dead)
        return wait_until(self._end)

    def _end(self) -> str:
        os.kill(find_server_pid(self.tmux), signal.SIGCHLD)  # tmux 3.3a may have missed the signal
        pane = self.tmux.list_panes("lisa-agent")[0]
        return pane.dead_status or pane.dead_signal


@pytest.fixture
def stage(machine: LisaHost) -> Iterator[ScriptedAgentHarness]:
    yield ScriptedAgentHarness(machine)


def test_a_pasted_prompt_of_many_lines_is_one_prompt(stage: ScriptedAgentHarness) -> None:
    stage.submit("first\nsecond\n\nlast ü 漢")
    stage.wait_for_text("● The prompt has 22 characters: first")
    assert [record["text"] for record in stage.records("user")] == ["first\nsecond\n\nlast ü 漢"]
    wait_until(lambda: stage.hooks() == ["SessionStart", "UserPromptSubmit", "Stop"])
    stage.wait_for_state("idle")


def test_megabyte_arrives_whole(stage: ScriptedAgentHarness) -> None:
    text = "".join(f"{number} ünd so weiter\n" for number in range(52_000))
    assert len(text.encode()) > 1_000_000
    stage.submit(text + "end")
    stage.wait_for_text(f"● The prompt has {len(text) + 3} characters")
    assert stage.records("user")[0]["text"] == text + "end"


def test_state_is_in_file_title_and_screen(stage: ScriptedAgentHarness) -> None:
    gate = stage.folder / "gate"
    stage.submit(f"[think {gate}] [stream 0 some words] [wait {gate}2] [run sleep 100]")
    stage.wait_for_state("thinking")
    assert "esc to interrupt" in stage.screen()
    gate.touch()
    stage.wait_for_state("streaming")
    Path(f"{gate}2").touch()
    stage.wait_for_state("tool", detail="sleep 100")
    assert wait_until(lambda: (pane := stage.tmux.find_pane("lisa-agent")) and pane.title) == "scripted: tool"
    stage.press("Escape")
    stage.wait_for_state("interrupted")
    assert [record["reason"] for record in stage.records("turn_end")] == ["interrupted"]


def test_permission_dialog_keys(stage: ScriptedAgentHarness) -> None:
    stage.submit("[ask echo one] [say got {last}]")
    stage.wait_for_state("waiting", waitingFor="permission")
    stage.press("Enter")
    stage.wait_for_text("● got one")
    stage.submit("[ask echo two] [say got {last}]")
    stage.wait_for_state("waiting", waitingFor="permission")
    stage.press("Down", "Down", "Enter")
    wait_until(lambda: len(stage.records("turn_end")) == 2)
    assert [record["text"] for record in stage.records("tool_result")] == ["one\n", "denied by the user"]
    stage.submit("[ask echo three]")
    stage.wait_for_state("waiting")
    stage.press("2")
    stage.wait_for_state("idle")
    stage.submit("[ask echo three] [ask echo four]")
    stage.wait_for_state("waiting", detail="echo four")
    stage.press("Escape")
    stage.wait_for_state("interrupted")
    assert "PermissionRequest" in stage.hooks()


def test_questions_and_dialogs_can_be_answered(stage: ScriptedAgentHarness) -> None:
    stage.submit("[choose Which colour? | red | blue] [dialog trust Trust this? | Yes | No]")
    stage.wait_for_state("waiting", waitingFor="question")
    stage.press("2")
    stage.wait_for_state("waiting", waitingFor="trust")
    stage.press("Enter")
    stage.wait_for_state("idle")
    assert "You chose: blue" in stage.screen()


def test_input_while_busy_is_queued(stage: ScriptedAgentHarness) -> None:
    gate = stage.folder / "gate"
    stage.submit(f"[wait {gate}] [say first]")
    stage.wait_for_state("thinking")
    stage.submit("[say second]")
    stage.wait_for_state("thinking", queued=1)
    gate.touch()
    stage.wait_for_text("● second")
    stage.wait_for_state("idle", queued=0)
    assert [(record["text"], record["queued"]) for record in stage.records("user")][1] == ("[say second]", True)


def test_errors_end_the_turn_and_retries_do_not(stage: ScriptedAgentHarness) -> None:
    stage.submit("[retry overloaded 2 0.05] [error rate_limit slow down]")
    stage.wait_for_state("error", error="rate_limit", detail="slow down")
    assert "retrying (2/2)" in stage.screen()
    wait_until(lambda: stage.hooks()[-1] == "StopFailure")
    stage.submit("[limit try again at 5]")
    stage.wait_for_state("error", error="usage_limit")


def test_todos_usage_and_lines(stage: ScriptedAgentHarness) -> None:
    stage.run_turn("[todos x plan | > build | test] [lines 40 row]")
    todos = [record["todos"] for record in stage.records("tool_use")]
    assert [todo["status"] for todo in todos[0]] == ["completed", "in_progress", "pending"]
    assert stage.records("assistant")[0]["text"].endswith("row 40")
    assert stage.records("usage")[0]["output_tokens"] > 1


def test_clear_begins_a_conversation_and_exit_ends(stage: ScriptedAgentHarness) -> None:
    before = stage.state()["sessionId"]
    stage.run_turn("hello")
    stage.submit("/clear")
    wait_until(lambda: stage.state()["sessionId"] != before)
    stage.submit("/exit")
    assert stage.wait_until_ended() == "0"
    assert stage.state() == {}
    assert stage.hooks()[-1] == "SessionEnd"


def test_ctrl_c_clears_the_box_and_twice_exits(stage: ScriptedAgentHarness) -> None:
    stage.tmux.paste(stage.pane, b"half a prompt")
    stage.wait_for_text("❯ half a prompt")
    stage.press("C-c")
    wait_until(lambda: "half a prompt" not in stage.screen())
    stage.press("C-c")
    stage.wait_for_text("press C-c again")
    stage.press("C-c")
    assert stage.wait_until_ended() == "0"


@pytest.mark.parametrize(("directive", "end"), [("[crash 3]", "3"), ("[crash KILL]", "9"), ("[crash SEGV]", "11")])
def test_crash_keeps_the_last_state(stage: ScriptedAgentHarness, directive: str, end: str) -> None:
    stage.submit(directive)
    assert stage.wait_until_ended() == end
    assert stage.state()["state"] == "thinking"


def test_term_ends_it_cleanly_unless_ignored(machine: LisaHost, stage: ScriptedAgentHarness) -> None:
    stage.submit("[ignore TERM] [hang 600]")
    state = stage.wait_for_state("thinking")
    wait_until(lambda: "TERM" in ignored(state["pid"]))
    subprocess.run(["kill", "-TERM", str(state["pid"])], check=True)
    stage.press("Escape")
    assert stage.state()["state"] == "thinking"
    subprocess.run(["kill", "-HUP", str(state["pid"])], check=True)
    assert stage.wait_until_ended() == "129"
    assert stage.state() == {}


def ignored(pid: int) -> list[str]:
    mask = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigIgn"))
    bits = int(mask.split()[1], 16)
    return [number.name.removeprefix("SIG") for number in signal.Signals if bits >> (number - 1) & 1]


def test_dialog_at_the_start_precedes_the_prompt(machine: LisaHost) -> None:
    stage = ScriptedAgentHarness(machine, "--dialog", "trust", "hello there")
    stage.wait_for_state("waiting", waitingFor="trust")
    stage.press("1")
    stage.wait_for_text("● The prompt has 11 characters: hello there")


def test_alternate_screen_is_restored(machine: LisaHost) -> None:
    stage = ScriptedAgentHarness(machine, "--alt-screen")
    wait_until(lambda: (pane := stage.tmux.find_pane("lisa-agent")) and pane.alternate)
    stage.submit("/exit")
    assert stage.wait_until_ended() == "0"
    assert not (stage.tmux.list_panes("lisa-agent")[0]).alternate


def run(machine: LisaHost, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ARGV, "exec", *words], env=machine.env, cwd=machine.project, input=stdin, text=True, capture_output=True,
        check=False, timeout=20,
    )  # fmt: skip


def test_exec_prints_the_answer_and_exits_with_its_result(machine: LisaHost) -> None:
    good = run(machine, "--yes", "[ask echo hi] [say the tool said {last}]")
    assert (good.returncode, good.stdout) == (0, "the tool said hi\n")
    assert "Run: echo hi" in good.stderr
    bad = run(machine, "[error auth]")
    assert (bad.returncode, bad.stdout) == (1, "")
    assert run(machine, "[exit 7]").returncode == 7


def test_exec_denies_permission_and_reads_long_stdin(machine: LisaHost) -> None:
    denied = run(machine, "--stdin", stdin="[ask touch made] [say tried]")
    assert (denied.returncode, denied.stdout) == (0, "tried\n")
    assert not (machine.project / "made").exists()
    long = run(machine, "--stdin", stdin="x" * 300_000)
    assert long.stdout.startswith("The prompt has 300000 characters")
