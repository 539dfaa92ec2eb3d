"""Print the conversation of a chat, also after its end."""

from __future__ import annotations

from lisa_py.contract.client_answers import MessagesResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, ClientArgs, SessionId, WholeHistory
from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.core.live import attach, owned_sessions
from lisa_py.terminal.frame_lines import is_internal


class Args(ClientArgs, kw_only=True):
    id: SessionId
    raw: WholeHistory = False


def run(args: Args, ctx: Context) -> MessagesResult:
    root = owned_sessions.find_root(ctx, args.oid, args.project_root)
    ref = owned_sessions.find_session(ctx, args.id, root, family="user")
    messages = attach.read_messages(ctx, ref)
    return MessagesResult(messages=tuple(frame for frame in messages if args.raw or not is_internal(frame)))


COMMAND = Command(
    group="live",
    args=Args,
    answer=MessagesResult,
    run=run,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, "session_not_found"),
    exits={code: EXITS[code] for code in (0, 1, 3)},
    example="lisa ai chats history --id lisa-demo-1\n"
    "lisa ai chats history --id lisa-demo-1 --output jsonl --filter 'messages[].type'",
)
