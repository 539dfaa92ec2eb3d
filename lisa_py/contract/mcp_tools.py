"""Tools of `lisa mcp`: their arguments and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.status import DialogChoice

MAX_WAIT_SECONDS = 3600
SessionName = Annotated[str, Meta(description="name of the session, as session_list shows it", min_length=1)]


class ToolServer(Struct, frozen=True, kw_only=True):
    """An MCP server that an agent starts."""

    name: str
    command: str
    args: tuple[str, ...]
    env: Mapping[str, str] = {}


class SpawnToolArgs(Struct, kw_only=True, forbid_unknown_fields=True):
    prompt: Annotated[str, Meta(description="the task, complete: the new agent knows nothing else", min_length=1)]
    agent: Annotated[str, Meta(description="claude or codex; default: claude")] = ""
    name: Annotated[str, Meta(description="session name; default: a free one")] = ""
    model: Annotated[str, Meta(description="model of the agent; default: its own")] = ""


class ListToolArgs(Struct, kw_only=True, forbid_unknown_fields=True):
    state: Annotated[
        str, Meta(description="only sessions in this sessionState: in_progress, waiting_input, completed, crashed, ...")
    ] = ""


class WaitToolArgs(Struct, kw_only=True, forbid_unknown_fields=True):
    sessions: Annotated[tuple[str, ...], Meta(description="session names; default: all")] = ()
    all: Annotated[bool, Meta(description="wait until every session is done, not until one is")] = False
    timeout: Annotated[
        int, Meta(description="seconds; keep it below the tool limit of your client", ge=1, le=MAX_WAIT_SECONDS)
    ] = 50


class StatusToolArgs(Struct, kw_only=True, forbid_unknown_fields=True):
    session: SessionName


class ReadToolArgs(Struct, kw_only=True, forbid_unknown_fields=True):
    session: SessionName
    since: Annotated[str, Meta(description="`next` of the last answer: only what is newer")] = ""


class SendToolArgs(Struct, kw_only=True, forbid_unknown_fields=True):
    session: SessionName
    text: Annotated[str, Meta(description="prompt or reply; submitted with Enter")] = ""
    answer: Annotated[str, Meta(description="answer to the open dialog: yes, no, always or the number of a choice")] = (
        ""
    )
    keys: Annotated[str, Meta(description="tmux key names, separated by spaces: Escape, C-c, Down")] = ""


class KillToolArgs(Struct, kw_only=True, forbid_unknown_fields=True):
    session: SessionName


class SpawnToolAnswer(Answer):
    session: str
    notes: tuple[str, ...] | UnsetType = UNSET
    warnings: tuple[str, ...] | UnsetType = UNSET


class ToolSession(Answer):
    """One session in an answer."""

    session: str
    session_state: str
    waiting_for: str | UnsetType = UNSET
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    """Choices of the open dialog, for session_send with `answer`."""
    next: str | UnsetType = UNSET
    """Tool that fits the state."""


class ListToolAnswer(Answer):
    count: int
    sessions: tuple[ToolSession, ...]


class WaitToolAnswer(Answer):
    sessions: tuple[ToolSession, ...]
    """Sessions that need attention or have ended."""
    pending: tuple[str, ...]
    """Sessions that work on."""
    timed_out: bool | UnsetType = UNSET
    next: str | UnsetType = UNSET


class StatusToolAnswer(Answer):
    session: str
    session_state: str
    status: str
    agent: str
    agent_state: str
    active_task: str | UnsetType = UNSET
    todos_done: int | UnsetType = UNSET
    todos_total: int | UnsetType = UNSET
    waiting_for: str | UnsetType = UNSET
    question: str | UnsetType = UNSET
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    dialogs: tuple[dict[str, Any], ...] | UnsetType = UNSET
    """Open permissions and questions with tool and input."""
    state_detail: str | UnsetType = UNSET
    error_kind: str | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET


class ReadToolAnswer(Answer):
    session: str
    session_state: str
    text: str
    next: str
    """Position after the text, for `since`."""
    more: bool | UnsetType = UNSET
    """True if newer text follows: read again with `next`."""
    omitted: bool | UnsetType = UNSET
    """True if older text was left out."""


class SendToolAnswer(Answer):
    session: str
    delivered: bool | str
    """`unverified` if the agent gives no evidence."""
    evidence: str | UnsetType = UNSET


class KillToolAnswer(Answer):
    session: str
    found: bool
    archive: str | UnsetType = UNSET
    """Id under which its conversation can still be read."""
