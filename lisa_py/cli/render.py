"""Write answers: text, JSON, minimal JSON, event lines and errors."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from lisa_py.contract import jsontext, projection
from lisa_py.contract.command import Command
from lisa_py.contract.errors import LisaError

if TYPE_CHECKING:
    from lisa_py.terminal.table import Screen

_DEFAULT_COLUMNS = 80
STDERR_POLICY = {"stderrPolicy": "diagnostic"}
"""On every JSON object: stderr is diagnostics, never data."""


class OutputError(Exception):
    """The answer could not be written (disk full, output closed); the text names the cause."""


def prepare_streams() -> None:
    """Prepare the standard streams: a closed output refuses an answer, not silence; no character is refused."""
    if sys.stdout is None:
        sys.stdout = _open_null(1, os.O_RDONLY)
    if sys.stderr is None:
        sys.stderr = _open_null(2, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _open_null(number: int, mode: int) -> TextIO:
    """Return a stream in place of a closed one, with its number: no other file may get that."""
    handle = os.open(os.devnull, mode)
    if handle != number:
        os.dup2(handle, number, inheritable=False)
        os.close(handle)
    return os.fdopen(number, "w")


def flush() -> None:
    """Write a text. Raise OutputError; BrokenPipeError if the reader is gone."""
    _write(sys.stdout.flush)


def write_now(text: str) -> None:
    """Write a text at once, after all before it. Raise as `flush`."""
    _write(lambda: sys.stdout.write(text))
    flush()


def _write(action: Callable[[], Any]) -> None:
    try:
        action()
    except BrokenPipeError:
        raise
    except OSError as problem:
        is_closed = problem.errno == errno.EBADF
        raise OutputError("standard output is closed" if is_closed else problem.strerror or str(problem)) from problem


def read_screen() -> Screen | None:
    """Return the terminal on standard output; None if it is none. NO_COLOR and a dumb terminal have no colours."""
    if not sys.stdout.isatty():
        return None
    from lisa_py.terminal.table import Screen  # noqa: PLC0415 - only for people

    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns or _DEFAULT_COLUMNS
    except (OSError, ValueError):
        columns = _DEFAULT_COLUMNS
    return Screen(columns=columns, color=has_colors(sys.stdout))


def has_colors(stream: TextIO) -> bool:
    """Return True if the stream is a terminal with colours. NO_COLOR and a dumb terminal have none."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def print_answer(command: Command, result: Any, args: Any, form: str, screen: Screen | None = None) -> int:
    """Print one answer in the requested form; return the exit code."""
    if screen is not None and command.terminal is not None:
        page = command.terminal(result, args, screen)
        _write(lambda: sys.stdout.write(page + "\n"))
        return command.exit_code(result)
    if form == "text" and command.document is not None:
        _print_document(command.document(result, args), args)
        return command.exit_code(result)
    if form == "text" and command.text is not None:
        words = command.text(result, args)
        _write(lambda: sys.stdout.write(words + ("\n" if command.newline else "")))
        return command.exit_code(result)
    shown = projection.minimize(command, result, args) if form == "json-min" and command.min is not None else result
    code = command.exit_code(result)
    print_json_line(projection.describe_failure(msgspec.to_builtins(shown), code))
    return code


def check_document_format(args: Any) -> None:
    """Raise LisaError before a command runs whose data could not be printed."""
    from lisa_py.cli import client_output  # noqa: PLC0415 - only for one group

    client_output.check_format(args.output)


def _print_document(document: Any, args: Any) -> None:
    from lisa_py.cli import client_output  # noqa: PLC0415 - only for one group

    if not args.quiet:
        page = client_output.format_document(jsontext.decode(msgspec.json.encode(document)), args)
        _write(lambda: sys.stdout.write(page + "\n"))


def print_json_line(value: Any, encode: Callable[[Any], bytes] = jsontext.encode) -> None:
    """Print one JSON object on one line, keys sorted."""
    built = msgspec.to_builtins(value)
    raw = encode({**STDERR_POLICY, **built} if isinstance(built, dict) else built)
    _write(lambda: sys.stdout.buffer.write(raw + b"\n"))


def print_event(value: Any) -> None:
    """Write one streamed event at once."""
    print_json_line(value, jsontext.encode_event)
    flush()


def print_failure(problem: LisaError, form: str) -> None:
    """Write an error: one JSON object on stdout, or one line on stderr."""
    if form == "text":
        print(problem.message, file=sys.stderr)
        return
    print_json_line(problem.to_object())


def warn(text: str) -> None:
    print(text, file=sys.stderr)


def make_progress_printer() -> Callable[[str], None]:
    """One line that is rewritten in place on a terminal; silent if stderr is not one."""
    if not sys.stderr.isatty():
        return lambda text: None

    def show(text: str) -> None:
        sys.stderr.write("\r\x1b[2K" + text[:200])
        sys.stderr.flush()

    return show
