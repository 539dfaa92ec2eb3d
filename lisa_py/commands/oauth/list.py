"""List the tokens of the pool by id, never the tokens themselves."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.store import oauth_tokens
from lisa_py.store.json_records import UnreadableRecord


class Args(Struct, kw_only=True):
    """No flags."""


class OauthListResult(Answer):
    count: int
    tokens: list[oauth_tokens.TokenListItem]


def run(args: Args, ctx: Context) -> OauthListResult:
    try:
        found = oauth_tokens.list_tokens(ctx.settings, ctx.clock.now())
    except UnreadableRecord as problem:
        raise LisaError(
            "oauth_list_failed", f"the pool cannot be read: {problem} (lisa oauth add replaces it and keeps a copy)"
        ) from problem
    return OauthListResult(count=len(found), tokens=found)


def text(answer: OauthListResult, args: Args) -> str:
    """CSV: id, addedAt, lastUsedAt, useCount, and next or disabled."""
    return "\n".join(map(_format_row, answer.tokens)) or "no oauth tokens configured"


def _format_row(token: oauth_tokens.TokenListItem) -> str:
    mark = "next" if token.next else "disabled" if token.disabled else ""
    return f"{token.id},{token.added_at},{token.last_used_at or ''},{token.use_count or 0},{mark}"


COMMAND = Command(
    group="accounts",
    reads=True,
    args=Args,
    answer=OauthListResult,
    run=run,
    text=text,
    errors=("oauth_list_failed",),
    example="lisa oauth list",
)
