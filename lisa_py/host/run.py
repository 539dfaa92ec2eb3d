"""Run a short program with a deadline and return its output."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from lisa_py.host import limits

if TYPE_CHECKING:
    import subprocess


class ProgramResult(Struct, frozen=True):
    """Exit and output of a program; `code` is negative for a signal, None if it was killed at the deadline."""

    code: int | None
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        return self.out.decode("utf-8", "replace")

    @property
    def error_text(self) -> str:
        return self.err.decode("utf-8", "replace").strip()


def run_program(
    argv: Sequence[str],
    *,
    timeout: float,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    group: bool = False,
) -> ProgramResult:
    """Run a program for at most `timeout` seconds and return its result.

    With `group` the program gets its own process group, all of which is killed at the deadline, so that a
    grandchild holding the pipe cannot keep the call hanging. Raises FileNotFoundError if there is no such program,
    LisaError (too_many_processes | too_many_open_files | out_of_memory).
    """
    import subprocess  # noqa: PLC0415 - 3 ms, paid once a program is run

    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            start_new_session=group,
            close_fds=True,
        )
    except OSError as problem:
        limits.refuse_shortage(problem, at_start=True)
        raise
    try:
        out, err = process.communicate(stdin or None, timeout=timeout)
    except subprocess.TimeoutExpired:
        _terminate(process, group)
        return ProgramResult(None, b"", b"")
    except BaseException:
        _terminate(process, group)
        raise
    return ProgramResult(process.returncode, out, err)


class ProgramCall(Struct, frozen=True, kw_only=True):
    """One of several programs that run together."""

    argv: Sequence[str]
    stdin: bytes = b""
    """Text for its standard input, which stays open until it ends if `until` is given."""
    until: bytes = b""
    """The program is done once a line of its output contains this; empty: once it has ended."""


def run_programs(
    calls: Sequence[ProgramCall], *, timeout: float, env: Mapping[str, str] | None = None, cwd: str | None = None
) -> list[ProgramResult]:
    """Run programs at the same time for at most `timeout` seconds together; end what still runs.

    A result has code None if the program was not done in time, 127 if it cannot be run, 0 also once the awaited output
    is there. A program that has ended is done, although a child of it holds the pipe.
    """
    from lisa_py.host.wakeup import wait_for_handles  # noqa: PLC0415 - as subprocess

    deadline = time.monotonic() + timeout
    running: list[_RunningProgram] = []
    try:
        running += (_RunningProgram(call, env, cwd) for call in calls)
        while (left := deadline - time.monotonic()) > 0 and not all(each.is_done() for each in running):
            waiting = [each for each in running if not each.is_done()]
            reads = [handle for each in waiting for handle in each.open_outputs()]
            writes = [handle for each in waiting for handle in each.open_inputs()]
            readable, writable = wait_for_handles(reads, writes, min(left, _EXIT_CHECK_SECONDS))
            for each in waiting:
                each.transfer(readable, writable)
        return [each.result() for each in running]
    finally:
        for each in running:
            each.end()


_EXIT_CHECK_SECONDS = 0.02


class _RunningProgram:
    """A started program and what it has printed."""

    def __init__(self, call: ProgramCall, env: Mapping[str, str] | None, cwd: str | None) -> None:
        import subprocess  # noqa: PLC0415 - 3 ms, paid once a program is run

        self._call = call
        self._input = call.stdin
        self._output = {"out": b"", "err": b""}
        self._closed: set[int] = set()
        self._matched = False
        self._problem = ""
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(
                call.argv,
                stdin=subprocess.PIPE if call.stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(env) if env is not None else None,
                cwd=cwd,
                start_new_session=True,
                close_fds=True,
            )
        except OSError as problem:
            self._problem = str(problem)
            return
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)
        self._outputs = {
            pipe.fileno(): name for name, pipe in (("out", self._process.stdout), ("err", self._process.stderr)) if pipe
        }

    def is_done(self) -> bool:
        """Return True if the awaited output is there, or the program has ended and its output is read."""
        if self._process is None or self._matched:
            return True
        if _find_exit_code(self._process) is None:
            return False
        from lisa_py.host.wakeup import wait_for_handles  # noqa: PLC0415 - as subprocess

        left = self.open_outputs()
        return not left or not wait_for_handles(left, seconds=0)[0]

    def open_outputs(self) -> list[int]:
        return [handle for handle in self._outputs if handle not in self._closed]

    def open_inputs(self) -> list[int]:
        pipe = self._process.stdin if self._process is not None else None
        return [pipe.fileno()] if pipe is not None and not pipe.closed and self._input else []

    def transfer(self, readable: Collection[int], writable: Collection[int]) -> None:
        for handle in self.open_inputs():
            if handle in writable:
                self._write(handle)
        for handle in self.open_outputs():
            if handle in readable:
                part = os.read(handle, 1 << 16)
                self._output[self._outputs[handle]] += part
                if not part:
                    self._closed.add(handle)
        at = self._output["out"].find(self._call.until) if self._call.until else -1
        self._matched = at >= 0 and b"\n" in self._output["out"][at:]

    def _write(self, handle: int) -> None:
        try:
            self._input = self._input[os.write(handle, self._input) :]
        except BrokenPipeError:
            self._input = b""  # it reads no further; its output may still come
        if not self._input and not self._call.until and self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def result(self) -> ProgramResult:
        if self._process is None:
            return ProgramResult(127, b"", self._problem.encode())
        code = 0 if self._matched else _find_exit_code(self._process)
        return ProgramResult(code, self._output["out"], self._output["err"])

    def end(self) -> None:
        if self._process is not None:
            _terminate(self._process, group=True)


def _find_exit_code(process: subprocess.Popen[bytes]) -> int | None:
    """Return the exit code, None before the end; the id stays taken until `_terminate`, which ends the group."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll()
    try:
        found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # the caller ignores SIGCHLD
        return process.poll()
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _terminate(process: subprocess.Popen[bytes], group: bool) -> None:
    try:
        if group:
            os.killpg(process.pid, 9)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):  # the latter on macOS for a group of ended processes
        pass
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()


def find_program(name: str, path: str) -> str:
    """Return the absolute path of a program on a PATH, or an empty string."""
    if os.sep in name:
        return os.path.abspath(name) if os.access(name, os.X_OK) and not os.path.isdir(name) else ""
    for folder in path.split(os.pathsep):
        candidate = os.path.join(folder or ".", name)
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return os.path.abspath(candidate)
    return ""
