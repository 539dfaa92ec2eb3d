"""How answers look: text, JSON, minimal JSON, event lines and errors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from lisa_py.contract.command import Command
from lisa_py.contract.errors import LisaError

POLICY = {"stderrPolicy": "diagnostic"}
"""On every JSON object: stderr is diagnostics, never data."""


def answer(command: Command, result: Any, args: Any, form: str) -> int:
    """Print one answer in the asked form; returns the exit code."""
    if form == "text" and command.text is not None:
        words = command.text(result, args)
        sys.stdout.write(words + ("\n" if command.newline else ""))
    elif form == "json-min" and command.min is not None:
        line(smaller(command, result, args))
    else:
        line(result)
    return command.exit_code(result)


def smaller(command: Command, result: Any, args: Any) -> Any:
    """The `--json-min` form of an answer."""
    if callable(command.min):
        return command.min(result, args)
    keep = {}
    encode = {info.name: info.encode_name for info in msgspec.structs.fields(result)}
    for name in command.min or ():
        value = getattr(result, name)
        if value is not UNSET:
            keep[encode[name]] = value
    return keep


def line(value: Any) -> None:
    """One JSON object on one line, keys sorted."""
    built = msgspec.to_builtins(value)
    raw = msgspec.json.encode({**POLICY, **built} if isinstance(built, dict) else built, order="sorted")
    stream = sys.stdout.buffer
    stream.write(raw + b"\n")


def event(value: Any) -> None:
    """One streamed event, visible at once."""
    line(value)
    sys.stdout.buffer.flush()


def failure(problem: LisaError, form: str) -> None:
    """Exactly one JSON object on stdout, or one line on stderr."""
    if form == "text":
        print(problem.message, file=sys.stderr)
        return
    line({**problem.details, "ok": False, "errorCode": problem.code, "error": problem.message})
    sys.stdout.flush()


def warn(text: str) -> None:
    print(text, file=sys.stderr)


def progress() -> Callable[[str], None]:
    """One line that is rewritten in place on a terminal; silent when stderr is not one."""
    if not sys.stderr.isatty():
        return lambda text: None

    def show(text: str) -> None:
        sys.stderr.write("\r\x1b[2K" + text[:200])
        sys.stderr.flush()

    return show
