"""A session of the scripted agent (or of any command) on a test's machine, and what it left behind."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from lisa_py.core.context import Context
from lisa_py.core.watch import look
from lisa_py.store import events, session
from lisa_py.store.places import Place
from tests.machine import Answer, Machine
from tests.waiting import wait_until


class Stage:
    """One session, looked at from outside."""

    def __init__(self, machine: Machine, name: str = "lisa-stage-1") -> None:
        self.machine = machine
        self.name = name
        self.ctx: Context = machine.context()
        self.place: Place = self.ctx.place(name, str(machine.project))

    # -- making it --------------------------------------------------------------------------------------------

    def spawn(self, prompt: str = "", *flags: str, mode: str = "interactive", ready: bool = True) -> Stage:
        """A scripted agent, ready for input unless told otherwise."""
        words = ["--agent", "scripted", "--mode", mode, "--no-dangerously-skip-permissions", *flags]
        answer = self.lisa("spawn", *words, *(["--prompt", prompt] if prompt else []))
        assert answer.code == 0, answer
        if ready and not prompt and mode == "interactive":
            self.reaches("idle")
        return self

    def run(self, command: str) -> Stage:
        """A command of the user's own."""
        answer = self.lisa("spawn", "--command", command)
        assert answer.code == 0, answer
        return self

    # -- acting on it -----------------------------------------------------------------------------------------

    def lisa(self, command: str, *words: str, **more: Any) -> Answer:
        """`lisa session COMMAND --session NAME ... --json` unless another form is asked for."""
        form = [] if {"--json", "--json-min"} & set(words) else ["--json"]
        return self.machine.lisa("session", command, "--session", self.name, *words, *form, **more)

    def send(self, text: str, *flags: str) -> Answer:
        return self.lisa("send", "--text=" + text, "--enter", *flags)

    # -- looking at it ----------------------------------------------------------------------------------------

    @property
    def home(self) -> Path:
        return self.machine.home / ".scripted"

    def agent(self) -> dict[str, Any]:
        """The scripted agent's own state file; empty when there is none."""
        for path in (self.home / "sessions").glob("*.json"):
            with contextlib.suppress(OSError, ValueError):
                state: dict[str, Any] = json.loads(path.read_text())
                if self._is_mine(state["pid"]):
                    return state
        return {}

    def _is_mine(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return f"LISA_SESSION_NAME={self.name}" in Path(f"/proc/{pid}/environ").read_text().split("\0")
        return False

    def reaches(self, state: str, **more: object) -> dict[str, Any]:
        wanted = {"state": state, **more}
        return wait_until(lambda: (now := self.agent()) and now.items() >= wanted.items() and now, what=str(wanted))

    def transcript(self, kind: str = "") -> list[dict[str, Any]]:
        path = Path(self.agent()["transcript"])
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [line for line in lines if not kind or line["type"] == kind]

    def prompts(self) -> list[str]:
        return [record["text"] for record in self.transcript("user")]

    def status(self) -> Any:
        return look.status(self.ctx, self.place)

    def agent_pid(self) -> int:
        """Once it is known: a signal to process 0 would go to the tests themselves."""
        return wait_until(lambda: self.status().agent_pid, what="the agent's process is known")

    def screen(self) -> str:
        tmux = self.ctx.server(self.place)
        pane = tmux.pane(self.name)
        return tmux.capture([pane.pane_id]).get(pane.pane_id, "") if pane else ""

    def shows(self, text: str) -> str:
        return wait_until(lambda: text in (screen := self.screen()) and screen, what=f"{text!r} on the screen")

    def ends(self) -> int:
        """The exit code, once it has ended."""
        return wait_until(lambda: session.read_end(self.place)).code

    def dies(self) -> int:
        """The exit code, once tmux has seen the end too and nothing of it writes any more."""
        server = self.ctx.server(self.place)
        wait_until(lambda: (pane := server.pane(self.name)) and pane.dead, what=f"{self.name} is dead")
        return self.ends()

    def events(self) -> list[str]:
        return [event.reason for event in events.tail(self.place, 100).events]
