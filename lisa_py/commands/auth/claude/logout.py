"""Remove the stored API key of claude."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import credentials
from lisa_py.core.lifecycle.credentials import SOURCE_TITLES


class Args(Struct, kw_only=True):
    pass


class AuthLogoutResult(Answer):
    removed: bool
    remaining: tuple[str, ...]
    """Places that still hold a credential: pool, environment, agent."""


def run(args: Args, ctx: Context) -> AuthLogoutResult:
    claude = credentials.find_agent()
    removed = credentials.remove_key(ctx, claude)
    return AuthLogoutResult(removed=removed, remaining=credentials.read_status(ctx, claude).sources)


def text(answer: AuthLogoutResult, args: Args) -> str:
    done = "key removed" if answer.removed else "no key was stored"
    kept = ", ".join(SOURCE_TITLES[source] for source in answer.remaining)
    return f"{done}; still there: {kept}" if kept else done


COMMAND = Command(
    group="accounts",
    args=Args,
    answer=AuthLogoutResult,
    run=run,
    text=text,
    errors=credentials.ERRORS,
    example="lisa auth claude logout",
    notes="Only the key of set-key is removed. Tokens of the pool stay (lisa oauth remove), and so does the login of"
    " claude itself.",
)
