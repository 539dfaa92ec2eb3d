"""A terminal for a test: the program runs in a pane of a separate tmux server; keys are sent, the screen is read."""

from __future__ import annotations

import shlex
import shutil
import subprocess

from tests.lisa_host import PROGRAM, LisaHost
from tests.polling import wait_until


class OuterTerminal:
    """One pane that runs `lisa WORDS`; its end and exit code stay readable."""

    def __init__(self, machine: LisaHost, *words: str, columns: int = 100, rows: int = 30) -> None:
        self._machine = machine
        self._socket = str(machine.sockets / f"outer-{id(self):x}")
        self._end = machine.folder / f"outer-{id(self):x}.end"  # tmux 3.3a may lose the exit code of a pane
        line = f"{shlex.join([*PROGRAM, *words])}; echo $? >{shlex.quote(str(self._end))}"
        self._tmux(
            "new-session", "-d", "-s", "t", "-x", str(columns), "-y", str(rows), "-c", str(machine.project), line
        )

    def _tmux(self, *words: str) -> str:
        argv = [shutil.which("tmux") or "tmux", "-u", "-S", self._socket, "-f", "/dev/null"]
        options = ["set", "-g", "remain-on-exit", "on", ";"] if words[0] == "new-session" else []
        ended = subprocess.run(
            [*argv, *options, *words], env=self._machine.env, capture_output=True, text=True, check=True
        )
        return ended.stdout

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-t", "t", "-l", text)

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", "-t", "t", *keys)

    def paste(self, text: str) -> None:
        """Paste as a terminal does: in brackets, if the program has asked for them."""
        self._tmux("set-buffer", text)
        self._tmux("paste-buffer", "-p", "-t", "t")

    def screen(self, *, styled: bool = False) -> str:
        return self._tmux("capture-pane", "-p", *(["-e"] if styled else []), "-S", "-200", "-t", "t")

    def wait_for(self, text: str) -> str:
        """Return the screen once it shows the text."""
        try:
            return wait_until(lambda: text in (shown := self.screen()) and shown)
        except AssertionError:
            raise AssertionError(f"no {text!r} on the terminal:\n{self.screen()}") from None

    def wait_for_end(self) -> int:
        """Return the exit code of the program."""
        return int(wait_until(lambda: self._end.exists() and self._end.read_text().strip(), what="the end"))
