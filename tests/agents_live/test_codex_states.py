"""States of the real codex, with and without lisa's hooks and title."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lisa_py.agents._codex.session import find_native_process
from tests.agents_kit import Terminal, codex_home
from tests.agents_live.codex_harness import AGENT, CodexHarness
from tests.fakes.model_api import FakeModelApi
from tests.polling import wait_until

pytestmark = pytest.mark.agents

WAIT_FOR_FILE = "until [ -e go ]; do sleep 0.05; done"


Make = Callable[..., CodexHarness]


@pytest.fixture
def make(api: FakeModelApi, tmp_path: Path) -> Iterator[Make]:
    with Terminal() as terminal:

        def made(*, known_version: bool = True, project: str = "proj", **options: Any) -> CodexHarness:
            options.setdefault("retries", 2)
            home = codex_home(tmp_path, tmp_path / project, api.url, **options)
            return CodexHarness(home, terminal, known_version=known_version)

        yield made


@pytest.fixture(params=[True, False], ids=["known", "unknown"])
def stage(request: pytest.FixtureRequest, make: Make) -> CodexHarness:
    """An idle codex; with `known_version` started with lisa's hooks and title."""
    made = make(known_version=request.param, todos=True)
    made.start()
    made.wait_until_ready()
    return made


def test_start_ends_idle(stage: CodexHarness) -> None:
    found = stage.wait_for_state("idle", source="title")
    assert found.source == "title"
    wait_until(lambda: stage.bind().session_id)
    assert stage.bind().transcript == ""


def test_thinking_then_streaming_then_idle(stage: CodexHarness, api: FakeModelApi) -> None:
    stage.send_and_confirm("[fake gate first then text alpha beta then gate second then text gamma]")
    stage.wait_for_state("thinking", source="title")
    api.open("first")
    stage.wait_for_state("streaming", source="title")
    api.open("second")
    stage.wait_for_state("idle", "prompt", source="title")
    assert "alpha beta" in "".join(stage.texts("assistant"))


def test_a_tool_runs(stage: CodexHarness) -> None:
    stage.send_and_confirm(f"[fake tool {WAIT_FOR_FILE} then text over]")
    found = stage.wait_for_state("tool", source="title")
    assert found.detail == WAIT_FOR_FILE
    wait_until(lambda: any(report.source == "process" for report in stage.reports()))
    (stage.home.project / "go").touch()
    stage.wait_for_state("idle", "prompt")


def test_permission_is_requested_and_granted(stage: CodexHarness) -> None:
    stage.send_and_confirm("[fake ask touch made then text asked ok]")
    found = stage.wait_for_state("waiting", "permission")
    assert found.detail == "touch made"
    wait_until(lambda: AGENT.find_choices(stage.view(screen=True).screen))
    listed = AGENT.find_choices(stage.view(screen=True).screen)
    assert [AGENT.pick_choice(word, listed).number for word in ("yes", "always", "no")] == [1, 2, 3]  # type: ignore[union-attr]
    stage.choose(1)
    stage.wait_for_state("idle", "prompt")
    assert (stage.home.project / "made").exists()


def test_a_permission_is_refused(stage: CodexHarness) -> None:
    stage.send_and_confirm("[fake ask touch made then text asked ok]")
    wait_until(stage.selected_choice, what="the choices of the dialog")
    stage.press_until(lambda: stage.has_state("interrupted", "prompt"), "Escape")
    assert not (stage.home.project / "made").exists()


def test_a_question_is_asked_and_answered(stage: CodexHarness) -> None:
    stage.send_and_confirm("[fake question Which colour? | red | blue then text chosen {last}]")
    found = stage.wait_for_state("waiting", "question")
    assert "Which colour?" in found.detail
    stage.choose(2)
    stage.wait_for_state("idle", "prompt")
    assert "blue" in stage.texts("assistant")[-1]


def test_plan_is_reported(stage: CodexHarness) -> None:
    stage.send_and_confirm("[fake todos 1/3 then text planned]")
    stage.wait_for_state("idle", "prompt")
    todos = AGENT.todos(stage.view(), stage.bind())
    assert [todo.status for todo in todos] == ["completed", "in_progress", "pending"]


@pytest.mark.parametrize(
    ("kind", "waiting_for", "error"),
    [
        ("auth", "error", "auth"),
        ("permission", "error", "permission"),
        ("billing", "limit", "billing"),
        ("bad_request", "error", "bad_request"),
        ("too_long", "error", "too_long"),
        ("not_found", "error", "not_found"),
        ("rate_limit", "limit", "rate_limit"),
        ("usage_limit", "limit", "usage_limit"),
        ("server", "error", "server"),
        ("overloaded", "error", "overloaded"),
    ],
)
def test_a_turn_that_ends_in_an_error(make: Make, kind: str, waiting_for: str, error: str) -> None:
    stage = make(retries=1)
    stage.start()
    stage.wait_until_ready()
    stage.send_and_confirm(f"[fake error {kind}]")
    found = stage.wait_for_state("error", waiting_for, error)
    assert found.source == "title"
    assert found.detail


def test_a_dropped_connection_ends_in_a_network_error(make: Make) -> None:
    stage = make(retries=1)
    stage.start()
    stage.wait_until_ready()
    stage.send_and_confirm("[fake drop]")
    stage.wait_for_state("error", "error", "network")


def test_retry_is_reported(stage: CodexHarness) -> None:
    stage.send_and_confirm("[fake error rate_limit]")
    stage.wait_for_state("retrying", error="rate_limit")
    stage.wait_for_state("error", "limit", "rate_limit")


def test_error_is_cleared_at_the_next_turn(stage: CodexHarness) -> None:
    stage.send_and_confirm("[fake error usage_limit]")
    stage.wait_for_state("error", "limit", "usage_limit")
    stage.send_and_confirm("[fake text fine]")
    stage.wait_for_state("idle", "prompt")


def test_an_interrupt_before_the_first_word(stage: CodexHarness) -> None:
    stage.send_and_confirm("[fake gate never]")
    stage.wait_for_state("thinking")
    stage.terminal.press("Escape")
    stage.wait_for_state("interrupted", "prompt")
    stage.send_and_confirm("[fake text next]")
    stage.wait_for_state("idle", "prompt")
    assert stage.texts("user")[-1] == "[fake text next]"


def test_tool_that_outlives_an_interrupt_is_idle(stage: CodexHarness) -> None:
    stage.send_and_confirm(f"[fake tool {WAIT_FOR_FILE} then text over]")
    stage.wait_for_state("tool")
    wait_until(lambda: any(report.source == "process" for report in stage.reports()))
    stage.terminal.press("Escape")
    stage.wait_for_state("interrupted", "prompt")
    (stage.home.project / "go").touch()


def test_text_during_a_tool_is_queued_and_answered(stage: CodexHarness) -> None:
    stage.send_and_confirm(f"[fake tool {WAIT_FOR_FILE} then text over]")
    stage.wait_for_state("tool")
    stage.send("[fake text steered]")
    assert stage.wait_for_acceptance("[fake text steered]") in ("agent_file", "screen")
    assert stage.has_state("tool")
    (stage.home.project / "go").touch()
    stage.wait_for_state("idle", "prompt")
    assert stage.texts("assistant")[-1] == "steered"


def test_menu_over_the_input_box_is_a_dialog(stage: CodexHarness) -> None:
    stage.send("/model")

    def shown() -> bool:
        found = stage.fuse_reports(screen=True)
        return found is not None and (found.state, found.waiting_for) == ("waiting", "dialog")

    wait_until(shown)
    stage.press_until(lambda: stage.has_state("idle"), "Escape")


def test_new_command_begins_another_thread(stage: CodexHarness) -> None:
    stage.send_and_confirm("[fake text one]")
    stage.wait_for_state("idle", "prompt")
    before = stage.bind()
    stage.send("/new")
    assert stage.wait_for_acceptance("/new") == "agent_file"
    wait_until(lambda: stage.bind().session_id != before.session_id)
    assert stage.bind().transcript == ""
    stage.send_and_confirm("[fake text two]")
    stage.wait_for_state("idle", "prompt")
    after = stage.bind()
    assert after.transcript != before.transcript
    assert stage.texts("assistant") == ["two"]


def test_another_thread_is_resumed_in_the_same_pane(make: Make) -> None:
    stage = make()
    stage.start()
    stage.wait_until_ready()
    stage.send_and_confirm("[fake text one]")
    stage.wait_for_state("idle", "prompt")
    first = stage.bind()
    stage.send_and_confirm("/new")
    stage.send_and_confirm("[fake text two]")
    stage.wait_for_state("idle", "prompt")
    stage.send(f"/resume {first.session_id}")
    wait_until(lambda: stage.bind().session_id == first.session_id)
    assert stage.texts("assistant") == ["one"]


def test_exit_is_reported(stage: CodexHarness) -> None:
    stage.send_and_confirm("[fake text one]")
    stage.wait_for_state("idle", "prompt")
    stage.send("/quit")
    assert stage.wait_for_exit_code() == 0
    assert [report for report in stage.reports(screen=True) if report.source in ("title", "screen")] == []


def test_kill_is_reported(stage: CodexHarness) -> None:
    stage.send_and_confirm("[fake gate never]")
    stage.wait_for_state("thinking")
    process = find_native_process(stage.view().processes)
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert stage.wait_for_exit_code() == 137
    assert not [report for report in stage.reports() if report.source == "title"]


def test_missing_trust_is_a_dialog_unless_set_for_the_run(make: Make, api: FakeModelApi, tmp_path: Path) -> None:
    stage = make(trusted=False)
    subprocess.run(["git", "init", "-q", str(stage.home.project)], check=True)
    stage.start()
    found = stage.wait_for_state("waiting", "trust", source="screen")
    assert found.detail == "Folder access"
    stage.terminal.press("Escape")
    stage.wait_for_state("waiting", "dialog", source="screen")  # the list of tasks: no thread, no input box
    with Terminal() as other:
        trusting = CodexHarness(stage.home, other)
        plan = trusting.start(trust=True)
        trusting.wait_until_ready()
        assert any("trusts" in note for note in plan.notes)
    assert "trust_level" not in (stage.home.home / ".codex" / "config.toml").read_text()


def test_untrusted_user_hooks_are_not_run(make: Make) -> None:
    stage = make()
    own = stage.home.home.parent / "own-hook-ran"
    hooks = {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": f"touch {own}"}]}]}}
    (stage.home.home / ".codex" / "hooks.json").write_text(json.dumps(hooks))
    stage.start()
    stage.wait_for_state("waiting", "hooks_trust", source="screen")
    assert "1 hook is new" in stage.terminal.screen()  # the user's, none of lisa's
    stage.terminal.press("3")
    stage.wait_until_ready()
    stage.send_and_confirm("[fake text hello]")
    stage.wait_for_state("idle", "prompt")
    wait_until(lambda: "Stop" in stage.hook_names())
    assert not own.exists()


def test_trusted_hooks_of_the_user_still_run(make: Make) -> None:
    from lisa_py.agents._codex import hooks

    stage = make()
    own = stage.home.home.parent / "own-hook-ran"
    config = stage.home.home / ".codex" / "config.toml"
    given, state = hooks.hook_settings(f"touch {own} #", ["Stop"])
    state = state.replace("/<session-flags>/config.toml", str(config))
    config.write_text(f"{given}\n{state}\n" + config.read_text())
    stage.start()
    stage.wait_until_ready()
    stage.send_and_confirm("[fake text hello]")
    stage.wait_for_state("idle", "prompt")
    wait_until(lambda: own.exists() and "Stop" in stage.hook_names())


def test_missing_login_is_a_dialog(make: Make) -> None:
    stage = make()
    (stage.home.home / ".codex" / "config.toml").write_text("")
    stage.start()
    stage.wait_for_state("waiting", "login", source="screen")


def test_update_is_not_offered_by_default(make: Make) -> None:
    stage = make(config={"check_for_update_on_startup": True})
    checked = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    newer = {"latest_version": "99.0.0", "last_checked_at": checked, "dismissed_version": None}
    (stage.home.home / ".codex" / "version.json").write_text(json.dumps(newer))
    stage.start(agent_args="-c check_for_update_on_startup=true")
    stage.wait_for_state("waiting", "update", source="screen")
    with Terminal() as other:
        quiet = CodexHarness(stage.home, other)
        quiet.start()
        quiet.wait_until_ready()


def test_slow_mcp_server_does_not_affect_the_state(make: Make) -> None:
    stage = make(config={"mcp_servers": {"slow": {"command": "sleep", "args": ["30"]}}})
    stage.start()
    stage.wait_for_state("idle", "prompt", source="screen")
    stage.send_and_confirm("[fake gate hold then text done]")
    stage.wait_for_state("thinking")
    assert "Starting" in stage.terminal.format_value("pane_title")


@pytest.mark.parametrize("project", ["with space", "un_der.dot", "ünï-日本", "x" * 200])
def test_any_folder_name_is_supported(make: Make, project: str) -> None:
    stage = make(project=project, trusted=False)
    subprocess.run(["git", "init", "-q", str(stage.home.project)], check=True)
    stage.start(trust=True)
    stage.wait_until_ready()
    stage.send_and_confirm("[fake text hello]")
    stage.wait_for_state("idle", "prompt", source="title")
    assert stage.texts("assistant") == ["hello"]


def test_no_background_server_is_left(stage: CodexHarness) -> None:
    stage.send_and_confirm("[fake text hello]")
    stage.wait_for_state("idle", "prompt")
    tree = stage.view().processes
    assert not any("app-server" in word for process in tree for word in process.argv)
    stage.send("/quit")
    stage.wait_for_exit_code()
    assert not any("daemon" in path.name for path in (stage.home.home / ".codex").iterdir())
