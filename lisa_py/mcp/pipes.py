"""Standard input that a cancellation ends at once, and the end of standard output."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator

import anyio

INPUT, OUTPUT = 0, 1
READ_BYTES = 1 << 16


def is_pipe(handle: int) -> bool:
    """Return True for a pipe or a socket: the system reports when it can be read, and when its other end is closed."""
    mode = os.fstat(handle).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def take_input() -> int:
    """Return a handle of standard input that no child process gets; those read the null device from now on."""
    taken = os.dup(INPUT)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, INPUT)
    os.close(empty)
    return taken


class InputLines:
    """The lines of a pipe, as the SDK reads them; a thread that waits for them could not be ended."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    async def __aiter__(self) -> AsyncIterator[str]:
        parts: list[bytes] = []
        while True:
            await anyio.wait_readable(self._handle)
            block = os.read(self._handle, READ_BYTES)
            *lines, rest = block.split(b"\n")
            for line in lines:
                yield b"".join([*parts, line]).decode("utf-8", "replace")
                parts.clear()
            parts.append(rest)
            if not block:
                if any(parts):
                    yield b"".join(parts).decode("utf-8", "replace")
                return


async def await_reader_end(handle: int) -> None:
    """Wait until a pipe has no reader any more: only that makes the end readable to which is written."""
    await anyio.wait_readable(handle)
