"""Delete a token from the pool."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import token_pool
from lisa_py.store import oauth_tokens


class Args(Struct, kw_only=True):
    id: Annotated[str, Flag(help="token id from lisa oauth list", metavar="ID")]


class OauthRemoveResult(Struct, frozen=True, kw_only=True):
    id: str
    removed: bool = True


def run(args: Args, ctx: Context) -> OauthRemoveResult:
    return OauthRemoveResult(id=token_pool.change_token(ctx, args.id, oauth_tokens.remove))


def text(answer: OauthRemoveResult, args: Args) -> str:
    return f"oauth token removed: {answer.id}"


COMMAND = Command(
    group="accounts",
    args=Args,
    answer=OauthRemoveResult,
    run=run,
    text=text,
    errors=(
        "oauth_token_not_found",
        "oauth_remove_failed",
    ),
    example="lisa oauth remove --id oauth-29a48b8b013d",
)
