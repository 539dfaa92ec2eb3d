"""Show the credential that claude gets in sessions of the user."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import credentials
from lisa_py.core.lifecycle.credentials import SOURCE_TITLES


class Args(Struct, kw_only=True):
    pass


class AuthStatusResult(Answer, rename=None):
    has_credentials: bool
    credential_type: str | UnsetType = UNSET
    """apikey or oauth_token."""
    created_at: str | UnsetType = UNSET
    sources: tuple[str, ...] = ()
    """Places that hold one, the first counts: stored, pool, environment, agent."""


def run(args: Args, ctx: Context) -> AuthStatusResult:
    found = credentials.read_status(ctx, credentials.find_agent())
    return AuthStatusResult(
        has_credentials=found.has_credentials,
        credential_type=found.credential_type or UNSET,
        created_at=found.created_at or UNSET,
        sources=found.sources,
    )


def text(answer: AuthStatusResult, args: Args) -> str:
    if not answer.has_credentials:
        return "no credentials (lisa auth claude login, or set-key)"
    first, *others = (SOURCE_TITLES[source] for source in answer.sources)
    since = f", since {answer.created_at}" if answer.created_at else ""
    more = f"; also: {', '.join(others)}" if others else ""
    return f"{answer.credential_type}: {first}{since}{more}"


COMMAND = Command(
    group="accounts",
    reads=True,
    args=Args,
    answer=AuthStatusResult,
    run=run,
    text=text,
    errors=("auth_store_read_failed",),
    example="lisa auth claude status --json",
    notes="A session of the user (chat) gets the first of: a key stored by set-key, a token of the pool, a key variable"
    " of the environment, the login of claude itself. Other sessions get no stored key.",
)
