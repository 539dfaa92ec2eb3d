"""Sessions of plain commands on a test's machine, made and looked at in the test's own process."""

from __future__ import annotations

from pathlib import Path

import psutil

from lisa_py.contract.records import Event
from lisa_py.core.context import Context
from lisa_py.core.life.launch import Request
from lisa_py.core.life.spawn import Spawned, SpawnRequest, spawn
from lisa_py.host.tmux import Pane
from lisa_py.store import events, session
from lisa_py.store.places import Place
from tests.machine import Machine
from tests.waiting import wait_until


class Fleet:
    """The sessions of one machine's project."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    @property
    def ctx(self) -> Context:
        return self.machine.context()

    def spawn(
        self, name: str, command: str = "exec sleep 600", *, mode: str = "interactive", root: str = ""
    ) -> Spawned:
        request = Request(agent="claude", mode=mode, command=command)
        return spawn(self.ctx, SpawnRequest(launch=request, session=name, project_root=root))

    def place(self, name: str) -> Place:
        return self.ctx.place(name)

    def folder(self, name: str) -> Path:
        return Path(self.place(name).folder)

    def files(self, name: str) -> list[str]:
        folder = self.folder(name)
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def pane(self, name: str) -> Pane | None:
        return self.ctx.tmux(self.ctx.project()).pane(name)

    def names(self) -> list[str]:
        return sorted(pane.session for pane in self.ctx.tmux(self.ctx.project()).panes())

    def ends(self, name: str) -> int:
        return wait_until(lambda: session.read_end(self.place(name)), what=f"{name} ends").code

    def dies(self, name: str) -> int:
        """The exit code, once tmux has seen the end too and nothing of it writes any more."""
        wait_until(lambda: (pane := self.pane(name)) and pane.dead, what=f"{name} is dead")
        return self.ends(name)

    def events(self, name: str) -> list[Event]:
        return list(events.tail(self.place(name), 100).events)

    def reasons(self, name: str) -> list[str]:
        return [event.reason for event in self.events(name)]

    def text(self, path: str) -> str:
        """A file in the project, once a session has written it."""
        file = self.machine.project / path
        return wait_until(lambda: file.exists() and file.read_text(), what=f"{path} is written")

    def processes(self, marker: str) -> list[psutil.Process]:
        """Living processes of this machine whose command line holds the marker."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            alive = process.info["status"] != psutil.STATUS_ZOMBIE
            if alive and any(marker in word for word in process.info["cmdline"] or ()):
                found.append(process)
        return found
