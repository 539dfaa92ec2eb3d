"""The real LimaCharlie client, pinned, and a call of it against a loopback server."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lisa_host import CallResult, LisaHost
from tests.polling import wait_until

LOCK_FILE = Path(__file__).with_name("client.lock.json")


@dataclass(frozen=True)
class Client:
    """The client at one exact version, in the cache folder."""

    package: str
    version: str

    @property
    def spec(self) -> str:
        return f"{self.package}=={self.version}"

    @property
    def folder(self) -> Path:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "lisa-clients" / f"{self.package}-{self.version}"

    @property
    def program(self) -> Path:
        return self.folder / "bin" / self.package

    @property
    def reason_file(self) -> Path:
        return self.folder.with_suffix(".reason")

    @property
    def reason(self) -> str:
        """Return the reason why the client is missing."""
        if self.reason_file.exists():
            return self.reason_file.read_text().strip()
        return f"{self.program} is missing: tests/install_client installs it"


CLIENT = Client(**json.loads(LOCK_FILE.read_text(encoding="utf-8")))


def client_environment(machine: LisaHost) -> dict[str, str]:
    """Return the environment in which the client uses the running `lisa serve` of a host, and nothing else."""
    printed = machine.lisa("serve", "--client-env", check_schema=False).out
    return {
        "HOME": str(machine.home),
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        **dict(line.split("=", 1) for line in printed.splitlines()),
    }


def call_client(*words: str, env: Mapping[str, str], stdin: str = "", timeout: float = 60) -> CallResult:
    """Run the client; return its exit code and output."""
    ran = subprocess.run(
        [str(CLIENT.program), *words],
        env=dict(env), input=stdin.encode(), capture_output=True, check=False, timeout=timeout,
    )  # fmt: skip
    return CallResult(ran.returncode, ran.stdout.decode(), ran.stderr.decode())


class TypedClient:
    """The client with interactive input; SIGINT ends it, as Ctrl-C does."""

    def __init__(self, env: Mapping[str, str], *words: str) -> None:
        self.read_end, write_end = os.pipe()
        self.process = subprocess.Popen(
            [str(CLIENT.program), *words], env=dict(env), stdin=subprocess.PIPE, stdout=write_end, stderr=write_end,
            start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        os.close(write_end)
        os.set_blocking(self.read_end, False)
        self.text = ""

    def wait_for(self, words: str) -> None:
        self.wait_for_count(words, 1)

    def wait_for_count(self, words: str, count: int) -> None:
        try:
            wait_until(lambda: self.read().count(words) >= count, what=f"{count} times {words}")
        except AssertionError as problem:
            raise AssertionError(f"{problem}; printed: {self.text[-3000:]}") from None

    def read(self) -> str:
        while True:
            try:
                read = os.read(self.read_end, 65536)
            except BlockingIOError:
                return self.text
            if not read:
                return self.text
            self.text += read.decode()

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def type_until(self, line: str, words: str) -> None:
        """Type a line until a text appears: the client has two readers of its input, and either may read the line."""
        for _ in range(5):
            self.type(line)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: words in self.read(), timeout=4)
                return

    def leave(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        assert self.process.stdin is not None
        self.process.stdin.close()  # its reader of typed lines ends only with them
        code = self.process.wait(timeout=20)
        self.read()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        with self.process:
            pass
        os.close(self.read_end)


def _take_terminal() -> None:
    """Make standard input the terminal of a new process, and let Ctrl-C end it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)


class TerminalProgram:
    """A program on its own terminal of 120 columns, with typed input."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            command, env=dict(env), cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=_take_terminal,
        )  # fmt: skip
        os.close(theirs)
        os.set_blocking(self._ours, False)
        self._shown = b""

    def __enter__(self) -> TerminalProgram:
        return self

    def __exit__(self, *problem: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    @property
    def shown(self) -> str:
        """Return all that was written to the terminal, with its colours and the echo of the keyboard."""
        return self._shown.decode().replace("\r\n", "\n")

    def read(self) -> str:
        """Return what is shown by now."""
        with contextlib.suppress(OSError):  # nothing more, or Linux: the other end is closed
            while data := os.read(self._ours, 65536):
                self._shown += data
                if b"\x1b[6n" in data:
                    self.press("\x1b[1;1R")  # every terminal answers where its cursor is
        return self.shown

    def wait_for(self, words: str, count: int = 1) -> None:
        try:
            wait_until(lambda: self.read().count(words) >= count, what=f"{count} times {words}")
        except AssertionError as problem:
            raise AssertionError(f"{problem}; shown: {self.shown[-3000:]}") from None

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def type(self, line: str) -> None:
        self.press(f"{line}\n")

    def type_until(self, line: str, words: str) -> None:
        """Type a line until a text appears: the client has two readers of its input, and either may read the line."""
        for _ in range(5):
            self.type(line)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: words in self.read(), timeout=4)
                return

    def wait(self, *, lines: bool = False) -> int:
        """Return the exit code at the end of the program; `lines`: it leaves only with one more line."""

        def has_ended() -> bool:
            self.read()
            if self.process.poll() is None and lines:
                self.press("\n")
            return self.process.poll() is not None

        wait_until(has_ended, what="its end")
        self.read()
        return self.process.wait()
