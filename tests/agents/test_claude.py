"""Reports of claude from session file, hooks, transcript, title and child processes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lisa_py import agents
from lisa_py.agents._claude import home as claude_home
from lisa_py.agents.base import Binding
from lisa_py.contract.frames import Frame, Todo
from lisa_py.contract.status import AgentReport
from lisa_py.host import processes
from lisa_py.host.processes import Process
from tests.agents.claude_views import (
    AGENT,
    CLAUDE,
    NOW,
    OTHER,
    PID,
    SESSION,
    SHELL,
    STARTED,
    SUPERVISOR,
    TOOL,
    TREE,
    ClaudeHome,
    hook_record,
    pane,
    process,
    recorded_frames,
)
from tests.polling import wait_until

PROMPT = hook_record("UserPromptSubmit", 5, prompt="do it")


@pytest.fixture
def home(tmp_path: Path) -> ClaudeHome:
    return ClaudeHome(tmp_path)


def test_claude_is_an_agent_and_its_parts_are_not() -> None:
    assert "claude" in agents.names()
    assert not [name for name in agents.names() if name.startswith("_")]


# -- the session file -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "waiting_for", "state", "what"),
    [
        ("idle", "", "idle", ""),
        ("busy", "", "thinking", ""),
        ("waiting", "permission prompt", "waiting", "permission"),
        ("waiting", "sandbox request", "waiting", "permission"),
        ("waiting", "input needed", "waiting", "question"),
        ("waiting", "dialog open", "waiting", "dialog"),
        ("waiting", "something new", "waiting", "dialog"),
    ],
)
def test_session_file_gives_the_state(home: ClaudeHome, status: str, waiting_for: str, state: str, what: str) -> None:
    home.write_live_file(status, **({"waitingFor": waiting_for} if waiting_for else {}))
    report = home.reports()["agent_file"]
    assert (report.state, report.waiting_for) == (state, what)


def test_idle_has_a_time_and_busy_is_current(home: ClaudeHome) -> None:
    home.write_live_file("idle", ago=30)
    assert home.reports()["agent_file"].at == NOW - 30
    home.write_live_file("busy", ago=30)
    assert home.reports()["agent_file"].at == 0


def test_background_shell_does_not_keep_a_session_busy(home: ClaudeHome) -> None:
    home.write_live_file("shell")
    assert home.states(hook_record("Stop", 1), processes=(*TREE, TOOL)) == {"agent_file": "idle", "hook": "idle"}


def test_session_file_of_reused_process_id_is_ignored(home: ClaudeHome) -> None:
    home.write_live_file("busy", procStart="4241")
    assert home.states() == {}
    assert home.bind().source == "spawn"


def test_view_reads_each_source_once(home: ClaudeHome) -> None:
    home.write_live_file("busy")
    seen = home.view(PROMPT)
    bound = AGENT.bind(seen)
    home.write_live_file("idle")
    assert {report.state for report in AGENT.collect_reports(seen, bound) if report.source == "agent_file"} == {
        "thinking"
    }


def test_idle_that_begins_during_a_read_is_reported(home: ClaudeHome) -> None:
    home.write_live_file("idle", ago=-0.1)
    enqueued = tuple(frame for frame in recorded_frames("queued") if frame.reason == "enqueue")
    assert home.states(frames=enqueued)["agent_file"] == "thinking"
    home.write_live_file("idle", ago=-3600)  # the clock was set back since
    assert home.states(frames=enqueued)["agent_file"] == "idle"


def test_session_file_without_its_process_is_ignored(home: ClaudeHome) -> None:
    home.write_live_file("busy")
    assert home.states(processes=(SUPERVISOR, SHELL)) == {}
    zombie = process(PID, 2, "/opt/bin/claude", started=STARTED, state="Z")
    assert home.states(processes=(SUPERVISOR, zombie)) == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 77}', '{"sessionId": 5, "pid": 77}', "null"])
def test_truncated_session_file_gives_no_report(home: ClaudeHome, content: str) -> None:
    home.write_live_file("idle")
    (home.folder / "sessions" / f"{PID}.json").write_text(content)
    assert home.states() == {}


def test_claude_run_by_a_tool_is_not_the_session(home: ClaudeHome) -> None:
    home.write_live_file("busy")
    inner = process(90, 80, "claude", "-p", "x", started=9.0)
    record = {"pid": 90, "sessionId": OTHER, "procStart": "9", "status": "idle", "statusUpdatedAt": 1, "cwd": "/x"}
    (home.folder / "sessions" / "90.json").write_text(json.dumps(record))
    assert home.states(processes=(*TREE, TOOL, inner))["agent_file"] == "thinking"
    assert home.bind(processes=(*TREE, TOOL, inner)).session_id == SESSION


def test_first_idle_after_start_with_prompt_is_ignored(home: ClaudeHome) -> None:
    started = hook_record("SessionStart", 0.4, source="startup")
    home.write_live_file("idle", ago=0.3)
    assert home.states(started, meta={"prompt": "do it"})["agent_file"] == "starting"
    assert home.states(started)["agent_file"] == "idle"
    home.write_live_file("idle", ago=3)
    assert home.states(started, meta={"prompt": "do it"})["agent_file"] == "idle"
    home.write_live_file("idle", ago=0.1)
    assert home.states(started, PROMPT, hook_record("Stop", 0.1), meta={"prompt": "do it"})["agent_file"] == "idle"


def test_permission_shows_the_tool_and_its_input(home: ClaudeHome) -> None:
    request = hook_record(
        "PermissionRequest", 1, tool_name="Bash", tool_input={"command": "rm -rf  build\n", "description": "x"}
    )
    home.write_live_file("waiting", waitingFor="permission prompt")
    assert home.reports(PROMPT, request)["agent_file"].detail == "Bash: rm -rf build"
    question = hook_record(
        "PermissionRequest", 1, tool_name="AskUserQuestion", tool_input={"questions": [{"question": "Why?"}]}
    )
    home.write_live_file("waiting", waitingFor="input needed")
    assert home.reports(PROMPT, question)["agent_file"].detail == "AskUserQuestion: Why?"
    assert home.reports(PROMPT, request)["agent_file"].waiting_for == "question"
    running = hook_record(
        "PreToolUse", 1, tool_name="Write", tool_input={"file_path": "/p/a.py", "content": "x" * 9999}
    )
    home.write_live_file("busy")
    assert home.reports(PROMPT, running)["hook"].detail == "Write: /p/a.py"
    cut = hook_record("PreToolUse", 1, cut=True)
    assert home.reports(PROMPT, cut)["hook"].detail == ""
    call = Frame(kind="tool_use", at=NOW - 1, tool="Bash", tool_id="t1", text="sleep 3")
    assert home.reports(frames=(call,))["transcript"].detail == "Bash: sleep 3"


def test_turn_without_end_record_is_ended_by_other_evidence(home: ClaudeHome) -> None:
    home.write_live_file("idle", ago=0.1)
    assert home.states(PROMPT)["agent_file"] == "thinking"
    assert home.states(PROMPT, hook_record("Stop", 0.05))["agent_file"] == "idle"
    ended = (Frame(kind="turn_start", at=NOW - 4), Frame(kind="turn_end", at=NOW - 0.1, reason="completed"))
    assert home.states(PROMPT, frames=ended)["agent_file"] == "idle"
    home.write_live_file("idle", ago=1.1)
    assert home.states(PROMPT) == {"agent_file": "idle", "hook": "interrupted"}
    home.write_live_file("idle", ago=30)
    assert home.states(hook_record("Stop", 31))["agent_file"] == "idle"


def test_idle_before_an_accepted_prompt_is_ignored(home: ClaudeHome) -> None:
    started, taken = (
        hook_record("SessionStart", 0.4, source="startup"),
        hook_record("UserPromptSubmit", 0.2, prompt="do it"),
    )
    home.write_live_file("idle", ago=0.3)
    assert home.states(started, taken)["agent_file"] == "thinking"
    home.write_live_file("idle", ago=2)
    assert home.states(started, hook_record("UserPromptSubmit", 3, prompt="interrupted"))["agent_file"] == "idle"
    home.write_live_file("idle", ago=9)
    assert home.states(started, hook_record("UserPromptSubmit", 8, prompt="blocked"))["agent_file"] == "idle"


def test_idle_is_ignored_while_a_prompt_is_queued(home: ClaudeHome) -> None:
    made = recorded_frames("queued")
    until = {end: tuple(made[: at + 1]) for at, end in enumerate(frame.reason for frame in made) if end}
    home.write_live_file("idle", ago=0.2)
    assert home.states(frames=until["enqueue"])["agent_file"] == "thinking"
    home.write_live_file("idle", ago=3)
    assert home.states(frames=until["enqueue"])["agent_file"] == "idle"
    begun = (Frame(kind="turn_end", at=NOW - 0.3), Frame(kind="turn_start", at=NOW - 0.1))
    home.write_live_file("idle", ago=0.2)
    assert home.states(frames=begun)["agent_file"] == "thinking"
    home.write_live_file("idle", ago=0.05)
    assert home.states(frames=begun)["agent_file"] == "idle"
    home.write_live_file("idle", ago=0.2)
    assert home.states(frames=tuple(made))["agent_file"] == "idle"


# -- hooks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "payload", "state", "what", "error"),
    [
        ("SessionStart", {"source": "startup"}, "starting", "", ""),
        ("SessionStart", {"source": "clear"}, "idle", "", ""),
        ("UserPromptSubmit", {}, "thinking", "", ""),
        ("PreToolUse", {"tool_name": "Bash"}, "tool", "", ""),
        ("PostToolUse", {"tool_name": "Bash"}, "thinking", "", ""),
        ("PostToolUseFailure", {"tool_name": "Bash"}, "thinking", "", ""),
        ("PermissionRequest", {"tool_name": "Bash"}, "waiting", "permission", ""),
        ("PermissionRequest", {"tool_name": "ExitPlanMode"}, "waiting", "permission", ""),
        ("PermissionRequest", {"tool_name": "AskUserQuestion"}, "waiting", "question", ""),
        ("Notification", {"notification_type": "elicitation_dialog"}, "waiting", "question", ""),
        ("Notification", {"notification_type": "idle_prompt"}, "idle", "", ""),
        ("Stop", {}, "idle", "", ""),
        ("StopFailure", {"error": "rate_limit"}, "error", "", "rate_limit"),
        ("StopFailure", {"error": "server_error", "last_assistant_message": "API Error: 529 x"}, "error", "",
         "overloaded"),
        ("StopFailure", {"error": "rate_limit", "last_assistant_message": "API Error: (429) · usage limit reached"},
         "error", "", "usage_limit"),
        ("SessionEnd", {"reason": "other"}, "exited", "", ""),
    ],
)  # fmt: skip
def test_each_hook_gives_a_state(
    home: ClaudeHome, event: str, payload: dict[str, str], state: str, what: str, error: str
) -> None:
    report = home.reports(hook_record("PreToolUse", 9), hook_record(event, 2, **payload))["hook"]
    assert (report.state, report.waiting_for, report.error, report.at) == (state, what, error, NOW - 2)


@pytest.mark.parametrize(
    "payload",
    [
        hook_record("Notification", 1, notification_type="permission_prompt"),
        hook_record("Notification", 1, notification_type="auth_success"),
        hook_record("SessionStart", 1, source="compact"),
        hook_record("SessionEnd", 1, reason="clear"),
        hook_record("SomethingNew", 1),
    ],
)
def test_hooks_without_a_state_keep_the_previous_state(home: ClaudeHome, payload: dict[str, object]) -> None:
    assert home.states(PROMPT, payload)["hook"] == "thinking"


def test_hooks_distinguish_question_and_permission(home: ClaudeHome) -> None:
    home.write_live_file("waiting", waitingFor="permission prompt")  # as 2.1.197 writes it for both
    request = hook_record("PermissionRequest", 1, tool_name="AskUserQuestion")
    assert home.reports(PROMPT, request)["agent_file"].waiting_for == "question"
    request = hook_record("PermissionRequest", 1, tool_name="Bash")
    report = home.reports(PROMPT, request)["agent_file"]
    assert (report.waiting_for, report.detail) == ("permission", "Bash")


def test_granted_permission_is_a_running_tool_without_a_hook(home: ClaudeHome) -> None:
    home.write_live_file("busy", ago=1)
    request = hook_record("PermissionRequest", 4, tool_name="Bash")
    report = home.reports(PROMPT, request)["hook"]
    assert (report.state, report.detail) == ("tool", "Bash")


def test_turn_interrupted_before_output_is_detected(home: ClaudeHome) -> None:
    home.write_live_file("idle", ago=2)
    report = home.reports(PROMPT)["hook"]
    assert (report.state, report.at) == ("interrupted", NOW - 2)


def test_normal_turn_end_is_not_an_interrupt(home: ClaudeHome) -> None:
    home.write_live_file("idle", ago=0.01)  # its Stop hook is about to be written
    assert "hook" not in home.states(PROMPT)
    home.write_live_file("idle", ago=2)
    assert home.states(PROMPT, hook_record("Stop", 2.1))["hook"] == "idle"
    assert home.states(PROMPT, hook_record("StopFailure", 1.9, error="billing_error"))["hook"] == "error"
    ended = (Frame(kind="turn_end", at=NOW - 2, reason="failed", error="server"),)
    assert "hook" not in home.states(PROMPT, frames=ended)


def test_idle_is_reported_once_the_answer_is_in_the_transcript(home: ClaudeHome) -> None:
    # measured with 2.1.197 and 2.1.332: the record of the answer may follow the hook of the end by up to 0.1 s
    home.write_live_file("idle", ago=0.05)
    first = (Frame(kind="turn_start", at=NOW - 9), Frame(kind="turn_end", at=NOW - 8, reason="completed"))
    hooks = (
        hook_record("Stop", 7.9),
        hook_record("UserPromptSubmit", 1.0),
        hook_record("Stop", 3.0, agent_id="helper"),
        hook_record("Stop", 0.06),
    )
    prompt, answer = Frame(kind="turn_start", at=NOW - 0.9), Frame(kind="turn_end", at=NOW - 0.2, reason="completed")
    assert home.reports(*hooks, frames=(*first, prompt))["agent_file"].detail == "the turn ends"
    assert home.states(*hooks, frames=(*first, prompt, answer))["agent_file"] == "idle"
    assert home.states(*hooks, frames=(*first, answer, prompt))["agent_file"] == "idle"  # the order of 2.1.197
    home.write_live_file("idle", ago=2.5)
    assert home.states(*hooks, frames=(*first, prompt), now=NOW + 2)["agent_file"] == "idle"  # it never comes


def test_subagent_after_the_turn_is_not_an_interrupt(home: ClaudeHome) -> None:
    home.write_live_file("idle", ago=2)
    helper = hook_record("PostToolUse", 3, agent_id="a1", tool_name="Bash")
    assert home.states(PROMPT, hook_record("Stop", 4), helper).get("hook") != "interrupted"


# -- transcript, title, processes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "state", "error"),
    [
        (["turn_start", "user"], "thinking", ""),
        (["turn_start", "user", "tool_use"], "tool", ""),
        (["turn_start", "user", "tool_use", "usage"], "tool", ""),
        (["turn_start", "user", "tool_use", "tool_result"], "thinking", ""),
        (["turn_start", "user", "assistant"], "thinking", ""),
        (["turn_start", "user", "error"], "retrying", "overloaded"),
        (["turn_start", "user", "error", "assistant"], "thinking", ""),
        (["turn_start", "user", "assistant", "turn_end"], "idle", ""),
        (["turn_start", "user", "tool_use", "turn_end"], "idle", ""),
    ],
)
def test_end_of_the_transcript_gives_the_state(home: ClaudeHome, frames: list[str], state: str, error: str) -> None:
    made = [
        Frame(
            kind=kind, at=NOW - 9 + at, tool_id="t1" if "tool" in kind else "", reason="completed",
            error="overloaded" if kind == "error" else "",
        )  # type: ignore[arg-type]
        for at, kind in enumerate(frames)
    ]  # fmt: skip
    report = home.reports(frames=tuple(made))["transcript"]
    assert (report.state, report.error) == (state, error)


@pytest.mark.parametrize(
    ("name", "state", "error"),
    [
        ("errors-and-interrupts", "error", "network"),
        ("tasks", "idle", ""),
        ("queued", "idle", ""),
        ("steered", "idle", ""),
        ("helper", "idle", ""),
        ("thinking", "idle", ""),
        ("exec-retries", "idle", ""),
    ],
)
def test_recorded_transcripts_end_in_their_session_state(home: ClaudeHome, name: str, state: str, error: str) -> None:
    report = home.reports(frames=tuple(recorded_frames(name)))["transcript"]
    assert (report.state, report.error) == (state, error)


def test_old_state_of_resumed_conversation_is_ignored(home: ClaudeHome) -> None:
    left = (Frame(kind="turn_start", at=NOW - 99), Frame(kind="turn_end", at=NOW - 90, reason="failed", error="auth"))
    assert home.states(frames=left) == {"transcript": "error"}
    assert home.states(frames=left, meta={"created_unix": NOW - 5}) == {}


def test_title_glyphs_of_older_versions_mean_work(home: ClaudeHome) -> None:
    assert home.states(title="⠂ Fix the tests") == {"title": "thinking"}
    assert home.states(title="⠐ Fix the tests") == {"title": "thinking"}
    assert home.states(title="✳ Fix the tests") == {}
    assert AGENT.summarize_title("⠂ Fix") == AGENT.summarize_title("⠐ Other") != AGENT.summarize_title("✳ Fix")


def test_bash_tool_shell_is_the_weakest_tool_evidence(home: ClaudeHome) -> None:
    assert home.states(processes=(*TREE, TOOL)) == {"process": "tool"}
    home.write_live_file("busy")
    assert home.states(processes=(*TREE, TOOL)) == {"agent_file": "thinking", "process": "tool"}
    assert "process" not in home.states(PROMPT, processes=(*TREE, TOOL))
    home.write_live_file("idle")
    assert "process" not in home.states(processes=(*TREE, TOOL))
    assert "process" not in home.states(processes=(*TREE, process(81, PID, "node", "mcp-server.js")))


def test_available_screen_is_read(home: ClaudeHome) -> None:
    home.write_live_file("busy")
    assert home.states(screen=pane("retrying-overloaded")) == {"agent_file": "thinking", "screen": "retrying"}


@pytest.mark.parametrize(
    ("reports", "wanted"),
    [
        ([], True),
        ([("hook", "thinking", "")], True),
        ([("agent_file", "idle", ""), ("hook", "idle", "")], False),
        ([("agent_file", "thinking", ""), ("hook", "thinking", "")], True),
        ([("agent_file", "thinking", ""), ("hook", "tool", "")], False),
        ([("agent_file", "waiting", "permission")], False),
        ([("agent_file", "waiting", "dialog")], True),
    ],
)
def test_screen_is_requested_only_if_needed(reports: list[tuple[str, str, str]], wanted: bool) -> None:
    made = [AgentReport(source=source, state=state, waiting_for=what) for source, state, what in reports]  # type: ignore[arg-type]
    assert AGENT.needs_screen(made) is wanted


# -- which conversation -----------------------------------------------------------------------------------------------


def test_binding_is_read_from_the_session_file(home: ClaudeHome) -> None:
    home.write_live_file("idle", cwd="/tmp/demo_x.y")
    path = str(home.folder / "projects" / "-tmp-demo-x-y" / f"{SESSION}.jsonl")
    assert home.bind() == Binding(session_id=SESSION, transcript=path, pid=PID, source="agent_file")
    assert AGENT.watch_paths(home.view(), home.bind()) == (str(home.folder / "sessions" / f"{PID}.json"), path)


def test_clear_binds_the_new_conversation(home: ClaudeHome) -> None:
    cleared = {**hook_record("SessionStart", 1, source="clear", transcript_path="/p/new.jsonl"), "session_id": OTHER}
    home.write_live_file("idle", sessionId=OTHER)
    expected = Binding(session_id=OTHER, transcript="/p/new.jsonl", pid=PID, source="agent_file")
    assert home.bind(PROMPT, cleared) == expected
    assert home.bind(PROMPT, cleared, processes=(SUPERVISOR,)) == Binding(
        session_id=OTHER, transcript="/p/new.jsonl", source="hook"
    )


def test_transcript_path_is_read_from_matching_hooks(home: ClaudeHome) -> None:
    home.write_live_file("idle")
    old = {**hook_record("Stop", 2, transcript_path="/p/old.jsonl"), "session_id": OTHER}
    named = hook_record("UserPromptSubmit", 3, transcript_path="/elsewhere/it.jsonl")
    assert home.bind(named, old).transcript == "/elsewhere/it.jsonl"


def test_id_given_at_spawn_has_priority(home: ClaudeHome) -> None:
    bound = home.bind(processes=(SUPERVISOR, CLAUDE))
    assert (bound.session_id, bound.pid, bound.source) == (SESSION, PID, "spawn")
    assert home.bind(meta={"agent_session_id": ""}, processes=()) == Binding()


def test_transcript_in_another_folder_is_found_by_id(home: ClaudeHome) -> None:
    moved = home.folder / "projects" / "-somewhere-else"
    moved.mkdir(parents=True)
    (moved / f"{SESSION}.jsonl").write_text("{}")
    home.write_live_file("idle")
    assert home.bind().transcript == str(moved / f"{SESSION}.jsonl")


@pytest.mark.parametrize(
    ("cwd", "name"),
    [
        ("/tmp/demo", "-tmp-demo"),
        ("/a b/c_d.e@f", "-a-b-c-d-e-f"),
        ("/ünï/Ω🙂", "--n-----"),
        ("/cafe\u0301", "-cafe-"),
        ("/" + "a" * 199, "-" + "a" * 199),
        ("/" + "d" * 250, "-" + "d" * 199 + "-bagbv5"),
    ],
)
def test_project_folder_name_equals_that_of_claude(cwd: str, name: str) -> None:
    assert claude_home.project_folder_name(cwd) == name


@pytest.mark.parametrize(
    ("argv", "yes"),
    [
        (("claude",), True),
        (("/usr/bin/claude", "-p", "x"), True),
        (("/n/claude.exe",), True),
        (("node", "/usr/bin/claude"), True),
        (("node", "/x/@anthropic-ai/claude-code/cli.js", "-p"), True),
        (("bash", "-c", "claude"), False),
        (("node", "/x/server.js", "claude"), False),
        (("vim", "claude"), False),
        (("claude-monitor",), False),
    ],
)
def test_claude_process_is_identified(argv: tuple[str, ...], yes: bool) -> None:
    assert AGENT.is_agent(process(5, 1, *argv)) is yes


def test_configuration_folder_is_that_of_the_session(home: ClaudeHome, tmp_path: Path) -> None:
    assert AGENT.home({"HOME": "/h"}) == "/h/.claude"
    assert AGENT.home({"HOME": "/h", "CLAUDE_CONFIG_DIR": "/c"}) == "/c"
    home.write_live_file("idle")
    there = {"CLAUDE_CONFIG_DIR": str(home.folder), "HOME": "/nowhere"}
    assert home.states(meta={"agent_home": ""}, environ=there) == {"agent_file": "idle"}


@pytest.fixture
def renamed(tmp_path: Path) -> Iterator[Process]:
    """A process that a wrapper started: named by its version, with a configuration folder of its own."""
    env = {"HOME": "/nowhere", "CLAUDE_CONFIG_DIR": str(tmp_path)}
    child = subprocess.Popen(["bash", "-c", "exec -a /opt/versions/2.1.332 sleep 100"], env=env)

    def find() -> Process | None:
        found = processes.read_process(child.pid)
        return found if found is not None and found.argv[:1] == ("/opt/versions/2.1.332",) else None

    found = wait_until(find)
    assert found is not None
    yield found
    child.kill()
    child.wait()


def test_agent_of_a_wrapper_is_found_by_session_file(renamed: Process, tmp_path: Path) -> None:
    home = ClaudeHome(tmp_path)
    home.write_live_file("idle", pid=renamed.pid, procStart=str(int(renamed.started)))
    (tmp_path / "sessions" / f"{PID}.json").rename(tmp_path / "sessions" / f"{renamed.pid}.json")
    seen = home.view(processes=(SUPERVISOR, SHELL, renamed), meta={"agent_home": "/of/the/caller"})
    bound = AGENT.bind(seen)
    assert (bound.pid, bound.session_id, bound.source) == (renamed.pid, SESSION, "agent_file")
    assert bound.transcript.startswith(str(tmp_path / "projects"))
    assert AGENT.find_process(seen) == renamed


def test_agent_of_a_wrapper_is_found_by_hooks(renamed: Process, tmp_path: Path) -> None:
    started = hook_record("SessionStart", 1, pid=renamed.pid)
    seen = ClaudeHome(tmp_path).view(started, processes=(SUPERVISOR, SHELL, renamed), meta={"agent_home": "/caller"})
    assert AGENT.find_process(seen) == renamed
    bound = AGENT.bind(seen)
    assert (bound.pid, bound.source) == (renamed.pid, "hook")
    assert AGENT.watch_paths(seen, bound)[0] == str(tmp_path / "sessions" / f"{renamed.pid}.json")


def test_hook_transcript_gives_the_configuration_folder(home: ClaudeHome) -> None:
    home.write_live_file("idle")
    path = str(home.folder / "projects" / "-tmp-demo" / "x.jsonl")
    started = hook_record("SessionStart", 1, transcript_path=path)
    assert home.bind(started, meta={"agent_home": "/of/the/caller"}).source == "agent_file"


# -- task lists -------------------------------------------------------------------------------------------------------


def test_tasks_are_read_in_order(home: ClaudeHome) -> None:
    folder = home.folder / "tasks" / SESSION
    folder.mkdir(parents=True)
    for number, status in ((10, "pending"), (2, "in_progress"), (1, "completed"), (3, "deleted")):
        (folder / f"{number}.json").write_text(json.dumps({"subject": f"step {number}", "status": status}))
    (folder / ".lock").touch()
    home.write_live_file("idle")
    expected = (Todo("step 1", "completed"), Todo("step 2", "in_progress"), Todo("step 10", "pending"))
    assert AGENT.todos(home.view(), home.bind()) == expected


def test_todos_fall_back_to_the_transcript(home: ClaudeHome) -> None:
    old, new = (Todo("a", "pending"),), (Todo("a", "completed"),)
    frames = (Frame(kind="tool_use", todos=old), Frame(kind="tool_use", todos=new), Frame(kind="assistant"))
    assert AGENT.todos(home.view(frames=frames), home.bind()) == new
    assert AGENT.todos(home.view(), Binding()) == ()
