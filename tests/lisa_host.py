"""An isolated host for a test: temporary HOME, state and sockets; everything on it is ended afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import psutil

from lisa_py.cli import parse
from lisa_py.core.context import Context
from lisa_py.host.env import read_settings
from lisa_py.host.tmux import Tmux
from tests import answers, warm_start
from tests.polling import wait_until

PROGRAM = (sys.executable, "-P", "-m", "lisa_py")


DISK_FOLDER = "/tmp"
MEMORY_FOLDER = "/dev/shm"
NEEDED_SPACE = 1 << 30


def find_test_folder() -> str:
    """Return the parent of the folders of the tests: in memory if programs can run there and there is space.

    A folder is made in 0.02 ms there, and in 1.6 ms on ext4.
    """
    with contextlib.suppress(OSError):
        state = os.statvfs(MEMORY_FOLDER)
        space = state.f_bavail * state.f_frsize
        if space >= NEEDED_SPACE and not state.f_flag & os.ST_NOEXEC and os.access(MEMORY_FOLDER, os.W_OK | os.X_OK):
            return MEMORY_FOLDER
    return DISK_FOLDER


def find_server_pid(tmux: Tmux) -> int:
    """Return the process id of a running tmux server."""
    return int(tmux.as_libtmux().cmd("display-message", "-p", "#{pid}").stdout[0])


def kill_process(pid: int) -> None:
    """Kill a process that is no child of this one; return when it has ended: until then its sockets accept."""
    process = psutil.Process(pid)
    process.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        wait_until(lambda: process.status() == psutil.STATUS_ZOMBIE, what=f"process {pid} ends")


def read_environment(pid: int) -> list[str]:
    """Return the variables of a process as NAME=VALUE. Raise OSError, psutil.Error."""
    if sys.platform == "linux":  # one file: after each test every process of the machine is asked
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().decode("utf-8", "surrogateescape").split("\0")
    return [f"{name}={value}" for name, value in psutil.Process(pid).environ().items()]


def list_processes() -> set[tuple[int, int]]:
    """Return id and number of the folder in /proc of each process; the number changes when an id is used again."""
    if sys.platform != "linux":
        return {(pid, 0) for pid in psutil.pids()}
    with os.scandir("/proc") as entries:
        return {(int(entry.name), entry.inode()) for entry in entries if entry.name.isdigit()}


class CallResult(NamedTuple):
    """Exit code and output of one call of the program."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Return the one JSON object on stdout."""
        lines = [line for line in self.out.splitlines() if line.strip()]
        assert len(lines) == 1, f"expected one JSON object, got {self.out!r} (stderr {self.err!r})"
        value = json.loads(lines[0])
        assert isinstance(value, dict)
        return value

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines() if line.strip()]


class BackgroundCall(subprocess.Popen[str]):
    """A call that runs beside its test; its JSON output is checked against its schema."""

    def __init__(
        self, words: Sequence[str], cwd: Path | str, env: Mapping[str, str], stdin: int = subprocess.DEVNULL
    ) -> None:
        super().__init__(
            [*PROGRAM, *words], cwd=cwd, env=env, text=True,
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._words = words

    def read_event(self) -> dict[str, Any]:
        """Wait for the next line before the answer; return it."""
        assert self.stdout is not None
        line: dict[str, Any] = json.loads(self.stdout.readline())
        answers.check_event(parse.split_command(self._words)[0], line)
        return line

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:  # noqa: A002
        """Wait for the end; return the remaining output."""
        out, err = super().communicate(input, timeout)
        answers.check_answer(self._words, self.returncode, out)
        return out, err

    def close(self) -> None:
        self.kill()
        with self:
            pass


def _run_cold(
    words: Sequence[str], *, cwd: str, env: Mapping[str, str], data: bytes | None, timeout: float
) -> tuple[int, bytes, bytes]:
    input_options: dict[str, Any] = {"input": data} if data is not None else {"stdin": subprocess.DEVNULL}
    completed = subprocess.run(
        [*PROGRAM, *words], cwd=cwd, env=env, timeout=timeout, capture_output=True, check=False, **input_options
    )
    return completed.returncode, completed.stdout, completed.stderr


class LisaHost:
    """Folders and environment of one test; short paths, because a Unix socket path has at most 100 bytes."""

    warm: ClassVar[warm_start.WarmStart | None] = None
    """The process that calls are forked from; None: each call starts a new interpreter."""

    parent: ClassVar[str] = DISK_FOLDER
    """The folder that the folders of the hosts are made in."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lisa-t-", dir=self.parent))
        self.home = self._make_folder("home")
        self.project = self._make_folder("proj")
        self.sockets = self._make_folder("s")
        self.bin = self._make_folder("bin")
        self._background_calls: list[BackgroundCall] = []
        # so that the end of a test reads the environments of its own time only, on a machine of a thousand processes
        self._earlier_processes = list_processes() if sys.platform == "linux" else set()
        self.env: dict[str, str] = {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:{os.environ.get('PATH', os.defpath)}",
            **warm_start.START_ENVIRONMENT,
            "TERM": "xterm-256color",
            "TMPDIR": str(self._make_folder("tmp")),
            "TMUX_TMPDIR": str(self.sockets),
            "LISA_STATE_DIR": str(self.folder / "state"),
            "LISA_TMUX_SOCKET_DIR": str(self.sockets),
            "LISA_SHARED_DIR": str(self._make_folder("shared")),
        }

    def _make_folder(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(mode=0o700)
        return path

    def lisa(
        self,
        *words: str,
        cwd: Path | str | None = None,
        stdin: str | bytes | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
        cold: bool = False,
        check_schema: bool = True,
    ) -> CallResult:
        """Run the program in its own process, as a user would; check its JSON output against its schema.

        `cold`: always start a new interpreter. `promised=False`: the output is deliberately not an answer.
        """
        data = stdin.encode() if isinstance(stdin, str) else stdin
        environment = {**self.env, **(env or {})}
        run = _run_cold if cold or self.warm is None or not warm_start.can_serve(environment) else self.warm.run
        code, out, err = run(words, cwd=str(cwd or self.project), env=environment, data=data, timeout=timeout)
        answer = CallResult(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
        if check_schema:
            answers.check_answer(words, answer.code, answer.out)
        return answer

    def run_together(self, calls: Sequence[Sequence[str]]) -> list[CallResult]:
        """Run the calls at once, each in its own process; return their results in order."""
        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(lambda words: self.lisa(*words), calls))

    def show(
        self, *words: str, columns: int = 100, rows: int = 40, env: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Run the program on a terminal; return the exit code and all that it wrote there."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        process = subprocess.Popen(
            [*PROGRAM, *words], cwd=self.project, env={**self.env, **(env or {})},
            stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                data = os.read(ours, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not data:
                break
            shown += data
        os.close(ours)
        return process.wait(timeout=60), shown.decode().replace("\r\n", "\n")

    def start(
        self,
        *words: str,
        cwd: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> BackgroundCall:
        """Run the program beside the test; the test waits for it or ends it."""
        running = BackgroundCall(words, cwd or self.project, {**self.env, **(env or {})}, stdin)
        self._background_calls.append(running)
        return running

    def context(self, **changes: Any) -> Context:
        """Return a context for calling commands and core in this process."""
        changes.setdefault("cwd", str(self.project))
        return Context(read_settings(self.env), **changes)

    def add_program(self, name: str, script: str) -> Path:
        """Put an executable on the PATH of this host."""
        path = self.bin / name
        path.write_text(script)
        path.chmod(0o700)
        return path

    def close(self) -> None:
        """End every tmux server on the sockets of this host and every process with its HOME."""
        tmux = shutil.which("tmux") or "tmux"  # not one that a test has put on the PATH of this host
        for path in [*self.sockets.rglob("*"), *(self.folder / "shared").rglob("*.sock")]:
            if path.is_socket():
                subprocess.run([tmux, "-S", str(path), "kill-server"], env=self.env, capture_output=True, check=False)
        self._end_processes()
        for running in self._background_calls:
            running.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end_processes(self) -> None:
        for pid, _ in list_processes() - self._earlier_processes:
            with contextlib.suppress(psutil.Error, OSError):
                if pid != os.getpid() and f"HOME={self.home}" in read_environment(pid):
                    os.kill(pid, signal.SIGKILL)
