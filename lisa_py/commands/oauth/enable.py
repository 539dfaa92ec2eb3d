"""Enable a disabled token of the pool."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import token_pool
from lisa_py.store import oauth_tokens


class Args(Struct, kw_only=True):
    id: Annotated[str, Flag(help="token id from lisa oauth list", metavar="ID")]


class OauthEnableResult(Struct, frozen=True, kw_only=True):
    id: str
    enabled: bool = True


def run(args: Args, ctx: Context) -> OauthEnableResult:
    return OauthEnableResult(id=token_pool.change_token(ctx, args.id, oauth_tokens.enable))


def text(answer: OauthEnableResult, args: Args) -> str:
    return f"oauth token enabled: {answer.id}"


COMMAND = Command(
    group="accounts",
    args=Args,
    answer=OauthEnableResult,
    run=run,
    text=text,
    errors=(
        "oauth_token_not_found",
        "oauth_enable_failed",
    ),
    example="lisa oauth enable --id oauth-29a48b8b013d",
)
