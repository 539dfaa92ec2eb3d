"""Log in with a browser and store the token for chats."""

from __future__ import annotations

from lisa_py.contract.api_answers import LoginCodeResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, ClientArgs
from lisa_py.contract.command import Command
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import credentials, login
from lisa_py.core.lifecycle.login import AgentLogin


class Args(ClientArgs, kw_only=True):
    pass


def run(args: Args, ctx: Context) -> LoginCodeResult:
    found = credentials.find_agent()
    with AgentLogin(ctx, found) as running:
        address = running.start()
        ctx.live_display.write_line("Open this URL in your browser, approve, then paste the code below:")
        ctx.live_display.write_line(f"  {address}")
        code = ctx.ask("Code: ").strip()
        if not code:
            raise LisaError("auth_login_failed", "the login was not completed: no code was given")
        token = running.submit(code)
    identity = credentials.store_token(ctx, found, token)
    return LoginCodeResult(success=True, status="completed", message=f"token stored in the pool: {identity}")


COMMAND = Command(
    group="live",
    args=Args,
    answer=LoginCodeResult,
    run=run,
    document=lambda answer, args: answer,
    live=True,
    errors=(*OUTPUT_ERRORS, *login.ERRORS, *credentials.ERRORS),
    exits={code: EXITS[code] for code in (0, 1)},
    example="lisa ai auth claude login",
)
