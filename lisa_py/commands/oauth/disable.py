"""Keep a token in the pool without giving it to sessions."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import token_pool
from lisa_py.store import oauth_tokens


class Args(Struct, kw_only=True):
    id: Annotated[str, Flag(help="token id from lisa oauth list", metavar="ID")]


class OauthDisableResult(Struct, frozen=True, kw_only=True):
    id: str
    disabled: bool = True


def run(args: Args, ctx: Context) -> OauthDisableResult:
    return OauthDisableResult(id=token_pool.change_token(ctx, args.id, oauth_tokens.disable, "by_hand"))


def text(answer: OauthDisableResult, args: Args) -> str:
    return f"oauth token disabled: {answer.id}"


COMMAND = Command(
    group="accounts",
    args=Args,
    answer=OauthDisableResult,
    run=run,
    text=text,
    errors=(
        "oauth_token_not_found",
        "oauth_disable_failed",
    ),
    example="lisa oauth disable --id oauth-29a48b8b013d",
)
