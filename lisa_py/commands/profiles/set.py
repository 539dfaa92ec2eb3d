"""Create a profile, or change settings of one."""

from __future__ import annotations

from typing import Annotated

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProfileName
from lisa_py.contract.profile import ProfileSummary
from lisa_py.contract.session_settings import SETTINGS_ERRORS
from lisa_py.contract.start_session import SettingsArgs
from lisa_py.core.context import Context
from lisa_py.core.definitions import profiles
from lisa_py.core.lifecycle import settings_flags
from lisa_py.store import profiles as store


class Args(SettingsArgs, kw_only=True):
    name: ProfileName
    description: Annotated[str, Flag(help="purpose of the profile", metavar="TEXT")] = ""
    unset: Annotated[str, Flag(help="settings to remove", metavar="CSV")] = ""


class ProfileSetResult(Answer):
    created: bool
    profile: ProfileSummary


def run(args: Args, ctx: Context) -> ProfileSetResult:
    profile, created = profiles.set_profile(
        ctx,
        args.name,
        settings_flags.read_settings_flags(ctx, args),
        description=args.description if args.description or "description" in ctx.given_fields else None,
        unset=tuple(word.strip().replace("-", "_") for word in args.unset.split(",") if word.strip()),
    )
    default = store.registry(ctx.settings).read().default
    return ProfileSetResult(created=created, profile=profiles.describe(profile, default))


def text(answer: ProfileSetResult, args: Args) -> str:
    return f"profile {'created' if answer.created else 'changed'}: {answer.profile.name}"


COMMAND = Command(
    group="live",
    args=Args,
    answer=ProfileSetResult,
    run=run,
    text=text,
    errors=(
        *SETTINGS_ERRORS,
        "invalid_profile_name",
        "invalid_unset",
        "max_profiles",
        "profile_store_read_failed",
        "profile_store_write_failed",
    ),
    example="lisa profiles set --name careful --permission-mode plan --max-turns 20",
)
