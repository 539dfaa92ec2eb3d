"""Print the conversation of a session, also after its end."""

from __future__ import annotations

from lisa_py.contract.client_answers import MessagesResult
from lisa_py.contract.client_commands import HISTORY
from lisa_py.contract.client_flags import HistoryArgs
from lisa_py.core.context import Context
from lisa_py.core.fleet import client_sessions


def run(args: HistoryArgs, ctx: Context) -> MessagesResult:
    return client_sessions.read_conversation(ctx, "org", args)


COMMAND = HISTORY(
    run=run,
    example="lisa ai session history --id lisa-demo-1\n"
    "lisa ai session history --id lisa-demo-1 --output jsonl --filter 'messages[].type'",
)
