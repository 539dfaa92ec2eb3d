"""Print the version."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.host.build import BuildReport, read_build


class Args(Struct, kw_only=True):
    """No flags."""


def run(args: Args, ctx: Context) -> BuildReport:
    return read_build(ctx.settings)


def text(answer: BuildReport, args: Args) -> str:
    return f"lisa {answer.version} (commit {answer.commit}, built {answer.date})"


COMMAND = Command(
    reads=True, group="programs", args=Args, answer=BuildReport, run=run, text=text, example="lisa version"
)
