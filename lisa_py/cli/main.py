"""The way in and out: finds the output format, runs the command, turns every failure into one answer."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

import click

from lisa_py.cli import render, tree
from lisa_py.contract.errors import LisaError, UsageError


def entry() -> None:
    """Console script: runs and leaves at once, without the interpreter's slow farewell."""
    code = main(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass
    os._exit(code)


def main(argv: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    form = tree.format_of(argv)
    try:
        return tree.run(list(argv), form)
    except LisaError as problem:
        render.failure(problem, form)
        return problem.exit_code
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as problem:
        render.failure(UsageError("unknown_flag", problem.format_message()), form)
        return 1
    except (KeyboardInterrupt, click.Abort):
        render.failure(LisaError("interrupted", "interrupted; sessions go on (lisa session list shows them)"), form)
        return 130
    except BrokenPipeError:
        # whoever read us has gone: nothing to say and nobody to say it to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as problem:
        from lisa_py.cli import crash  # noqa: PLC0415 - only when there is one

        render.failure(crash.report(problem, argv), form)
        return 1
