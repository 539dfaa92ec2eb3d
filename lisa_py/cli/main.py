"""Entry point: find the command and the output format, run it, turn every failure into one answer."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from lisa_py import commands
from lisa_py.cli import parse, render
from lisa_py.contract.command import Command
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context, LiveDisplay
from lisa_py.host import env

SIGPIPE = 13
INTERRUPTED = LisaError(
    "interrupted", "interrupted; sessions keep running (lisa session list shows them)", exit_code=130
)


def entry() -> None:
    """Run as the console script and exit at once, without the slow shutdown of the interpreter."""
    render.prepare_streams()
    os._exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command line and write its answer; return the exit code."""
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
            from lisa_py.cli import help_pages  # noqa: PLC0415 - only for help and unknown commands

            return help_pages.handle_missing_command(argv) if command is None else help_pages.print_page(path, command)
        if form == "text" and command.text is None:
            form = "json"
        return _run(path, command, words, form)
    except LisaError as problem:
        return _report_failure(problem, form)
    except KeyboardInterrupt:
        return _report_failure(INTERRUPTED, form)
    except (BrokenPipeError, render.OutputError):
        raise
    except Exception as problem:
        from lisa_py.cli import crash_report  # noqa: PLC0415 - only when there is one

        return _report_failure(crash_report.write_crash_report(problem, argv), form)


def _run(path: Sequence[str], command: Command, words: Sequence[str], form: str) -> int:
    args, given = parse.read_arguments(path, command, words)
    ctx = Context(
        env.read_settings(),
        given_fields=given,
        output_format=form,
        emit=render.print_event,
        warn=render.warn,
        progress=render.make_progress_printer(),
        live_display=open_live_display(form) if command.live else None,
        stdin=lambda: sys.stdin.buffer.read(),
        on_own_end=_ignore_termination,
    )
    ctx.defer_cursors()
    try:
        code = render.print_answer(command, command.run(args, ctx), args, form)
        render.flush()
        ctx.commit_cursors()
    finally:
        ctx.rollback_cursors()  # nothing, after an interrupt
    return code


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


def _report_failure(problem: LisaError, form: str) -> int:
    render.print_failure(problem, form)
    return problem.exit_code
