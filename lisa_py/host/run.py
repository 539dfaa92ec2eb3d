"""Run a short program with a deadline and return its output."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

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
    grandchild holding the pipe cannot keep the call hanging. Raises FileNotFoundError if there is no such program.
    """
    import subprocess  # noqa: PLC0415 - 3 ms, paid once a program is run

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
    try:
        out, err = process.communicate(stdin or None, timeout=timeout)
    except subprocess.TimeoutExpired:
        _terminate(process, group)
        return ProgramResult(None, b"", b"")
    except BaseException:
        _terminate(process, group)
        raise
    return ProgramResult(process.returncode, out, err)


def run_until_reply(
    argv: Sequence[str],
    lines: bytes,
    until: bytes,
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> bytes:
    """Send lines to a program and return its output once a line contains `until`.

    The input stays open. Returns an empty result at the timeout. The program is ended. Raises FileNotFoundError.
    """
    import subprocess  # noqa: PLC0415 - 3 ms, paid once a program is run

    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(env) if env is not None else None,
        cwd=cwd,
        start_new_session=True,
        close_fds=True,
    )
    try:
        return _exchange(process, lines, until, time.monotonic() + timeout)
    finally:
        _terminate(process, group=True)


def _exchange(process: subprocess.Popen[bytes], lines: bytes, until: bytes, deadline: float) -> bytes:
    """Write the input and read the output until the deadline."""
    assert process.stdin is not None and process.stdout is not None
    stdin_handle, stdout_handle = process.stdin.fileno(), process.stdout.fileno()
    os.set_blocking(stdin_handle, False)
    output = b""
    while (left := deadline - time.monotonic()) > 0:
        readable, writable, _ = select.select([stdout_handle], [stdin_handle] if lines else [], [], left)
        if writable:
            try:
                lines = lines[os.write(stdin_handle, lines) :]
            except BrokenPipeError:
                lines = b""  # it reads no further; its output may still come
        if readable:
            part = os.read(stdout_handle, 1 << 16)
            output += part
            at = output.find(until)
            if at >= 0 and b"\n" in output[at:]:
                return output
            if not part:
                break
    return b""


def _terminate(process: subprocess.Popen[bytes], group: bool) -> None:
    try:
        if group:
            os.killpg(process.pid, 9)
        else:
            process.kill()
    except ProcessLookupError:
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
