"""The real claude in every state: reports of its session file, hooks, transcript and screen."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lisa_py.contract.frames import Todo
from tests.agents_kit import Terminal, claude_home, pin
from tests.agents_live import claude_harness
from tests.agents_live.claude_harness import AGENT, ClaudeHarness
from tests.fakes.model_api import FakeModelApi
from tests.polling import wait_until

pytestmark = pytest.mark.agents

NEW, OLD = pin("claude").version, "2.1.197"
Make = Callable[..., ClaudeHarness]


@pytest.fixture
def make(api: FakeModelApi, tmp_path: Path) -> Iterator[Make]:
    terminals: list[Terminal] = []

    def made(version: str = NEW, project: str = "proj", **options: Any) -> ClaudeHarness:
        terminal = Terminal().__enter__()
        terminals.append(terminal)
        return ClaudeHarness(claude_home(tmp_path, tmp_path / project, api.url, version=version, **options), terminal)

    yield made
    for terminal in terminals:
        terminal.__exit__()


@pytest.fixture(params=[NEW, OLD])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def begun(stage: ClaudeHarness, **launch: Any) -> ClaudeHarness:
    stage.start(**launch)
    stage.wait_until_ready()
    return stage


# -- a turn ----------------------------------------------------------------------------------------------------------


def test_start_with_prompt_is_bound_and_its_turn_ends(make: Make, version: str) -> None:
    stage = make(version)
    plan = stage.start(prompt="-go [fake text hi there]")
    assert wait_until(lambda: stage.read_acceptance("-go [fake text hi there]")) in ("hook", "transcript", "agent_file")
    stage.wait_for_turns()
    stage.wait_for_report("transcript", "idle")
    bound = stage.bind()
    assert (bound.session_id, bound.source) == (plan.agent_session_id, "agent_file")
    assert bound.transcript == stage.hooks[0]["transcript_path"]
    assert stage.hook_names() == ["SessionStart", "UserPromptSubmit", "Stop"]
    wait_until(lambda: any(frame.kind == "turn_end" for frame in stage.frames(bound)))
    kinds = [frame.kind for frame in stage.frames(bound) if frame.kind != "system"]  # notes come early or late
    assert kinds[:5] == ["turn_start", "user", "assistant", "usage", "turn_end"]


def test_every_step_of_a_turn_is_reported(make: Make, api: FakeModelApi, version: str) -> None:
    stage = begun(make(version))
    stage.send_and_confirm("[fake gate g then slow 4 a b c d then tool touch x; sleep 3 then text done]")
    stage.wait_for_report("agent_file", "thinking")
    stage.wait_for_report("hook", "thinking")
    stage.wait_for_report("screen", "thinking")
    api.open("g")
    stage.wait_for_report("screen", "streaming")
    stage.wait_for_report("agent_file", "waiting", "permission")
    stage.wait_for_report("hook", "waiting", "permission")
    stage.wait_for_report("screen", "waiting", "permission")
    stage.answer("Enter")
    stage.wait_for_report("hook", "tool")
    stage.wait_for_report("transcript", "tool")
    stage.wait_for_report("screen", "tool")
    assert stage.reports()["agent_file"].state == "thinking"
    stage.wait_for_turns()
    for source in ("agent_file", "hook", "transcript", "screen"):
        stage.wait_for_report(source, "idle")


def test_question_is_not_a_permission(make: Make, version: str) -> None:
    stage = begun(make(version, todos=True))
    stage.send_and_confirm("[fake question Which colour? | Red | Blue then text chose {last}]")
    for source in ("agent_file", "hook", "screen"):
        stage.wait_for_report(source, "waiting", "question")
    stage.answer("Enter")
    stage.wait_for_turns()


def test_queued_prompt_is_accepted(make: Make, api: FakeModelApi) -> None:
    stage = begun(make())
    stage.send_and_confirm("[fake gate g then text one]")
    assert stage.send_and_confirm("[fake text two]") == "hook"
    assert stage.has_report("agent_file", "thinking")
    api.open("g")
    stage.wait_for_turns(2)
    queued = [frame.queued for frame in stage.frames(stage.bind()) if frame.kind == "user"]
    assert queued == [False, True]


def test_task_list_is_reported(make: Make, version: str) -> None:
    stage = begun(make(version, todos=True))
    stage.send_and_confirm("[fake todos 1/3]")
    expected = (Todo("Step 1", "completed"), Todo("Step 2", "in_progress"), Todo("Step 3", "pending"))
    wait_until(lambda: AGENT.todos(stage.view(), stage.bind()) == expected)


def test_old_todo_list_is_reported(make: Make) -> None:
    stage = begun(make(todos=True, env={"CLAUDE_CODE_ENABLE_TASKS": "0"}))
    stage.send_and_confirm("[fake todos 2/2]")
    expected = (Todo("Step 1", "completed"), Todo("Step 2", "completed"))
    wait_until(lambda: AGENT.todos(stage.view(), stage.bind()) == expected)


# -- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "expected_error"),
    [
        ("auth", "auth"),
        ("permission", "permission"),
        ("billing", "billing"),
        ("bad_request", "bad_request"),
        ("not_found", "not_found"),
        ("rate_limit", "rate_limit"),
        ("usage_limit", "usage_limit"),
        ("server", "server"),
        ("overloaded", "overloaded"),
        ("too_long", "too_long"),
    ],
)
def test_failed_turn_reports_its_error(make: Make, kind: str, expected_error: str) -> None:
    stage = begun(make())
    stage.send_and_confirm(f"[fake error {kind}]")
    stage.wait_for_turns()
    for source in ("hook", "transcript", "screen"):
        stage.wait_for_report(source, "error", error=expected_error)
    assert stage.reports()["agent_file"].state == "idle"


def test_older_claude_reports_its_errors(make: Make) -> None:
    stage = begun(make(OLD))
    for turns, kind in enumerate(("auth", "overloaded", "rate_limit"), 1):
        stage.send_and_confirm(f"[fake error {kind}]")
        stage.wait_for_turns(turns)
        for source in ("hook", "transcript", "screen"):
            stage.wait_for_report(source, "error", error=kind)


def test_retry_is_busy_and_the_screen_shows_its_error(make: Make, version: str) -> None:
    stage = begun(make(version, retries=6))
    stage.send_and_confirm("[fake error overloaded]")
    stage.wait_for_report("screen", "retrying", error="overloaded")
    reports = stage.reports()
    assert (reports["agent_file"].state, reports["hook"].state) == ("thinking", "thinking")
    assert AGENT.needs_screen(list(stage.reports(screen=False).values()))


def test_retries_of_an_exec_run_are_in_its_transcript(make: Make) -> None:
    stage = make(retries=6)
    stage.start("exec", prompt="[fake error overloaded]")
    stage.wait_for_report("transcript", "retrying", error="overloaded")


def test_prompt_after_an_early_interrupt_arrives_alone(make: Make, api: FakeModelApi, version: str) -> None:
    stage = begun(make(version))
    stage.send_and_confirm("[fake hang 60]\n" + "and a line that wraps " * 20)
    stage.wait_for_report("agent_file", "thinking")
    stage.terminal.press("Escape")
    stage.wait_for_report("agent_file", "idle")
    stage.wait_for_report("hook", "interrupted")
    stage.send_and_confirm("[fake text second]")
    stage.wait_for_turns()
    assert api.prompts()[-1] == "[fake text second]"


@pytest.mark.parametrize("key", ["Escape", "C-c"])
def test_a_turn_interrupted_while_a_tool_runs(make: Make, key: str) -> None:
    stage = begun(make())
    stage.send_and_confirm("[fake tool touch x; sleep 30]")
    stage.wait_for_report("screen", "waiting", "permission")
    stage.answer("Enter")
    stage.wait_for_report("hook", "tool")
    stage.terminal.press(key)
    for source in ("transcript", "screen"):
        stage.wait_for_report(source, "interrupted")
    assert stage.reports()["agent_file"].state == "idle"
    assert "hook" not in stage.reports() or stage.reports()["hook"].state == "interrupted"


def test_refused_permission_interrupts_the_turn(make: Make) -> None:
    stage = begun(make())
    stage.send_and_confirm("[fake tool touch x]")
    stage.wait_for_report("screen", "waiting", "permission")
    stage.answer("Escape")
    stage.wait_for_report("agent_file", "idle")
    stage.wait_for_report("transcript", "interrupted")


def test_session_file_of_a_killed_claude_is_ignored(make: Make) -> None:
    stage = begun(make())
    stage.send_and_confirm("[fake hang 60]")
    wait_until(lambda: stage.read_live_file()["status"] == "busy")
    os.kill(stage.bind().pid, signal.SIGKILL)
    wait_until(lambda: (stage.folder / "done.txt").exists())
    assert stage.read_live_file()["status"] == "busy"
    assert "agent_file" not in stage.reports()
    assert stage.bind().session_id == stage.plan.agent_session_id


@pytest.mark.parametrize("how", ["SIGTERM", "/exit"])
def test_exit_of_claude_is_reported(make: Make, how: str) -> None:
    stage = begun(make())
    stage.send_and_confirm("[fake text x]")
    stage.wait_for_turns()
    if how == "SIGTERM":
        os.kill(stage.bind().pid, signal.SIGTERM)
    else:
        stage.send("/exit")
    stage.wait_for_report("hook", "exited")
    wait_until(lambda: not stage.read_live_file())


# -- which conversation ----------------------------------------------------------------------------------------------


def test_after_clear_the_new_conversation_is_bound(make: Make, version: str) -> None:
    stage = begun(make(version))
    stage.send_and_confirm("[fake text one]")
    stage.wait_for_turns()
    before = stage.bind()
    assert stage.send_and_confirm("/clear") in ("hook", "transcript", "agent_file")
    wait_until(lambda: stage.bind().session_id != before.session_id)
    stage.send_and_confirm("[fake text two]")
    stage.wait_for_turns(2)
    after = stage.bind()
    wait_until(lambda: [frame.text for frame in stage.frames(after) if frame.kind == "user"] == ["[fake text two]"])
    assert after.transcript != before.transcript


@pytest.mark.parametrize("args", ["--resume {id}", "--continue", "--resume {id} --fork-session"])
def test_a_resumed_conversation_is_bound(make: Make, args: str) -> None:
    first = begun(make())
    first.send_and_confirm("[fake text one]")
    first.wait_for_turns()
    old = first.bind()
    first.send("/exit")
    wait_until(lambda: (first.folder / "done.txt").exists())
    stage = make()
    plan = stage.start(agent_args=args.format(id=old.session_id), prompt="[fake text two]")
    stage.wait_for_turns()
    bound = stage.bind()
    forked = "fork" in args
    assert (bound.session_id == old.session_id) is not forked
    assert plan.agent_session_id in (bound.session_id, "")
    wait_until(lambda: "two" in [frame.text for frame in stage.frames(bound) if frame.kind == "assistant"])


@pytest.mark.parametrize("project", ["ünï-Ω🙂 x_y.z@(a)", "cafe\u0301", "d" * 120 + "/" + "e" * 120])
def test_the_transcript_of_any_folder_is_found_without_hooks(make: Make, project: str) -> None:
    stage = make(project=project)
    stage.start(prompt="[fake text hi]", agent_args="--safe-mode")
    stage.wait_for_report("transcript", "idle")
    assert not stage.hooks
    assert Path(stage.bind().transcript).is_file()
    assert stage.bind().source == "agent_file"


def test_own_configuration_folder_is_used(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "cfg"
    folder.mkdir()
    stage = make(env={"CLAUDE_CONFIG_DIR": str(folder)})
    answers = {"hasCompletedOnboarding": True, "projects": {str(stage.home.project): {"hasTrustDialogAccepted": True}}}
    (folder / ".claude.json").write_text(json.dumps(answers))
    stage.start(prompt="[fake text hi]")
    stage.wait_for_turns()
    assert stage.bind().transcript.startswith(str(folder))


# -- dialogs ---------------------------------------------------------------------------------------------------------


def without_settings(stage: ClaudeHarness) -> None:
    """As if the installed version took no --settings."""
    known = stage.facts
    claude_harness.FACTS[stage.home.binary] = msgspec.structs.replace(known, flags=known.flags - {"--settings"})
    try:
        stage.start(skip_permissions=True)
    finally:
        claude_harness.FACTS[stage.home.binary] = known


def prepare(stage: ClaudeHarness, dialog: str) -> None:
    match dialog:
        case "bypass":
            without_settings(stage)
            return
        case "api_key":
            del stage.home.env["ANTHROPIC_AUTH_TOKEN"]
            stage.home.env["ANTHROPIC_API_KEY"] = "sk-ant-fake-00000000000000"
        case "onboarding":
            (stage.home.home / ".claude.json").write_text("{}")
        case "settings":
            (stage.home.home / ".claude" / "settings.json").write_text("{")
    stage.start(prompt="hello")


@pytest.mark.parametrize(
    ("dialog", "waiting_for"),
    [
        ("trust", "trust"),
        ("bypass", "bypass"),
        ("api_key", "api_key"),
        ("onboarding", "dialog"),
        ("settings", "dialog"),
    ],
)
def test_start_up_dialog_is_read_from_the_screen(make: Make, version: str, dialog: str, waiting_for: str) -> None:
    stage = make(version, trusted=dialog != "trust")
    prepare(stage, dialog)
    stage.wait_for_report("screen", "waiting", waiting_for)
    reports = stage.reports(screen=False)
    assert "agent_file" not in reports
    assert AGENT.needs_screen(list(reports.values()))


@pytest.mark.parametrize(("command", "what"), [("/cost", "dialog"), ("/model", "dialog"), ("/login", "login")])
def test_dialog_opened_by_the_user_is_reported(make: Make, command: str, what: str) -> None:
    stage = begun(make())
    assert stage.send_and_confirm(command) == "agent_file"
    stage.wait_for_report("agent_file", "waiting", "dialog")
    stage.wait_for_report("screen", "waiting", what)
    stage.answer("Escape")
    stage.wait_for_report("agent_file", "idle")


def test_claude_without_a_login_is_not_idle(make: Make) -> None:
    stage = make()
    del stage.home.env["ANTHROPIC_AUTH_TOKEN"]
    stage.start(prompt="hello")
    stage.wait_for_report("hook", "error", error="auth")


# -- how soon --------------------------------------------------------------------------------------------------------


def test_session_file_and_hook_agree_in_time(make: Make) -> None:
    stage = begun(make())
    gaps = []
    for turn in range(1, 4):
        stage.send_and_confirm("[fake text x]")
        stage.wait_for_turns(turn)
        ended = max(float(hook["at"]) for hook in stage.hooks if hook["hook"] == "Stop")
        gaps.append(abs(stage.read_live_file()["statusUpdatedAt"] / 1000 - ended))
        time.sleep(0)
    assert sorted(gaps)[1] < 1.0, gaps
