"""Show the settings of a profile."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from lisa_py.contract.command import Command
from lisa_py.contract.flags import ProfileName
from lisa_py.contract.profile import ProfileSummary
from lisa_py.core.context import Context
from lisa_py.core.definitions.profiles import describe, find
from lisa_py.core.definitions.templates import format_value
from lisa_py.store import profiles


class Args(Struct, kw_only=True):
    name: ProfileName


def run(args: Args, ctx: Context) -> ProfileSummary:
    content = profiles.registry(ctx.settings).read()
    return describe(find(content, args.name), content.default)


def text(answer: ProfileSummary, args: Args) -> str:
    """Name, then one line per setting."""
    settings: dict[str, Any] = msgspec.to_builtins(answer.settings)
    title = f"{answer.name} ({answer.id}{', default' if answer.is_default else ''})"
    return "\n".join([title, *(f"{key}: {format_value(value)}" for key, value in settings.items())])


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=ProfileSummary,
    run=run,
    text=text,
    errors=("profile_not_found", "profile_store_read_failed"),
    example="lisa profiles show --name Default",
)
