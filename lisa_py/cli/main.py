"""Entry point: find the command and the output format, run it, turn every failure into one answer."""

from __future__ import annotations

# the part of `signal` in C: the module costs 3 million instructions to import
import _signal as signal  # type: ignore[import-not-found]
import contextlib
import gc
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lisa_py import commands
from lisa_py.cli import parse, render
from lisa_py.contract.command import Command
from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.core.context import Context, LineInput, LiveDisplay
from lisa_py.host import env, limits
from lisa_py.host.cancellation import Cancellation

if TYPE_CHECKING:
    from lisa_py.terminal.table import Screen

SIGPIPE = 13
ANSWER_SECONDS = 1.0
"""Time in which an interrupted command comes to its answer; it takes milliseconds."""


def entry() -> None:
    """Run as the console script and exit at once, without the slow shutdown of the interpreter."""
    render.prepare_streams()
    try:
        code = _answer(sys.argv[1:])
    except KeyboardInterrupt:  # one more, just before its answer
        code = CancellationError().exit_code
    os._exit(code)


def main(argv: Sequence[str]) -> int:
    """Run one command line and write its answer; return the exit code."""
    before = signal.getsignal(signal.SIGINT)
    try:
        return _answer(argv)
    finally:
        if signal.getsignal(signal.SIGINT) is not before:
            signal.signal(signal.SIGINT, before)


def _answer(argv: Sequence[str]) -> int:
    try:
        code = _dispatch(argv, parse.detect_format(argv))
        render.flush()
    except BrokenPipeError:
        # the reader of the output is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + SIGPIPE
    except render.OutputError as problem:
        render.warn(f"lisa: the answer could not be written: {problem}")
        return 1
    return code


def _dispatch(argv: Sequence[str], form: str) -> int:
    try:
        if "_LISA_COMPLETE" in os.environ:
            from lisa_py.cli import complete  # noqa: PLC0415 - only when the shell asks

            return complete.run(os.environ["_LISA_COMPLETE"])
        path, words = parse.split_command(argv)
        command = commands.load(path) if path else None
        if command is None or parse.is_help_request(command, words):
            if not argv:
                _show_fleet()
            from lisa_py.cli import help_pages  # noqa: PLC0415 - only for help and unknown commands

            return help_pages.handle_missing_command(argv) if command is None else help_pages.print_page(path, command)
        screen = render.read_screen() if form == "text" else None
        if form == "text" and not _has_text(command, screen):
            form = "json"
        return _run(path, command, words, form, screen)
    except LisaError as problem:
        return _report_failure(problem, form, argv)
    except KeyboardInterrupt:
        return _report_failure(CancellationError(), form, argv)
    except (BrokenPipeError, render.OutputError):
        raise
    except Exception as problem:
        shortage = limits.find_shortage(problem)
        if shortage is not None:
            return _report_failure(shortage, form, argv)
        from lisa_py import crash_report  # noqa: PLC0415 - only when there is one

        return _report_failure(crash_report.write_crash_report(problem, argv), form, argv)


def _has_text(command: Command, screen: Screen | None) -> bool:
    """Return True if the command prints something other than JSON without --json."""
    is_for_people = screen is not None and (command.terminal is not None or bool(command.face))
    return command.text is not None or command.document is not None or is_for_people


def _show_fleet() -> None:
    """Print the sessions of the project before the help of `lisa`, for a person who has some."""
    screen, command = render.read_screen(), commands.load(("session", "list"))
    if screen is None or command is None:
        return
    from lisa_py.store import session_records  # noqa: PLC0415 - only for `lisa`

    settings = env.read_settings()
    if session_records.list_sessions(Context(settings).project()):
        _run(("session", "list"), command, (), "text", screen)
        print()


def _run(path: Sequence[str], command: Command, words: Sequence[str], form: str, screen: Screen | None) -> int:
    args, given = parse.read_arguments(path, command, words)
    if command.face:
        import importlib  # noqa: PLC0415 - only for other faces

        return int(importlib.import_module(f"lisa_py.{command.face}.main").main(args))
    if command.document is not None and form == "text":
        render.check_document_format(args)
    cancellation = Cancellation()
    ctx = Context(
        env.read_settings(),
        given_fields=given,
        output_format=form,
        emit=render.print_event,
        warn=render.warn,
        progress=render.make_progress_printer(),
        live_display=open_live_display(form) if command.live else None,
        screen=screen,
        stdin=lambda: sys.stdin.buffer.read(),
        ask=_ask,
        open_input=lambda edited: _open_input(edited, cancellation),
        on_own_end=_ignore_termination,
        cancellation=cancellation,
    )
    ctx.defer_cursors()
    try:
        gc.freeze()  # no later look of the collector at what is loaded
        gc.enable()
        with _cancel_on_interrupt(cancellation):
            result = command.run(args, ctx)
        code = render.print_answer(command, result, args, form, screen)
        render.flush()
        ctx.commit_cursors()
    finally:
        ctx.rollback_cursors()  # nothing, after an interrupt
    return code


def _ask(question: str) -> str:
    """Return the next line of standard input; a terminal shows the question, but not the line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    import getpass  # noqa: PLC0415 - only a login asks

    return getpass.getpass(question, stream=sys.stderr)


@contextlib.contextmanager
def _cancel_on_interrupt(cancellation: Cancellation) -> Iterator[None]:
    """Let Ctrl-C end waits in order; it interrupts at once what does not wait, and at the second time everything.

    One more within a second of an interruption is ignored: it would interrupt the answer to it.
    """
    interrupted_at = float("-inf")

    def handle(number: int, frame: object) -> None:
        nonlocal interrupted_at
        is_first = not cancellation.is_set
        cancellation.cancel()
        if is_first and cancellation.is_observed:
            return
        if time.monotonic() - interrupted_at >= ANSWER_SECONDS:
            interrupted_at = time.monotonic()
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        with contextlib.suppress(ValueError):  # another program uses this one in a thread
            signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is handle:
            # one more, while the answer to the first is printed, would add a second answer
            signal.signal(signal.SIGINT, signal.SIG_IGN if cancellation.is_set else before)


def _open_input(edited: bool, cancellation: Cancellation) -> LineInput:
    from lisa_py.cli import line_input  # noqa: PLC0415 - only interactive commands

    return line_input.open_input(cancellation, edited=edited)


def _ignore_termination() -> None:
    """Survive the end of the session that this call runs in, to finish the kill and report it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def open_live_display(form: str) -> LiveDisplay:
    """Return the progress output of slow commands; JSON output gets none."""
    if form != "text":
        return LiveDisplay()
    from lisa_py.cli.live_table import LiveTable  # noqa: PLC0415 - few commands have one

    return LiveTable()


def _report_failure(problem: LisaError, form: str, argv: Sequence[str]) -> int:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with contextlib.suppress(ValueError):  # in a thread
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more would cut the answer, or add a second one
    if parse.CLIENT_GROUP in argv:
        from lisa_py.cli import client_words  # noqa: PLC0415 - only for one group

        problem = client_words.convert_failure(problem, form, argv)
    render.print_failure(problem, form)
    return problem.exit_code
