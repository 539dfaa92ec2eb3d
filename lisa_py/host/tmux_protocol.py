"""Ask a tmux server over its socket instead of by a tmux process: one chain of commands that only read.

The messages are those of tmux's own client, protocol version 8, unchanged from tmux 3.2 to 3.8; decision 0016. Anything
unexpected is no answer: the caller asks by the program, which is always right.
"""

from __future__ import annotations

# these two are the modules of the standard library in C: `socket` costs 6 million instructions to import, `struct` half
import _socket
import _struct
import os
import sys
import time
from collections.abc import Iterator, Sequence

from lisa_py.host.run import ProgramResult

READ_COMMANDS = frozenset({"list-panes", "list-clients", "display-message", "capture-pane"})
"""Commands that start no server and change nothing; the only ones sent this way."""
_VERSION = 8
_MAX_MESSAGE = 16384
_HEADER = _struct.Struct("=IIII")
"""Type, length with flags in the upper half, protocol version, process id."""
_NUMBER = _struct.Struct("=i")
_UTF8 = 0x10000
"""The client draws UTF-8, as with `tmux -u`."""
_IDENTIFY_PID, _IDENTIFY_DONE = 107, 106
_IDENTIFY = (
    (111, _struct.pack("=Q", _UTF8)),  # flags
    (101, b"screen-256color\0"),  # TERM
    (109, _NUMBER.pack(0)),  # features of the terminal
    (102, b"\0"),  # its name: none
    (108, b"/\0"),  # current folder
)
_COMMAND, _EXIT, _FLAGS = 200, 203, 218
_WRITE_OPEN, _WRITE, _WRITE_READY, _WRITE_CLOSE = 303, 304, 305, 306


class _UnexpectedAnswer(Exception):
    """The server does not speak this protocol, or has ended."""


def ask(path: str, words: Sequence[str], timeout: float) -> ProgramResult | None:
    """Return the server's answer to a chain of commands in READ_COMMANDS; None if only the program can answer.

    Raises ValueError for any other command.
    """
    if not words or not set(_command_names(words)) <= READ_COMMANDS:
        raise ValueError(f"no chain of reading commands: {words}")
    arguments = b"".join(os.fsencode(word) + b"\0" for word in words)
    if len(arguments) + _HEADER.size + _NUMBER.size > _MAX_MESSAGE or sys.byteorder != "little":
        return None
    deadline = time.monotonic() + timeout
    try:
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    except OSError:
        return None
    try:
        connection.settimeout(timeout)
        connection.connect(path)
        identity = [*_IDENTIFY, (_IDENTIFY_PID, _NUMBER.pack(os.getpid())), (_IDENTIFY_DONE, b"")]
        _send(connection, [*identity, (_COMMAND, _NUMBER.pack(len(words)) + arguments)])
        return _read_answer(connection, deadline)
    except (ConnectionRefusedError, FileNotFoundError) as problem:
        return ProgramResult(1, b"", f"error connecting to {path} ({problem.strerror})\n".encode())
    except (OSError, _UnexpectedAnswer):
        return None
    finally:
        connection.close()


def _command_names(words: Sequence[str]) -> Iterator[str]:
    is_first = True
    for word in words:
        if is_first:
            yield word
        is_first = word.endswith(";")


def _send(connection: _socket.socket, messages: Sequence[tuple[int, bytes]]) -> None:
    parts = []
    for kind, data in messages:
        parts += [_HEADER.pack(kind, _HEADER.size + len(data), _VERSION, os.getpid()), data]
    connection.sendall(b"".join(parts))


def _read_answer(connection: _socket.socket, deadline: float) -> ProgramResult:
    """Return what the server prints up to its exit message. Raise OSError, _UnexpectedAnswer."""
    chunks: dict[int, list[bytes]] = {1: [], 2: []}
    for kind, data in _read_messages(connection, deadline):
        if kind == _WRITE_OPEN:
            _send(connection, [(_WRITE_READY, data[: _NUMBER.size] + _NUMBER.pack(0))])
        elif kind == _WRITE:
            stream = _read_number(data)
            if stream not in chunks:
                raise _UnexpectedAnswer
            chunks[stream].append(data[_NUMBER.size :])
        elif kind == _EXIT:
            code = _read_number(data) if data else 0
            return ProgramResult(code, b"".join(chunks[1]), b"".join(chunks[2]))
        elif kind not in (_WRITE_CLOSE, _FLAGS):
            raise _UnexpectedAnswer
    raise _UnexpectedAnswer


def _read_messages(connection: _socket.socket, deadline: float) -> Iterator[tuple[int, bytes]]:
    """Yield type and data of each message until the server closes. Raise OSError, _UnexpectedAnswer."""
    pending = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        received = connection.recv(1 << 16)
        if not received:
            return
        pending += received
        while len(pending) >= _HEADER.size:
            kind, length, version, _ = _HEADER.unpack_from(pending)
            length &= 0xFFFF
            if version & 0xFF != _VERSION or not _HEADER.size <= length <= _MAX_MESSAGE:
                raise _UnexpectedAnswer
            if len(pending) < length:
                break
            yield kind, pending[_HEADER.size : length]
            pending = pending[length:]


def _read_number(data: bytes) -> int:
    if len(data) < _NUMBER.size:
        raise _UnexpectedAnswer
    number: int = _NUMBER.unpack_from(data)[0]
    return number
