"""Descriptions of the commands of `lisa ai` that sessions and chats have alike; `run` and `example` are missing."""

from __future__ import annotations

from functools import partial

from lisa_py.contract.client_answers import MessagesResult, SessionResult, SessionsResult, TerminationResult
from lisa_py.contract.client_flags import (
    EXITS,
    OUTPUT_ERRORS,
    GetArgs,
    HistoryArgs,
    ListArgs,
    TerminateArgs,
)
from lisa_py.contract.command import Command

_EXITS = {code: EXITS[code] for code in (0, 1, 3)}

LIST = partial(
    Command,
    group="live",
    reads=True,
    args=ListArgs,
    answer=SessionsResult,
    document=lambda answer, args: answer.document,
    errors=(*OUTPUT_ERRORS, "invalid_cursor", "invalid_session_status"),
    exits={code: EXITS[code] for code in (0, 1, 4)},
    notes="""\
All pages are read and printed as one list. With --cursor (empty for the first page) it prints one page with its
next_cursor. The first prompt is cut; get --full-prompt prints it.""",
)
GET = partial(
    Command,
    group="live",
    reads=True,
    args=GetArgs,
    answer=SessionResult,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, "session_not_found"),
    exits=_EXITS,
)
HISTORY = partial(
    Command,
    group="live",
    reads=True,
    args=HistoryArgs,
    answer=MessagesResult,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, "archive_unreadable", "invalid_cursor", "session_not_found"),
    exits=_EXITS,
)
TERMINATE = partial(
    Command,
    group="live",
    args=TerminateArgs,
    answer=TerminationResult,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, "session_kill_failed", "session_not_found"),
    exits=_EXITS,
    notes="A session that has ended already stays as it is; its pane and folder are removed, the archive is kept.",
)
