"""A pane whose output the test controls, with the records of a session around it."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from lisa_py.contract.records import SessionMeta
from lisa_py.core.output import pane_text
from lisa_py.core.output.pane_text import PaneText
from lisa_py.host import files
from lisa_py.store import session_records
from lisa_py.terminal.layout import START_MARK
from tests.lisa_host import LisaHost
from tests.polling import wait_until

RUN_ID = "1795227181000000000"


class FakePane:
    """One session whose pane shows exactly the bytes passed to `write`."""

    def __init__(
        self, machine: LisaHost, name: str = "lisa-talk", *, width: int = 80, height: int = 20, **meta: object
    ) -> None:
        self.machine = machine
        self.name = name
        self.ctx = machine.context()
        self.ref = self.ctx.ref(name)
        self._fifo = str(machine.folder / f"{name}.fifo")
        os.mkfifo(self._fifo)
        self.tmux = self.ctx.tmux(self.ref.project)
        argv = ["/bin/sh", "-c", f"stty -onlcr; exec cat {self._fifo}"]
        self.pane = self.tmux.new_session(name, argv, root=str(machine.project), width=width, height=height)
        self._writer = os.open(self._fifo, os.O_WRONLY)
        files.ensure_private_dir(self.ref.folder)
        record = SessionMeta(session=name, run_id=RUN_ID, project_root=str(machine.project), **meta)  # type: ignore[arg-type]
        session_records.write_meta(self.ref, record)
        self.written = ""
        self.write(f"\n{START_MARK}:{RUN_ID}:1\n")

    def write(self, text: str) -> None:
        """Print and wait until the terminal has received it all."""
        self.written += text
        done = f"lisa-{os.urandom(4).hex()}"
        # the title comes after the text: once tmux has it, it has the text
        os.write(self._writer, text.replace("\n", "\r\n").encode() + f"\x1b]2;{done}\x07".encode())
        wait_until(lambda: self.title() == done, what=f"the pane took {text[:40]!r}")

    def title(self) -> str:
        pane = self.tmux.find_pane(self.name)
        return pane.title if pane else ""

    def end(self) -> None:
        """End the program; the dead pane stays."""
        os.close(self._writer)
        self._writer = -1
        wait_until(lambda: self.read().pane.dead, what="the pane is dead")

    def read(self) -> PaneText:
        found = pane_text.read(self.ctx, self.ref)
        assert found is not None
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer >= 0:
            os.close(self._writer)
