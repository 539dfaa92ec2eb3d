"""The real claude and codex offline: a prompt gets the answer of the fake model."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agents_kit import AgentHome, Pin, Terminal, claude_home, codex_home, pins, reported_version
from tests.fakes.model_api import FakeModelApi, Request

pytestmark = pytest.mark.agents

TOOL = "[fake tool echo hi then text the tool said {last}]"
HOMES: dict[str, Callable[..., AgentHome]] = {"claude": claude_home, "codex": codex_home}


@pytest.fixture(params=pins(older=True), ids=lambda pin: f"{pin.agent}-{pin.version}")
def make_home(request: pytest.FixtureRequest, api: FakeModelApi, tmp_path: Path) -> Callable[..., AgentHome]:
    pin: Pin = request.param

    def make(**options: Any) -> AgentHome:
        home = HOMES[pin.agent]
        return home(tmp_path, tmp_path / "project", api.url, version=pin.version, **options)

    return make


def run_once(home: AgentHome, prompt: str) -> subprocess.CompletedProcess[str]:
    """One prompt without a terminal."""
    mode = ["-p"] if home.agent == "claude" else ["exec", "--skip-git-repo-check"]
    return subprocess.run(
        home.argv(*mode, prompt),
        env=home.env,
        cwd=home.project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def begin(home: AgentHome, terminal: Terminal) -> None:
    """The agent in the terminal, ready for a prompt."""
    terminal.start(home.argv(), home.env, home.project)
    terminal.wait_for(home.ready)


def send(api: FakeModelApi, terminal: Terminal, prompt: str) -> None:
    """Type a prompt and see it arrive, byte for byte."""
    terminal.submit(prompt, lambda: prompt in api.prompts())


def test_the_pinned_version_is_installed(make_home: Callable[..., AgentHome]) -> None:
    home = make_home()
    assert f"@{reported_version(home.binary)}/" in str(home.binary)


def test_one_prompt_with_a_tool(make_home: Callable[..., AgentHome], api: FakeModelApi) -> None:
    ran = run_once(make_home(), TOOL)
    assert ran.stdout.strip() == "the tool said hi", ran.stderr
    assert api.prompts() == [TOOL]


def test_one_prompt_that_fails(make_home: Callable[..., AgentHome], api: FakeModelApi) -> None:
    ran = run_once(make_home(), "[fake error billing]")
    assert ran.returncode == 1
    assert api.requests[-1].outcome == "failed"


def test_one_prompt_that_recovers(make_home: Callable[..., AgentHome], api: FakeModelApi) -> None:
    ran = run_once(make_home(), "[fake error overloaded 1 then think 0 hm then text fine]")
    assert ran.stdout.strip() == "fine", ran.stderr
    assert len(api.prompts()) == 1


def test_a_terminal_session(make_home: Callable[..., AgentHome], api: FakeModelApi, terminal: Terminal) -> None:
    home = make_home(permission="bypass")
    begin(home, terminal)
    send(api, terminal, TOOL)
    terminal.wait_for("the tool said hi")
    send(api, terminal, "[fake gate pause then text went on]")
    api.wait_at_gate("pause")
    assert "● went on" not in terminal.screen()
    api.open("pause")
    terminal.wait_for("[●•] went on")


def test_an_interrupt_reaches_the_model(
    make_home: Callable[..., AgentHome], api: FakeModelApi, terminal: Terminal
) -> None:
    begin(make_home(), terminal)
    send(api, terminal, "[fake text begun then hang 60]")
    terminal.wait_for("[●•] begun")
    terminal.press("Escape")
    api.wait_for(lambda request: request.outcome == "gone")
    terminal.wait_for("(?i)interrupted")


def test_a_permission_dialog(make_home: Callable[..., AgentHome], api: FakeModelApi, terminal: Terminal) -> None:
    home = make_home()
    begin(home, terminal)
    send(api, terminal, "[fake ask touch made-by-agent then text allowed]")
    terminal.wait_for("Do you want to proceed|Would you like to run")
    assert not (home.project / "made-by-agent").exists()
    terminal.press_until(lambda: (home.project / "made-by-agent").exists(), "Enter")
    terminal.wait_for("[●•] allowed")


def test_todos_and_a_question(make_home: Callable[..., AgentHome], api: FakeModelApi, terminal: Terminal) -> None:
    begin(make_home(todos=True), terminal)
    send(api, terminal, "[fake todos 2/5 then text listed]")
    terminal.wait_for("[●•] listed")
    send(api, terminal, "[fake question Which colour? | red | blue then text chosen {last}]")
    terminal.wait_for("Which colour\\?")
    terminal.press_until(lambda: last_kind(api.requests) == "results", "Enter")
    terminal.wait_for("[●•] chosen .*red")


def last_kind(requests: list[Request]) -> str:
    """Return the newest request of a conversation."""
    return [request.kind for request in requests if request.kind != "title"][-1]


@pytest.mark.parametrize("lines", [3, 600])
def test_a_pasted_prompt_arrives_byte_for_byte(
    make_home: Callable[..., AgentHome], api: FakeModelApi, terminal: Terminal, lines: int
) -> None:
    begin(make_home(), terminal)
    text = "\n".join(f"line {number}: äö \\ $HOME `x`" for number in range(lines))
    send(api, terminal, f"{text}\n[fake text all of it]")
    terminal.wait_for("[●•] all of it")


def test_an_untrusted_project_asks_first(api: FakeModelApi, terminal: Terminal, tmp_path: Path) -> None:
    home = claude_home(tmp_path, tmp_path / "project", api.url, trusted=False)
    terminal.start(home.argv(), home.env, home.project)
    terminal.wait_for("(?i)trust this folder|trust the files")
    assert api.prompts() == []


def test_the_conversation_is_compacted_on_command(
    make_home: Callable[..., AgentHome], api: FakeModelApi, terminal: Terminal
) -> None:
    begin(make_home(), terminal)
    send(api, terminal, "[fake text first]")
    terminal.wait_for("[●•] first")
    send(api, terminal, "[fake text second]")
    terminal.wait_for("[●•] second")
    terminal.submit("/compact", lambda: last_kind(api.requests) == "compact")
    terminal.wait_for("(?i)compacted")
