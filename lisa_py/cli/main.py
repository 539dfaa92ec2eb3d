"""The way in and out: finds the command and the output format, runs it, turns every failure into one answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from lisa_py import commands
from lisa_py.cli import parse, render
from lisa_py.contract.command import Command
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context, Live
from lisa_py.host import env

SIGPIPE = 13
INTERRUPTED = LisaError("interrupted", "interrupted; sessions go on (lisa session list shows them)", exit_code=130)


def entry() -> None:
    """Console script: runs and leaves at once, without the interpreter's slow farewell."""
    render.streams()
    os._exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command line and write its answer; returns the exit code."""
    try:
        code = _answered(argv, parse.format_of(argv))
        render.flush()
    except BrokenPipeError:
        # whoever read us has gone: nothing to say and nobody to say it to
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + SIGPIPE
    except render.Lost as problem:
        render.warn(f"lisa: the answer could not be written: {problem}")
        return 1
    return code


def _answered(argv: Sequence[str], form: str) -> int:
    try:
        if "_LISA_COMPLETE" in os.environ:
            from lisa_py.cli import complete  # noqa: PLC0415 - only when the shell asks

            return complete.run(os.environ["_LISA_COMPLETE"])
        path, words = parse.split(argv)
        command = commands.load(path) if path else None
        if command is None or parse.asks_for_help(command, words):
            from lisa_py.cli import manual  # noqa: PLC0415 - only when asked or lost

            return manual.without_command(argv) if command is None else manual.show(path, command)
        if form == "text" and command.text is None:
            form = "json"
        return _run(path, command, words, form)
    except LisaError as problem:
        return _failed(problem, form)
    except KeyboardInterrupt:
        return _failed(INTERRUPTED, form)
    except (BrokenPipeError, render.Lost):
        raise
    except Exception as problem:
        from lisa_py.cli import crash  # noqa: PLC0415 - only when there is one

        return _failed(crash.report(problem, argv), form)


def _run(path: Sequence[str], command: Command, words: Sequence[str], form: str) -> int:
    args, given = parse.read(path, command, words)
    ctx = Context(
        env.settings(),
        given=given,
        form=form,
        emit=render.event,
        warn=render.warn,
        progress=render.progress(),
        live=live(form) if command.live else None,
        stdin=lambda: sys.stdin.buffer.read(),
    )
    ctx.defer()
    try:
        code = render.answer(command, command.run(args, ctx), args, form)
        render.flush()
        ctx.told()
    finally:
        ctx.lost()  # nothing, where it was told
    return code


def live(form: str) -> Live:
    """Where a command that takes its time shows what it does; JSON output is left alone."""
    if form != "text":
        return Live()
    from lisa_py.cli.board import Board  # noqa: PLC0415 - few commands have one

    return Board()


def _failed(problem: LisaError, form: str) -> int:
    render.failure(problem, form)
    return problem.exit_code
