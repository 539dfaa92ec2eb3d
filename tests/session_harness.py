"""A session of the scripted agent or of any command on a test's host, and its records."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from lisa_py.core.context import Context
from lisa_py.core.status import status_reader
from lisa_py.store import events, live_records, session_records
from lisa_py.store.paths import SessionRef
from tests.lisa_host import CallResult, LisaHost
from tests.polling import wait_until


def make_chat(ref: SessionRef) -> str:
    """Make the session one of the user; return its id."""
    record = live_records.read_readable(ref)
    assert record is not None
    record.family = "user"
    live_records.write_record(ref, record)
    return record.id


class SessionHarness:
    """One session, observed from outside."""

    def __init__(self, machine: LisaHost, name: str = "lisa-stage-1") -> None:
        self.machine = machine
        self.name = name
        self.ctx: Context = machine.context()
        self.ref: SessionRef = self.ctx.ref(name, str(machine.project))

    # -- making it --------------------------------------------------------------------------------------------

    def spawn(self, prompt: str = "", *flags: str, mode: str = "interactive", ready: bool = True) -> SessionHarness:
        """Start a scripted agent; wait until it is ready unless `ready` is False."""
        words = ["--agent", "scripted", "--mode", mode, "--no-dangerously-skip-permissions", *flags]
        answer = self.lisa("spawn", *words, *(["--prompt", prompt] if prompt else []))
        assert answer.code == 0, answer
        if ready and not prompt and mode == "interactive":
            self.wait_for_state("idle")
        return self

    def run(self, command: str) -> SessionHarness:
        """Start a session of a custom command."""
        answer = self.lisa("spawn", "--command", command)
        assert answer.code == 0, answer
        return self

    # -- acting on it -----------------------------------------------------------------------------------------

    def lisa(self, command: str, *words: str, **more: Any) -> CallResult:
        """Run `lisa session COMMAND --session NAME ... --json`, or another output form."""
        form = [] if {"--json", "--json-min"} & set(words) else ["--json"]
        return self.machine.lisa("session", *command.split(), "--session", self.name, *words, *form, **more)

    def send(self, text: str, *flags: str) -> CallResult:
        return self.lisa("send", "--text=" + text, "--enter", *flags)

    # -- looking at it ----------------------------------------------------------------------------------------

    @property
    def home(self) -> Path:
        return self.machine.home / ".scripted"

    def agent_state(self) -> dict[str, Any]:
        """Return the state file of the scripted agent; empty if there is none."""
        for path in (self.home / "sessions").glob("*.json"):
            with contextlib.suppress(OSError, ValueError):
                state: dict[str, Any] = json.loads(path.read_text())
                if self._belongs_to_session(state["pid"]):
                    return state
        return {}

    def _belongs_to_session(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return f"LISA_SESSION_NAME={self.name}" in Path(f"/proc/{pid}/environ").read_text().split("\0")
        return False

    def wait_for_state(self, state: str, **more: object) -> dict[str, Any]:
        expected = {"state": state, **more}
        return wait_until(
            lambda: (now := self.agent_state()) and now.items() >= expected.items() and now, what=str(expected)
        )

    def transcript(self, kind: str = "") -> list[dict[str, Any]]:
        path = Path(self.agent_state()["transcript"])
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [line for line in lines if not kind or line["type"] == kind]

    def prompts(self) -> list[str]:
        return [record["text"] for record in self.transcript("user")]

    def status(self) -> Any:
        return status_reader.read_status(self.ctx, self.ref)

    def wait_for_agent_pid(self) -> int:
        """Wait until the pid is known: a signal to process 0 would reach the tests themselves."""
        return wait_until(lambda: self.status().agent_pid, what="the agent's process is known")

    def screen(self) -> str:
        tmux = self.ctx.server(self.ref)
        pane = tmux.find_pane(self.name)
        return tmux.capture([pane.pane_id]).get(pane.pane_id, "") if pane else ""

    def wait_for_text(self, text: str) -> str:
        return wait_until(lambda: text in (screen := self.screen()) and screen, what=f"{text!r} on the screen")

    def wait_until_ended(self) -> int:
        """Wait for the end; return the exit code."""
        return wait_until(lambda: session_records.read_end(self.ref)).code

    def wait_until_dead(self) -> int:
        """Wait until tmux reports the pane dead and all writers have ended; return the exit code."""
        server = self.ctx.server(self.ref)
        wait_until(lambda: (pane := server.find_pane(self.name)) and pane.dead, what=f"{self.name} is dead")
        return self.wait_until_ended()

    def event_reasons(self) -> list[str]:
        return [event.reason for event in events.read_tail(self.ref, 100).events]
