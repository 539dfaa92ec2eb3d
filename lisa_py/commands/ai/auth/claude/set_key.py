"""Store an API key for chats."""

from __future__ import annotations

from typing import Annotated

from lisa_py.contract.client_answers import CredentialChangeResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, ClientArgs
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import credentials


class Args(ClientArgs, kw_only=True):
    key: Annotated[str, Flag(help="key, visible in `ps`, or a reference", metavar="KEY")] = ""
    key_from_stdin: Annotated[bool, Flag(help="key from standard input")] = False


def run(args: Args, ctx: Context) -> CredentialChangeResult:
    if bool(args.key) == args.key_from_stdin:
        raise UsageError("invalid_key", "give one of --key and --key-from-stdin")
    key = args.key or ctx.stdin().decode("utf-8", "replace")
    is_replaced = credentials.store_key(ctx, credentials.find_agent(), key)
    return CredentialChangeResult(success=True, message="credential replaced" if is_replaced else "credential stored")


COMMAND = Command(
    group="live",
    args=Args,
    answer=CredentialChangeResult,
    run=run,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, "invalid_key", *credentials.ERRORS),
    exits={code: EXITS[code] for code in (0, 1)},
    example='printf %s "$ANTHROPIC_API_KEY" | lisa ai auth claude set-key --key-from-stdin',
)
