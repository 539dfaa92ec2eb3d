"""Make a profile the default one."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.command import Command
from lisa_py.contract.flags import ProfileName
from lisa_py.contract.profile import ProfileSummary
from lisa_py.core.context import Context
from lisa_py.core.definitions import profiles


class Args(Struct, kw_only=True):
    name: ProfileName


def run(args: Args, ctx: Context) -> ProfileSummary:
    found = profiles.set_default(ctx, args.name)
    return profiles.describe(found, found.name)


def text(answer: ProfileSummary, args: Args) -> str:
    return f"default profile: {answer.name}"


COMMAND = Command(
    group="live",
    args=Args,
    answer=ProfileSummary,
    run=run,
    text=text,
    errors=profiles.ERRORS,
    example="lisa profiles default --name careful",
)
