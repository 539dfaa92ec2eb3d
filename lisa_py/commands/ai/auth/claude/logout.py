"""Remove the stored API key of chats."""

from __future__ import annotations

from lisa_py.contract.client_answers import CredentialChangeResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, ClientArgs
from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import credentials


class Args(ClientArgs, kw_only=True):
    pass


def run(args: Args, ctx: Context) -> CredentialChangeResult:
    found = credentials.find_agent()
    removed = credentials.remove_key(ctx, found)
    return CredentialChangeResult(success=True, message=credentials.describe_removal(ctx, found, removed=removed))


COMMAND = Command(
    group="live",
    args=Args,
    answer=CredentialChangeResult,
    run=run,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, *credentials.ERRORS),
    exits={code: EXITS[code] for code in (0, 1)},
    example="lisa ai auth claude logout",
)
