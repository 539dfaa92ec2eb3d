"""List the profiles and name the default one."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.profile import ProfileSummary
from lisa_py.core.context import Context
from lisa_py.core.definitions.profiles import describe
from lisa_py.store import profiles


class Args(Struct, kw_only=True):
    """No flags."""


class ProfilesListResult(Answer):
    count: int
    profiles: tuple[ProfileSummary, ...]


def run(args: Args, ctx: Context) -> ProfilesListResult:
    content = profiles.registry(ctx.settings).read()
    items = tuple(describe(profile, content.default) for profile in content.profiles.values())
    return ProfilesListResult(count=len(items), profiles=items)


def text(answer: ProfilesListResult, args: Args) -> str:
    """CSV: name, id, default, description."""
    return "\n".join(
        f"{each.name},{each.id},{'default' if each.is_default else ''},{each.description or ''}"
        for each in answer.profiles
    )


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=ProfilesListResult,
    run=run,
    text=text,
    errors=("profile_store_read_failed",),
    example="lisa profiles list --json",
)
