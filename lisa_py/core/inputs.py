"""Read input for commands: a file, a pipe, or `-` for standard input, which is read once."""

from __future__ import annotations

import os

from lisa_py.core.context import Context
from lisa_py.host import files

MAX_BYTES = 64 << 20
"""Bytes; larger inputs are not summaries, states or transcripts."""


class InputError(Exception):
    """The input cannot be read or is invalid; the text names the reason."""


class Inputs:
    """Inputs of one call; several references to standard input share its text."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._stdin: bytes | None = None

    def read_text(self, path: str) -> str:
        """Return the text. Raise InputError."""
        return self.read_bytes(path).decode("utf-8", "replace")

    def read_bytes(self, path: str) -> bytes:
        """Return the bytes. Raise InputError."""
        name = path.strip()
        if name == "-":
            if self._stdin is None:
                self._stdin = self._ctx.stdin()
            return self._stdin
        try:
            return files.read_user_file(os.path.join(self._ctx.cwd, os.path.expanduser(name)), MAX_BYTES)
        except OSError as problem:
            raise InputError(f"cannot read {name}: {(problem.strerror or str(problem)).lower()}") from problem
        except ValueError as problem:  # a NUL in the name
            raise InputError(f"cannot read {name!r}: {problem}") from problem
