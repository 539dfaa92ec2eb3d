"""agents/scripted: the example of an agent file, question by question."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import msgspec
import pytest

from lisa_py.agents.base import Binding, View
from lisa_py.agents.launch import AgentLaunch, Facts
from lisa_py.agents.scripted import AGENT, PROGRAM
from lisa_py.contract.errors import LisaError
from lisa_py.contract.frames import Frame
from lisa_py.contract.records import SessionMeta
from lisa_py.host.processes import Process

PYTHON = [sys.executable, "-I", "-S", PROGRAM]


def launch(mode: str = "interactive", **more: object) -> AgentLaunch:
    return AgentLaunch(mode=mode, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (launch(), []),
        (launch(prompt="-x"), ["--", "-x"]),
        (launch(prompt="it's\nso", agent_args=" --alt-screen "), ["--alt-screen", "--", "it's\nso"]),
        (launch("exec", prompt="hi"), ["exec", "--yes", "--", "hi"]),
        (launch("exec", prompt="hi", skip_permissions=False), ["exec", "--", "hi"]),
    ],
)
def test_command_line_equals_the_launch(given: AgentLaunch, words: list[str]) -> None:
    # bash reads $'..'; shlex does not, so only plain prompts are read back
    line = AGENT.build_command(given)
    if "$'" not in line:
        assert shlex.split(line) == PYTHON + words
    assert "it\\'s\\nso" in line or given.prompt != "it's\nso"


def test_exec_needs_a_prompt() -> None:
    with pytest.raises(LisaError) as problem:
        AGENT.build_command(launch("exec"))
    assert problem.value.code == "agent_command_build_failed"


def test_launch_plan_adds_identity_and_hooks() -> None:
    plan = AGENT.plan_launch(launch(prompt="hi", hook="/p/hook.sh", folder="/a folder"), Facts())
    words = shlex.split(plan.script)
    assert words[words.index("--session-id") + 1] == plan.agent_session_id
    assert shlex.split(words[words.index("--hook") + 1]) == ["/bin/sh", "/p/hook.sh", "/a folder"]
    assert (plan.hooks, plan.send_prompt, plan.stdin) == (True, False, None)
    assert "--session-id" not in plan.command


def test_long_prompt_is_not_an_argument() -> None:
    long = "x" * 200_000
    typed = AGENT.plan_launch(launch(prompt=long), Facts())
    piped = AGENT.plan_launch(launch("exec", prompt=long), Facts())
    assert (typed.send_prompt, typed.stdin, long in typed.script) == (True, None, False)
    assert (piped.send_prompt, piped.stdin, "--stdin" in piped.script) == (False, long, True)


# -- watching -----------------------------------------------------------------------------------------------------


def process(pid: int = 7, started: float = 100.0, state: str = "S") -> Process:
    return Process(pid, 1, started, "python3", state, 0.0, (*PYTHON, "--hook", "x"))


def view(home: Path, **more: object) -> View:
    meta = SessionMeta(session="lisa-x", agent_home=str(home), agent_session_id="spawned")
    return View(meta=meta, **{"processes": (process(),), **more})  # type: ignore[arg-type]


def write_state(home: Path, pid: int = 7, **fields: object) -> None:
    (home / "sessions").mkdir(parents=True, exist_ok=True)
    state = {"pid": pid, "procStart": 100, "sessionId": "now", "transcript": "/t/now.jsonl", "state": "idle", **fields}
    (home / "sessions" / f"{pid}.json").write_text(json.dumps(state))


def test_agent_process_is_identified_by_its_program() -> None:
    assert AGENT.is_agent(process())
    assert not AGENT.is_agent(msgspec.structs.replace(process(), argv=("/bin/sh", "-c", f"cat {PROGRAM}")))


def test_own_state_file_binds_session_after_clear(tmp_path: Path) -> None:
    write_state(tmp_path, sessionId="after-clear")
    found = AGENT.bind(view(tmp_path))
    assert (found.session_id, found.transcript, found.pid, found.source) == (
        "after-clear",
        "/t/now.jsonl",
        7,
        "agent_file",
    )


def test_state_file_of_reused_process_id_is_ignored(tmp_path: Path) -> None:
    write_state(tmp_path, procStart=99)
    found = AGENT.bind(view(tmp_path))
    assert (found.session_id, found.source) == ("spawned", "spawn")
    assert AGENT.collect_reports(view(tmp_path), found) == []


def test_truncated_state_file_is_ignored(tmp_path: Path) -> None:
    write_state(tmp_path)
    (tmp_path / "sessions" / "7.json").write_text('{"pid": 7, "sta')
    assert AGENT.bind(view(tmp_path)).source == "spawn"


def test_ended_agent_is_bound_by_its_last_hook(tmp_path: Path) -> None:
    hook = {"hook": "Stop", "at": 1.0, "session_id": "last", "transcript_path": "/t/last.jsonl"}
    found = AGENT.bind(view(tmp_path, processes=(), hooks=(hook,)))
    assert (found.session_id, found.transcript, found.source) == ("last", "/t/last.jsonl", "hook")


@pytest.mark.parametrize(
    ("fields", "state", "waiting_for", "error"),
    [
        ({"state": "idle"}, "idle", "", ""),
        ({"state": "waiting", "waitingFor": "permission"}, "waiting", "permission", ""),
        ({"state": "waiting", "waitingFor": "something new"}, "waiting", "dialog", ""),
        ({"state": "error", "error": "rate_limit"}, "error", "", "rate_limit"),
        ({"state": "never heard of"}, "unknown", "", ""),
    ],
)
def test_own_state_file_is_the_first_report(
    tmp_path: Path, fields: dict[str, str], state: str, waiting_for: str, error: str
) -> None:
    write_state(tmp_path, **fields)
    report = AGENT.collect_reports(view(tmp_path), Binding(pid=7))[0]
    assert (report.source, report.state, report.waiting_for, report.error) == ("agent_file", state, waiting_for, error)


@pytest.mark.parametrize(
    ("hook", "state"),
    [
        ({"hook": "UserPromptSubmit"}, "thinking"),
        ({"hook": "PreToolUse"}, "tool"),
        ({"hook": "PermissionRequest"}, "waiting"),
        ({"hook": "Notification", "notification_type": "question"}, "waiting"),
        ({"hook": "Stop"}, "idle"),
        ({"hook": "StopFailure", "error": "auth"}, "error"),
    ],
)
def test_newest_hook_and_title_are_reports(tmp_path: Path, hook: dict[str, str], state: str) -> None:
    older = {"hook": "Stop", "at": 1.0}
    seen = view(tmp_path, hooks=(older, {**hook, "at": 5.0}), title="scripted: streaming")
    reports = {report.source: report for report in AGENT.collect_reports(seen, Binding())}
    assert (reports["hook"].state, reports["hook"].at) == (state, 5.0)
    assert reports["title"].state == "streaming"


@pytest.mark.parametrize(
    ("frames", "state"),
    [
        ([Frame(kind="turn_start", at=1), Frame(kind="user", at=1)], "thinking"),
        ([Frame(kind="tool_use", tool_id="a", at=1)], "tool"),
        ([Frame(kind="tool_use", tool_id="a", at=1), Frame(kind="tool_result", tool_id="a", at=2)], "thinking"),
        ([Frame(kind="turn_end", reason="completed", at=2)], "idle"),
        ([Frame(kind="turn_end", reason="interrupted", at=2)], "interrupted"),
        ([Frame(kind="error", error="auth", at=1), Frame(kind="turn_end", reason="failed", at=2)], "error"),
    ],
)
def test_transcript_is_the_last_report(tmp_path: Path, frames: list[Frame], state: str) -> None:
    report = AGENT.collect_reports(view(tmp_path, frames=tuple(frames)), Binding())[-1]
    assert (report.source, report.state) == ("transcript", state)


# -- reading and sending ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'"text"', b'{"no": "type"}', b"\xff\xfe"])
def test_malformed_line_gives_no_frame(line: bytes) -> None:
    assert AGENT.parse_frames(line, 9) == []


def test_frame_has_the_offset_after_its_line() -> None:
    line = json.dumps({"type": "usage", "at": 2.5, "id": "7-1", "turn": "t", "input_tokens": 3, "output_tokens": 4})
    [frame] = AGENT.parse_frames(line.encode(), 77)
    assert (frame.kind, frame.at, frame.offset) == ("usage", 2.5, 77)
    assert frame.usage is not None and frame.usage.total_tokens == 7
    [other] = AGENT.parse_frames(b'{"type": "brand new", "text": "x"}', 1)
    assert (other.kind, other.reason) == ("system", "brand new")


def test_text_is_accepted_by_transcript_or_hook(tmp_path: Path) -> None:
    joined = Frame(kind="user", text="half a hello ", at=10.0)
    seen = AGENT.find_acceptance("hello", 9.0, view(tmp_path, frames=(joined,)), Binding())
    assert (seen.source, seen.joined_with) == ("", "half a")
    typed = Frame(kind="user", text="hello ", at=10.0)
    assert AGENT.find_acceptance("hello", 9.0, view(tmp_path, frames=(typed,)), Binding()).source == "transcript"
    assert AGENT.find_acceptance("hello", 11.0, view(tmp_path, frames=(typed,)), Binding()).source == ""
    assert AGENT.find_acceptance("bye", 9.0, view(tmp_path, frames=(typed,)), Binding()).source == ""
    hook = {"hook": "UserPromptSubmit", "prompt": "hello", "at": 10.0}
    assert AGENT.find_acceptance("hello", 9.0, view(tmp_path, hooks=(hook,)), Binding()).source == "hook"


def test_home_is_read_from_the_environment() -> None:
    assert AGENT.home({"HOME": "/h"}) == "/h/.scripted"
    assert AGENT.home({"HOME": "/h", "SCRIPTED_HOME": "/s"}) == "/s"
    assert os.path.exists(PROGRAM)
