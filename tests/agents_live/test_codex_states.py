"""The real codex in every condition: what lisa says of it, told by codex as lisa starts it, and without that help."""

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

from lisa_py.agents._codex.binding import native
from tests.agents_kit import Terminal, codex_home
from tests.agents_live.codex_stage import AGENT, Stage
from tests.fakes.model_api import FakeModelApi
from tests.waiting import wait_until

pytestmark = pytest.mark.agents

WAIT_FOR_FILE = "until [ -e go ]; do sleep 0.05; done"


Make = Callable[..., Stage]


@pytest.fixture
def make(api: FakeModelApi, tmp_path: Path) -> Iterator[Make]:
    with Terminal() as terminal:

        def made(*, told: bool = True, project: str = "proj", **options: Any) -> Stage:
            options.setdefault("retries", 2)
            home = codex_home(tmp_path, tmp_path / project, api.url, **options)
            return Stage(home, terminal, told=told)

        yield made


@pytest.fixture(params=[True, False], ids=["told", "untold"])
def stage(request: pytest.FixtureRequest, make: Make) -> Stage:
    """A codex at rest; `told`: with hooks and lisa's title, as it is started where it is known to take them."""
    made = make(told=request.param, todos=True)
    made.start()
    made.ready()
    return made


def test_it_starts_and_rests(stage: Stage) -> None:
    found = stage.until("idle", source="title")
    assert found.source == "title"
    wait_until(lambda: stage.bind().session_id)
    assert stage.bind().transcript == ""


def test_thinking_then_streaming_then_rest(stage: Stage, api: FakeModelApi) -> None:
    stage.tell("[fake gate first then text alpha beta then gate second then text gamma]")
    stage.until("thinking", source="title")
    api.open("first")
    stage.until("streaming", source="title")
    api.open("second")
    stage.until("idle", "prompt", source="title")
    assert "alpha beta" in "".join(stage.texts("assistant"))


def test_a_tool_runs(stage: Stage) -> None:
    stage.tell(f"[fake tool {WAIT_FOR_FILE} then text over]")
    found = stage.until("tool", source="title")
    assert found.detail == WAIT_FOR_FILE
    wait_until(lambda: any(report.source == "process" for report in stage.reports()))
    (stage.home.project / "go").touch()
    stage.until("idle", "prompt")


def test_a_permission_is_asked_and_given(stage: Stage) -> None:
    stage.tell("[fake ask touch made then text asked ok]")
    found = stage.until("waiting", "permission")
    assert found.detail == "touch made"
    wait_until(lambda: AGENT.choices(stage.view(screen=True).screen))
    listed = AGENT.choices(stage.view(screen=True).screen)
    assert [AGENT.pick(word, listed).number for word in ("yes", "always", "no")] == [1, 2, 3]  # type: ignore[union-attr]
    stage.terminal.keys("Enter")
    stage.until("idle", "prompt")
    assert (stage.home.project / "made").exists()


def test_a_permission_is_refused(stage: Stage) -> None:
    stage.tell("[fake ask touch made then text asked ok]")
    wait_until(lambda: AGENT.choices(stage.view(screen=True).screen))
    stage.terminal.keys("Escape")
    stage.until("interrupted", "prompt")
    assert not (stage.home.project / "made").exists()


def test_a_question_is_asked_and_answered(stage: Stage) -> None:
    stage.tell("[fake question Which colour? | red | blue then text chosen {last}]")
    found = stage.until("waiting", "question")
    assert "Which colour?" in found.detail
    stage.terminal.keys("Down", "Enter")
    stage.until("idle", "prompt")
    assert "blue" in stage.texts("assistant")[-1]


def test_the_plan_is_seen(stage: Stage) -> None:
    stage.tell("[fake todos 1/3 then text planned]")
    stage.until("idle", "prompt")
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
    stage.ready()
    stage.tell(f"[fake error {kind}]")
    found = stage.until("error", waiting_for, error)
    assert found.source == "title"
    assert found.detail


def test_a_dropped_connection_ends_in_a_network_error(make: Make) -> None:
    stage = make(retries=1)
    stage.start()
    stage.ready()
    stage.tell("[fake drop]")
    stage.until("error", "error", "network")


def test_it_retries(stage: Stage) -> None:
    stage.tell("[fake error rate_limit]")
    stage.until("retrying", error="rate_limit")
    stage.until("error", "limit", "rate_limit")


def test_an_error_is_forgotten_at_the_next_turn(stage: Stage) -> None:
    stage.tell("[fake error usage_limit]")
    stage.until("error", "limit", "usage_limit")
    stage.tell("[fake text fine]")
    stage.until("idle", "prompt")


def test_an_interrupt_before_the_first_word(stage: Stage) -> None:
    stage.tell("[fake gate never]")
    stage.until("thinking")
    stage.terminal.keys("Escape")
    stage.until("interrupted", "prompt")
    stage.tell("[fake text next]")
    stage.until("idle", "prompt")
    assert stage.texts("user")[-1] == "[fake text next]"


def test_an_interrupted_tool_that_goes_on_alone_is_rest(stage: Stage) -> None:
    stage.tell(f"[fake tool {WAIT_FOR_FILE} then text over]")
    stage.until("tool")
    wait_until(lambda: any(report.source == "process" for report in stage.reports()))
    stage.terminal.keys("Escape")
    stage.until("interrupted", "prompt")
    (stage.home.project / "go").touch()


def test_a_text_during_a_tool_is_taken_and_answered_after_it(stage: Stage) -> None:
    stage.tell(f"[fake tool {WAIT_FOR_FILE} then text over]")
    stage.until("tool")
    stage.send("[fake text steered]")
    assert stage.accepted("[fake text steered]") in ("agent_file", "screen")
    assert stage.says("tool")
    (stage.home.project / "go").touch()
    stage.until("idle", "prompt")
    assert stage.texts("assistant")[-1] == "steered"


def test_a_menu_over_the_input_box_is_a_dialog_once_the_screen_is_read(stage: Stage) -> None:
    stage.send("/model")

    def shown() -> bool:
        found = stage.fused(screen=True)
        return found is not None and (found.state, found.waiting_for) == ("waiting", "dialog")

    wait_until(shown)
    stage.terminal.keys("Escape")
    stage.until("idle")


def test_new_begins_another_thread(stage: Stage) -> None:
    stage.tell("[fake text one]")
    stage.until("idle", "prompt")
    before = stage.bind()
    stage.send("/new")
    assert stage.accepted("/new") == "agent_file"
    wait_until(lambda: stage.bind().session_id != before.session_id)
    assert stage.bind().transcript == ""
    stage.tell("[fake text two]")
    stage.until("idle", "prompt")
    after = stage.bind()
    assert after.transcript != before.transcript
    assert stage.texts("assistant") == ["two"]


def test_another_thread_is_resumed_in_the_same_pane(make: Make) -> None:
    stage = make()
    stage.start()
    stage.ready()
    stage.tell("[fake text one]")
    stage.until("idle", "prompt")
    first = stage.bind()
    stage.tell("/new")
    stage.tell("[fake text two]")
    stage.until("idle", "prompt")
    stage.send(f"/resume {first.session_id}")
    wait_until(lambda: stage.bind().session_id == first.session_id)
    assert stage.texts("assistant") == ["one"]


def test_it_is_left(stage: Stage) -> None:
    stage.tell("[fake text one]")
    stage.until("idle", "prompt")
    stage.send("/quit")
    assert stage.end_code() == 0
    assert [report for report in stage.reports(screen=True) if report.source in ("title", "screen")] == []


def test_it_is_killed(stage: Stage) -> None:
    stage.tell("[fake gate never]")
    stage.until("thinking")
    process = native(stage.view().processes)
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert stage.end_code() == 137
    assert not [report for report in stage.reports() if report.source == "title"]


def test_no_trust_is_a_dialog_and_trust_for_the_run_prevents_it(make: Make, api: FakeModelApi, tmp_path: Path) -> None:
    stage = make(trusted=False)
    subprocess.run(["git", "init", "-q", str(stage.home.project)], check=True)
    stage.start()
    found = stage.until("waiting", "trust", source="screen")
    assert found.detail == "Folder access"
    stage.terminal.keys("Escape")
    stage.until("waiting", "dialog", source="screen")  # the list of tasks: no thread, no input box
    with Terminal() as other:
        trusting = Stage(stage.home, other)
        plan = trusting.start(trust=True)
        trusting.ready()
        assert any("trusts" in note for note in plan.notes)
    assert "trust_level" not in (stage.home.home / ".codex" / "config.toml").read_text()


def test_hooks_of_the_users_own_are_asked_about_and_not_run_untrusted(make: Make) -> None:
    stage = make()
    own = stage.home.home.parent / "own-hook-ran"
    hooks = {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": f"touch {own}"}]}]}}
    (stage.home.home / ".codex" / "hooks.json").write_text(json.dumps(hooks))
    stage.start()
    stage.until("waiting", "hooks_trust", source="screen")
    assert "1 hook is new" in stage.terminal.screen()  # the user's, none of lisa's
    stage.terminal.keys("3")
    stage.ready()
    stage.tell("[fake text hello]")
    stage.until("idle", "prompt")
    wait_until(lambda: "Stop" in stage.hook_names())
    assert not own.exists()


def test_trusted_hooks_of_the_users_own_go_on_beside_ours(make: Make) -> None:
    from lisa_py.agents._codex import hooks

    stage = make()
    own = stage.home.home.parent / "own-hook-ran"
    config = stage.home.home / ".codex" / "config.toml"
    given, state = hooks.settings(f"touch {own} #", ["Stop"])
    state = state.replace("/<session-flags>/config.toml", str(config))
    config.write_text(f"{given}\n{state}\n" + config.read_text())
    stage.start()
    stage.ready()
    stage.tell("[fake text hello]")
    stage.until("idle", "prompt")
    wait_until(lambda: own.exists() and "Stop" in stage.hook_names())


def test_no_login_is_a_dialog(make: Make) -> None:
    stage = make()
    (stage.home.home / ".codex" / "config.toml").write_text("")
    stage.start()
    stage.until("waiting", "login", source="screen")


def test_an_update_is_not_offered_unless_asked_for(make: Make) -> None:
    stage = make(config={"check_for_update_on_startup": True})
    checked = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    newer = {"latest_version": "99.0.0", "last_checked_at": checked, "dismissed_version": None}
    (stage.home.home / ".codex" / "version.json").write_text(json.dumps(newer))
    stage.start(agent_args="-c check_for_update_on_startup=true")
    stage.until("waiting", "update", source="screen")
    with Terminal() as other:
        quiet = Stage(stage.home, other)
        quiet.start()
        quiet.ready()


def test_a_slow_helper_server_is_neither_work_nor_rest(make: Make) -> None:
    stage = make(config={"mcp_servers": {"slow": {"command": "sleep", "args": ["30"]}}})
    stage.start()
    stage.until("idle", "prompt", source="screen")
    stage.tell("[fake gate hold then text done]")
    stage.until("thinking")
    assert "Starting" in stage.terminal.show("pane_title")


@pytest.mark.parametrize("project", ["with space", "un_der.dot", "ünï-日本", "x" * 200])
def test_any_folder_name_will_do(make: Make, project: str) -> None:
    stage = make(project=project, trusted=False)
    subprocess.run(["git", "init", "-q", str(stage.home.project)], check=True)
    stage.start(trust=True)
    stage.ready()
    stage.tell("[fake text hello]")
    stage.until("idle", "prompt", source="title")
    assert stage.texts("assistant") == ["hello"]


def test_no_background_server_is_left(stage: Stage) -> None:
    stage.tell("[fake text hello]")
    stage.until("idle", "prompt")
    tree = stage.view().processes
    assert not any("app-server" in word for process in tree for word in process.argv)
    stage.send("/quit")
    stage.end_code()
    assert not any("daemon" in path.name for path in (stage.home.home / ".codex").iterdir())
