"""Write to the controlling terminal of this process."""

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
