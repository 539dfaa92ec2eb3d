"""Sessions of plain commands, started and read in the process of the test."""

from __future__ import annotations

from pathlib import Path

import psutil

from lisa_py.contract.records import Event
from lisa_py.core.context import Context
from lisa_py.core.lifecycle.launch import LaunchRequest
from lisa_py.core.lifecycle.spawn import spawn_session
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.lifecycle.spawn_result import SpawnResult
from lisa_py.host.tmux import Pane
from lisa_py.store import events, session_records
from lisa_py.store.paths import SessionRef
from tests.lisa_host import LisaHost
from tests.polling import wait_until


class Fleet:
    """The sessions of one project."""

    def __init__(self, machine: LisaHost) -> None:
        self.machine = machine

    @property
    def ctx(self) -> Context:
        return self.machine.context()

    def spawn(
        self, name: str, command: str = "exec sleep 600", *, mode: str = "interactive", root: str = ""
    ) -> SpawnResult:
        request = LaunchRequest(agent="claude", mode=mode, command=command)
        return spawn_session(self.ctx, SpawnRequest(launch=request, session=name, project_root=root))

    def ref(self, name: str) -> SessionRef:
        return self.ctx.ref(name)

    def folder(self, name: str) -> Path:
        return Path(self.ref(name).folder)

    def files(self, name: str) -> list[str]:
        folder = self.folder(name)
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def pane(self, name: str) -> Pane | None:
        return self.ctx.tmux(self.ctx.project()).find_pane(name)

    def names(self) -> list[str]:
        return sorted(pane.session for pane in self.ctx.tmux(self.ctx.project()).list_panes())

    def wait_until_ended(self, name: str) -> int:
        return wait_until(lambda: session_records.read_end(self.ref(name)), what=f"{name} ends").code

    def wait_until_dead(self, name: str) -> int:
        """Wait until tmux reports the pane dead and all writers have ended; return the exit code."""
        wait_until(lambda: (pane := self.pane(name)) and pane.dead, what=f"{name} is dead")
        return self.wait_until_ended(name)

    def events(self, name: str) -> list[Event]:
        return list(events.read_tail(self.ref(name), 100).events)

    def reasons(self, name: str) -> list[str]:
        return [event.reason for event in self.events(name)]

    def wait_for_file(self, path: str) -> str:
        """Wait until a session has written a file of the project; return its text."""
        file = self.machine.project / path
        return wait_until(lambda: file.exists() and file.read_text(), what=f"{path} is written")

    def find_processes(self, marker: str) -> list[psutil.Process]:
        """Return the live processes of this host whose command line holds the marker."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            alive = process.info["status"] != psutil.STATUS_ZOMBIE
            if alive and any(marker in word for word in process.info["cmdline"] or ()):
                found.append(process)
        return found
