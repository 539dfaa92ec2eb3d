"""The TypeScript SDK against `lisa serve`: its examples, every call, a restart of the server."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.auth.claude.test_login import CLAUDE_LIKE
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.sdk.typescript_kit import TypeScriptBuild
from tests.server_kit import RunningServer, serving

FLAGS = ("--agent", "scripted")


@pytest.fixture(scope="module")
def server(sdk: TypeScriptBuild) -> Iterator[RunningServer]:
    """Yield a server whose sessions are of the scripted agent."""
    machine = LisaHost()
    machine.add_program("claude", CLAUDE_LIKE)
    try:
        with serving(machine, *FLAGS, "--max-creations", "0") as running:
            running.register()
            yield running
    finally:
        machine.close()


class BackgroundProgram:
    """A program that writes to files, so that a reader can wait for a text."""

    def __init__(self, command: list[str], cwd: Path, env: dict[str, str]) -> None:
        folder = Path(tempfile.mkdtemp(dir=env["TMPDIR"]))
        self._out, self._err = folder / "out", folder / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.output or self._process.poll() is not None, what=text)
        assert text in self.output, self.output + self.errors

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        return self._process.wait(timeout=30)

    @property
    def output(self) -> str:
        return self._out.read_text()

    @property
    def errors(self) -> str:
        return self._err.read_text()


class ServedProgram:
    """A compiled program that talks to the server."""

    def __init__(self, sdk: TypeScriptBuild, server: RunningServer) -> None:
        self._sdk = sdk
        self._server = server
        self.env = {"AI_SESSIONS_URL": server.url, "AI_SESSIONS_TOKEN": server.mint(), "HOME": str(server.machine.home)}

    def run(self, program: str, *words: str) -> str:
        """Run it to its end; return what it printed."""
        ran = self._sdk.run(program, *words, env=self.env)
        assert ran.returncode == 0, ran.stdout + ran.stderr + self._server.error_file.read_text()
        return ran.stdout

    def start(self, program: str, *words: str) -> BackgroundProgram:
        """Run it beside the test."""
        env = {**self._server.machine.env, **self.env}
        return BackgroundProgram(self._sdk.command(program, *words), self._sdk.folder, env)


@pytest.fixture
def program(sdk: TypeScriptBuild, server: RunningServer) -> ServedProgram:
    return ServedProgram(sdk, server)


def start_chat(server: RunningServer) -> str:
    """Start a session of the user; return its id."""
    answer = server.call("POST", "/v1/sessions", {}).body
    return str(answer["session"]["id"])


def read_status(server: RunningServer, identity: str) -> str:
    return str(server.call("GET", f"/v1/sessions/{identity}").body["session"]["status"])


def test_quick_start_runs(program: ServedProgram, server: RunningServer) -> None:
    lines = program.run("examples/quick-start", "[run echo one-two] [say the answer]").splitlines()
    assert lines[1:3] == ["Connection: connecting", "Connection: connected"]
    assert any(line.startswith("Tool: ") and "echo one-two" in line for line in lines)
    assert any(line.startswith("Agent: [") and "the answer" in line for line in lines)
    assert lines[-1] == "Connection: disconnected"
    identity = lines[0].removeprefix("Session: ")
    assert read_status(server, identity) == "running"


def test_complete_example_runs_until_ctrl_c(program: ServedProgram, server: RunningServer) -> None:
    server.call("DELETE", "/v1/register")  # the example registers only if the status of the credential is refused
    running = program.start("examples/complete", "[run echo one-two] [say the answer]")
    running.wait_for("the answer")
    running.interrupt()
    assert (running.wait(), running.errors) == (0, "")
    lines = running.output.splitlines()
    assert "Connected" in lines and "[one-two" in lines and lines[-1] == "Ending the session..."
    assert read_status(server, lines[0].removeprefix("Session: ")) == "ended"


@pytest.mark.parametrize("name", ["rest", "talk", "files"])
def test_calls_are_answered(program: ServedProgram, name: str) -> None:
    assert program.run(f"live/{name}") == "done\n"


def test_limits_of_creations_are_final(sdk: TypeScriptBuild) -> None:
    machine = LisaHost()
    try:
        with serving(machine, *FLAGS, "--max-sessions", "1", "--max-creations", "2") as limited:
            limited.register()
            assert ServedProgram(sdk, limited).run("live/limited") == "done\n"
    finally:
        machine.close()


def test_refused_connections_have_a_reason(program: ServedProgram, server: RunningServer) -> None:
    assert program.run("live/refused", start_chat(server)) == "done\n"


def test_killed_server_loses_no_message(sdk: TypeScriptBuild) -> None:
    machine = LisaHost()
    try:
        with serving(machine, *FLAGS) as first:
            first.register()
            port = first.port
            identity = start_chat(first)
            running = ServedProgram(sdk, first).start("live/follow", identity)
            take_turn(machine, identity, "[say one]")
            running.wait_for('"one"')
            first.kill()
            take_turn(machine, identity, "[run true] [say two]")
        with serving(machine, *FLAGS, port=port) as second:
            take_turn(machine, identity, "[say three]")
            running.wait_for('"three"')
            second.call("DELETE", f"/v1/sessions/{identity}")
            assert running.wait() == 0, running.errors
            history = second.call("GET", f"/v1/sessions/{identity}/history").body["messages"]
        seen = pick_words([json.loads(line) for line in running.output.splitlines()])
        states = running.errors.split()
    finally:
        machine.close()
    assert states == ["connecting", "connected", "reconnecting", "connected", "disconnected"]
    assert seen == [*pick_words(history), ("session_end", "user_requested")]
    assert [text for kind, text in seen if kind == "assistant"] == ["one", "two", "three"]


def take_turn(machine: LisaHost, identity: str, text: str) -> None:
    assert machine.lisa("session", "turn", "--session", identity, f"--text={text}", "--enter").code == 0


def pick_words(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return type and text of the messages of the conversation."""
    kinds = ("user", "assistant", "tool_use", "tool_result", "result", "session_end")
    return [(each["type"], read_text(each["payload"])) for each in messages if each["type"] in kinds]


def read_text(payload: dict[str, Any]) -> str:
    content = payload.get("content", payload.get("name", payload.get("reason", payload.get("subtype", ""))))
    return content if isinstance(content, str) else "".join(block["text"] for block in content)
