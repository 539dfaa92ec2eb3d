"""Print the conversation of a chat, also after its end."""

from __future__ import annotations

from lisa_py.contract.client_answers import MessagesResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, HistoryArgs
from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.core.fleet import client_sessions


def run(args: HistoryArgs, ctx: Context) -> MessagesResult:
    return client_sessions.read_conversation(ctx, "user", args)


COMMAND = Command(
    group="live",
    reads=True,
    args=HistoryArgs,
    answer=MessagesResult,
    run=run,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, "archive_unreadable", "invalid_cursor", "session_not_found"),
    exits={code: EXITS[code] for code in (0, 1, 3)},
    example="lisa ai chats history --id lisa-demo-1\n"
    "lisa ai chats history --id lisa-demo-1 --output jsonl --filter 'messages[].type'",
)
