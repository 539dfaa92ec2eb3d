"""Delete a profile that is not the default one."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.flags import ProfileName
from lisa_py.core.context import Context
from lisa_py.core.definitions import profiles


class Args(Struct, kw_only=True):
    name: ProfileName


class ProfileDeleteResult(Answer):
    name: str
    deleted: bool = True


def run(args: Args, ctx: Context) -> ProfileDeleteResult:
    return ProfileDeleteResult(name=profiles.delete_profile(ctx, args.name).name)


def text(answer: ProfileDeleteResult, args: Args) -> str:
    return f"profile deleted: {answer.name}"


COMMAND = Command(
    group="live",
    args=Args,
    answer=ProfileDeleteResult,
    run=run,
    text=text,
    errors=("default_profile", *profiles.ERRORS),
    example="lisa profiles delete --name careful",
)
