"""The TypeScript SDK against `lisa serve`: its examples, every call, a restart of the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lisa_host import LisaHost
from tests.sdk.typescript_kit import TypeScriptBuild
from tests.server_kit import RunningServer, serving

FLAGS = ("--agent", "scripted")


@pytest.fixture(scope="module")
def server(sdk: TypeScriptBuild) -> Iterator[RunningServer]:
    """Yield a server whose sessions are of the scripted agent."""
    machine = LisaHost()
    try:
        with serving(machine, *FLAGS, "--max-creations", "0") as running:
            yield running
    finally:
        machine.close()


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


@pytest.fixture
def program(sdk: TypeScriptBuild, server: RunningServer) -> ServedProgram:
    return ServedProgram(sdk, server)


def test_calls_are_answered(program: ServedProgram) -> None:
    assert program.run("live/rest") == "done\n"


def test_limits_of_creations_are_final(sdk: TypeScriptBuild) -> None:
    machine = LisaHost()
    try:
        with serving(machine, *FLAGS, "--max-sessions", "1", "--max-creations", "2") as limited:
            assert ServedProgram(sdk, limited).run("live/limited") == "done\n"
    finally:
        machine.close()
