"""Notices of `lisa watch`: one per transition of a session that a person may want to know."""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer

NoticeKind = Literal["asks", "failed", "done", "lost", "limit"]
NOTICE_KINDS: tuple[NoticeKind, ...] = get_args(NoticeKind)


class SessionNotice(Answer):
    """A session needs a person, or has ended."""

    type: str = "notice"
    kind: NoticeKind
    session: str
    agent: str
    project_root: str
    at: str
    """RFC 3339."""
    title: str
    """The session and what it needs, in one line."""
    text: str
    """First line of the question, redacted; else the activity or error."""
    command: str
    """The command that answers it or shows more."""
    session_state: str
    waiting_for: str | UnsetType = UNSET
