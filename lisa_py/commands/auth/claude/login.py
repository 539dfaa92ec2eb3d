"""Log in to a Claude subscription and store the token in the pool."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import credentials, login
from lisa_py.core.lifecycle.login import AgentLogin


class Args(Struct, kw_only=True):
    pass


class AuthLoginResult(Answer):
    oauth_token_id: str


def run(args: Args, ctx: Context) -> AuthLoginResult:
    claude = credentials.find_agent()
    with AgentLogin(ctx, claude) as running:
        ctx.warn(f"open this address in a browser, sign in and copy the code:\n{running.start()}")
        code = ctx.ask("code: ").strip()
        if not code:
            raise LisaError("auth_login_failed", "the login was not completed: no code was given")
        token = running.submit(code)
    return AuthLoginResult(oauth_token_id=credentials.store_token(ctx, claude, token))


def text(answer: AuthLoginResult, args: Args) -> str:
    return f"token stored in the pool: {answer.oauth_token_id}"


COMMAND = Command(
    group="accounts",
    args=Args,
    answer=AuthLoginResult,
    run=run,
    text=text,
    errors=(*login.ERRORS, *credentials.ERRORS),
    example="lisa auth claude login",
    notes="It runs claude setup-token in a private pane, prints its address on standard error and takes the code from"
    " standard input, unseen on a terminal. The token replaces a key of set-key and is valid for a year.",
)
