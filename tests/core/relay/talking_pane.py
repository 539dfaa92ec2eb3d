"""A pane that says what the test tells it to say, with the records of a session around it."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from lisa_py.contract.records import SessionMeta
from lisa_py.core.relay import pane_text
from lisa_py.core.relay.chrome import START_MARK
from lisa_py.core.relay.pane_text import PaneText
from lisa_py.host import files
from lisa_py.store import session
from tests.machine import Machine
from tests.waiting import wait_until

RUN_ID = "1795227181000000000"


class TalkingPane:
    """One session whose pane shows, byte by byte, what `say` is given."""

    def __init__(
        self, machine: Machine, name: str = "lisa-talk", *, width: int = 80, height: int = 20, **meta: object
    ) -> None:
        self.machine = machine
        self.name = name
        self.ctx = machine.context()
        self.place = self.ctx.place(name)
        self._fifo = str(machine.folder / f"{name}.fifo")
        os.mkfifo(self._fifo)
        self.tmux = self.ctx.tmux(self.place.project)
        argv = ["/bin/sh", "-c", f"stty -onlcr; exec cat {self._fifo}"]
        self.pane = self.tmux.new_session(name, argv, root=str(machine.project), width=width, height=height)
        self._mouth = os.open(self._fifo, os.O_WRONLY)
        files.private_dir(self.place.folder)
        record = SessionMeta(session=name, run_id=RUN_ID, project_root=str(machine.project), **meta)  # type: ignore[arg-type]
        session.write_meta(self.place, record)
        self.said = ""
        self.say(f"\n{START_MARK}:{RUN_ID}:1\n")

    def say(self, text: str) -> None:
        """Print and wait until the terminal has taken it all."""
        self.said += text
        done = f"lisa-{os.urandom(4).hex()}"
        # the title comes after the text: once tmux has it, it has the text
        os.write(self._mouth, text.replace("\n", "\r\n").encode() + f"\x1b]2;{done}\x07".encode())
        wait_until(lambda: self.title() == done, what=f"the pane took {text[:40]!r}")

    def title(self) -> str:
        pane = self.tmux.pane(self.name)
        return pane.title if pane else ""

    def end(self) -> None:
        """Let the program end; the dead pane stays."""
        os.close(self._mouth)
        self._mouth = -1
        wait_until(lambda: self.read().pane.dead, what="the pane is dead")

    def read(self) -> PaneText:
        found = pane_text.read(self.ctx, self.place)
        assert found is not None
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mouth >= 0:
            os.close(self._mouth)
