"""One host with sessions and `lisa serve` for a module of comparisons."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client_kit import CLIENT, TerminalProgram, call_client, client_environment
from tests.lisa_host import PROGRAM, CallResult, LisaHost
from tests.server_kit import RunningServer, serving
from tests.session_harness import SessionHarness


class Comparison:
    """The same command line, run by the client and by lisa."""

    def __init__(self, machine: LisaHost, server: RunningServer) -> None:
        self.machine = machine
        self.server = server
        self.env = client_environment(machine)

    def client(self, *words: str, stdin: str = "", scope: str = "control") -> CallResult:
        env = self.env if scope == "control" else {**self.env, "LC_API_KEY": self.server.read_key}
        return call_client(*words, env=env, stdin=stdin)

    def lisa(self, *words: str, stdin: str = "") -> CallResult:
        return self.machine.lisa(*words, stdin=stdin, check_schema=False)

    def client_on_terminal(self, *words: str) -> TerminalProgram:
        return TerminalProgram([str(CLIENT.program), *words], self.env)

    def lisa_on_terminal(self, *words: str) -> TerminalProgram:
        return TerminalProgram([*PROGRAM, *words], self.machine.env, self.machine.project)

    def check_equal(self, *words: str) -> CallResult:
        """Compare output and exit code of both programs; return the result of the client.

        A session that runs may change between two calls: they are compared again, and a true difference stays.
        """
        for _ in range(4):
            theirs, ours = self.client(*words), self.lisa(*words)
            if (ours.out, ours.code, ours.err) == (theirs.out, theirs.code, theirs.err):
                break
        assert (ours.out, ours.code, ours.err) == (theirs.out, theirs.code, theirs.err), words
        return theirs


@pytest.fixture(scope="module")
def compare() -> Iterator[Comparison]:
    """Yield the two programs, and a server whose chats are of the scripted agent."""
    if not CLIENT.program.exists():
        pytest.skip(CLIENT.reason)
    machine = LisaHost()
    try:
        with serving(machine, "--agent", "scripted") as server:
            yield Comparison(machine, server)
    finally:
        machine.close()


@pytest.fixture(scope="module")
def ended(compare: Comparison) -> SessionHarness:
    """Return a session with tool calls, errors and text, after its end."""
    stage = SessionHarness(compare.machine, "lisa-ended-1").spawn()
    stage.send("[say one]")
    stage.wait_for_text("● one")
    stage.send("[run true] [say zwei äöü]")
    stage.wait_for_text("● zwei")
    stage.wait_for_state("idle")
    stage.send("/exit")
    stage.wait_until_dead()
    return stage
