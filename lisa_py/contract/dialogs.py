"""Dialogs of an agent that wait for an answer, and the decisions about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.status import DialogChoice

DecisionKind = Literal["approve", "deny", "answer"]
Scope = Literal["once", "session"]
DialogWay = Literal["hook", "screen"]
"""Way of an answer to the agent: its waiting hook, or keys in the dialog on the screen."""
PANE = "pane"
"""Decider of a dialog that a person closed with a key in the pane."""


class QuestionOption(Struct, frozen=True, kw_only=True):
    """One offered answer of a question."""

    label: str
    description: str = ""


class DialogQuestion(Struct, frozen=True, kw_only=True):
    """One question of a dialog; spelled as the agents and the sessions API spell it."""

    question: str
    header: str = ""
    options: tuple[QuestionOption, ...] = ()
    multi_select: bool = msgspec.field(default=False, name="multiSelect")

    @property
    def key(self) -> str:
        """Return the key of its answer: the header, or the text where there is none."""
        return self.header or self.question


def parse_questions(tool_input: object) -> tuple[DialogQuestion, ...]:
    """Return the questions in the input of a tool that asks a person; none if it has another form."""
    given = tool_input.get("questions") if isinstance(tool_input, Mapping) else None
    try:
        listed = msgspec.convert(given or (), tuple[dict[str, Any], ...])
        plain = [{**each, "options": _name_labels(each.get("options"))} for each in listed]
        return msgspec.convert(plain, tuple[DialogQuestion, ...])
    except msgspec.ValidationError:
        return ()


def _name_labels(options: object) -> list[object]:
    """Return options of which each is an object: a text is a label without a description."""
    listed = options if isinstance(options, list | tuple) else ()
    return [{"label": each} if isinstance(each, str) else each for each in listed]


class PermissionCall(Struct, frozen=True, kw_only=True):
    """One PermissionRequest of the hooks, of a call that has not ended."""

    key: str
    """Key of the dialog in the store."""
    at: float
    tool_name: str
    tool_input: object
    """None if the payload was over the limit."""
    tool_use_id: str = ""
    """From the PreToolUse before it; empty: unknown."""


class OpenDialog(Answer):
    """A dialog that waits for an answer."""

    session: str
    project_root: str
    id: str
    """The id of the tool call where one is known; for --id."""
    kind: str
    """waitingFor of the status: permission, question, trust, login, ..."""
    way: DialogWay
    since: str
    """RFC 3339."""
    message: str = ""
    """The question of the agent, in one line."""
    tool_use_id: str | UnsetType = UNSET
    tool_name: str | UnsetType = UNSET
    tool_input: Any = UNSET
    questions: tuple[DialogQuestion, ...] | UnsetType = UNSET
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    """The list on the screen, where it was read."""
    answer_command: str | UnsetType = UNSET
    """The command that answers it."""


class DialogDecision(Struct, frozen=True, kw_only=True):
    """A decision about one dialog, as a client gives it."""

    kind: DecisionKind
    by: str = "cli"
    """Surface of the decider: cli, attach, chat, api."""
    scope: Scope = "once"
    message: str = ""
    """For deny: the reason, which the agent reads."""
    pattern: str = ""
    """For approve in scope session: the calls to allow (`Bash(git:*)`); empty: derived from the call."""
    updated_input: Mapping[str, Any] | None = None
    """For approve: the input to run instead."""
    choices: tuple[str, ...] = ()
    """For answer: a number, label or text per question; of a question with several choices a comma-separated list."""
    answers: Mapping[str, str] = {}
    """For answer: the same by header or text of the question; used where `choices` is empty."""


class DecisionRecord(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The one decision about a dialog: `dialogs/KEY.decision`, created exclusively."""

    kind: DecisionKind
    by: str
    way: DialogWay
    at: str
    """RFC 3339."""
    scope: Scope = "once"
    summary: str = ""
    """The decision in words: `approved (session)`, `denied: ...`, the chosen answers."""
    pid: int = 0
    """The deciding process: while it lives, its decision may not have reached the agent."""
    process_started: float = 0.0


class DecisionResult(Answer):
    """A dialog was decided."""

    session: str
    project_root: str
    ok: bool
    id: str
    kind: str
    decision: DecisionKind
    scope: Scope | UnsetType = UNSET
    way: DialogWay
    delivered: bool
    """True if the agent has left the dialog."""
    delivered_by: str | UnsetType = UNSET
    """Evidence: hook, screen, transcript, agent_file, title."""
    answers: dict[str, str] | UnsetType = UNSET
    """The answer of each question."""
    notices: tuple[str, ...] | UnsetType = UNSET
    """Parts of the decision that were not applied as given."""
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
