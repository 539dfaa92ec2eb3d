"""Write to or leave the controlling terminal of this process, and read the mode of any terminal."""

from __future__ import annotations

import os

from lisa_py.contract.errors import LisaError

PATH = "/dev/tty"


def write_terminal(text: str) -> None:
    """Write characters to the terminal, wherever standard output goes. Raise LisaError(no_terminal)."""
    try:
        handle = os.open(PATH, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)
    except OSError as problem:
        raise LisaError("no_terminal", f"{PATH} cannot be written: {problem.strerror}; a terminal is needed") from None


def lead_own_session() -> None:
    """Leave the terminal and kernel session of the caller, so that its end does not end this process."""
    try:
        os.setsid()
    except PermissionError:
        return  # it leads one already


def is_in_line_mode(terminal: str) -> bool:
    """Return True if a terminal collects lines and prints what is typed: no full-screen program reads it now."""
    import termios  # noqa: PLC0415 - only sends

    try:
        handle = os.open(terminal, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        flags = termios.tcgetattr(handle)[3]
    except termios.error:
        return False
    finally:
        os.close(handle)
    return bool(flags & termios.ICANON and flags & termios.ECHO)
