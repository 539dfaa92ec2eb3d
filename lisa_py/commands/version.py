"""Print which lisa this is."""

from __future__ import annotations

from msgspec import Struct

import lisa_py
from lisa_py.contract.command import Command
from lisa_py.core.context import Context


class Args(Struct, kw_only=True):
    """No flags."""


class Build(Struct, frozen=True):
    version: str
    commit: str
    date: str


def run(args: Args, ctx: Context) -> Build:
    """Commit and date are set by whoever packages lisa, through LISA_BUILD_COMMIT and LISA_BUILD_DATE."""
    return build(ctx)


def build(ctx: Context) -> Build:
    return Build(
        lisa_py.__version__,
        ctx.settings.get("LISA_BUILD_COMMIT", "none"),
        ctx.settings.get("LISA_BUILD_DATE", "unknown"),
    )


def text(answer: Build, args: Args) -> str:
    return f"lisa {answer.version} (commit {answer.commit}, built {answer.date})"


COMMAND = Command(args=Args, answer=Build, run=run, text=text, example="lisa version")
