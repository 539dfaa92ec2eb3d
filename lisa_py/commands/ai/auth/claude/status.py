"""Show whether chats have a credential."""

from __future__ import annotations

from lisa_py.contract.client_answers import CredentialsResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, ClientArgs
from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import credentials


class Args(ClientArgs, kw_only=True):
    pass


def run(args: Args, ctx: Context) -> CredentialsResult:
    found = credentials.read_status(ctx, credentials.find_agent())
    return CredentialsResult(
        has_credentials=found.has_credentials,
        credential_type=found.credential_type or None,
        created_at=found.created_at or None,
    )


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=CredentialsResult,
    run=run,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, *credentials.ERRORS),
    exits={code: EXITS[code] for code in (0, 1)},
    example="lisa ai auth claude status",
)
