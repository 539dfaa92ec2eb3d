"""Decide the meaning of each line that is typed at a session: a command, a prompt, or the answer to a dialog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from lisa_py.terminal import frame_lines
from lisa_py.terminal.frame_lines import BOLD, MAGENTA, YELLOW, Message

QUIT, INTERRUPT = "/quit", "/interrupt"
APPROVE_ONCE, APPROVE_SESSION, DENY = ("y", "yes"), ("s", "session"), ("n", "no")
SCREEN_DIALOG = "dialog"
"""Id of a dialog whose frame has none."""
CLOSING_SUBTYPES = ("approval_decided", "dialog_closed")


class TypedPrompt(Struct, frozen=True):
    """A prompt for the agent."""

    text: str


class TypedCommand(Struct, frozen=True):
    """A command for lisa."""

    name: Literal["quit", "interrupt"]


class TypedAnswer(Struct, frozen=True, kw_only=True):
    """The answer to a dialog."""

    dialog: str
    """The id of its frame."""
    kind: Literal["approve", "deny", "answer"]
    scope: Literal["once", "session"] = "once"
    message: str = ""
    choices: tuple[str, ...] = ()
    """A number, label or text for each question."""


Typed = TypedPrompt | TypedCommand | TypedAnswer


class PendingDialog(Struct, kw_only=True):
    """An open dialog and the answers typed so far."""

    id: str
    tool: str = ""
    """Of a tool call that asks for permission."""
    tool_input: Any = None
    questions: Sequence[Message] = ()
    answers: tuple[str, ...] = ()

    def format_question(self, *, colors: bool) -> list[str]:
        """Return the lines that ask what is to be answered next."""
        if self.tool:
            lines = [frame_lines.paint(f"\nTool approval requested: {self.tool}", YELLOW, BOLD, colors=colors)]
            if self.tool_input is not None:
                shown = f"  input: {frame_lines.format_json(self.tool_input)}"
                lines.append(frame_lines.paint(shown, YELLOW, colors=colors))
            return lines
        question = self._next_question()
        asked = frame_lines.clean(f"\nQuestion: {question.get('question', _key_of(question))}")
        lines = [frame_lines.paint(asked, MAGENTA, BOLD, colors=colors)]
        for number, option in enumerate(question.get("options") or (), 1):
            shown = frame_lines.clean(f"  {number}. {_describe_option(option)}")
            lines.append(frame_lines.paint(shown, MAGENTA, colors=colors))
        return lines

    @property
    def call_to_answer(self) -> str:
        if self.tool:
            return "Approve? [y/n/session]: "
        return "Choose: " if self._next_question().get("options") else "Answer: "

    def take(self, line: str) -> TypedAnswer | None:
        """Return the whole answer; None if a question is left, or if a question needs a text."""
        if self.tool:
            return self._decide_call(line)
        if line:
            self.answers = (*self.answers, line)
        if len(self.answers) < max(1, len(self.questions)):
            return None
        return TypedAnswer(dialog=self.id, kind="answer", choices=self.answers)

    def names_answer(self, line: str) -> bool:
        """Return True if an unasked line is the answer: y, n, a number or a label."""
        word = line.lower()
        if self.tool:
            return word in (*APPROVE_ONCE, *APPROVE_SESSION, *DENY)
        if len(self.questions) != 1:
            return False
        labels = [_label_of(option).lower() for option in self.questions[0].get("options") or ()]
        return word in labels or (word.isdecimal() and 1 <= int(word) <= len(labels))

    def _next_question(self) -> Message:
        return self.questions[len(self.answers)] if len(self.answers) < len(self.questions) else {}

    def _decide_call(self, line: str) -> TypedAnswer:
        word = line.lower()
        if word in APPROVE_ONCE:
            return TypedAnswer(dialog=self.id, kind="approve")
        if word in APPROVE_SESSION:
            return TypedAnswer(dialog=self.id, kind="approve", scope="session")
        if word.isdecimal():
            return TypedAnswer(dialog=self.id, kind="answer", choices=(word,))
        return TypedAnswer(dialog=self.id, kind="deny", message="" if word in ("", *DENY) else line)


class TypedLines:
    """The open dialogs of a session, and the meaning of the next typed line."""

    def __init__(self, *, asks: bool = True) -> None:
        """`asks`: the dialog is shown, so the next line answers it; else only one that names an answer does."""
        self._asks = asks
        self._pending: list[PendingDialog] = []
        self._answered: dict[str, PendingDialog] = {}
        """Dialogs whose answer is on its way, by id."""

    @property
    def pending(self) -> PendingDialog | None:
        """Return the dialog that the next line answers."""
        return self._pending[0] if self._pending else None

    def see(self, message: Message) -> bool:
        """Note a live frame that opens or closes a dialog; return True if it is to be asked instead of shown."""
        payload = message.get("payload") or {}
        if message.get("type") == "system" and payload.get("subtype") in CLOSING_SUBTYPES:
            self._close(payload)
        elif message.get("type") == "session_end":
            self._pending.clear()
            self._answered.clear()
        elif (dialog := read_dialog(message)) is not None:
            self._answered.pop(dialog.id, None)
            self._pending = [each for each in self._pending if each.id != dialog.id] + [dialog]
            return self._asks
        return False

    def _close(self, payload: Message) -> None:
        """Forget the dialog that a frame names, or the oldest one if it names none."""
        names = {str(payload[key]) for key in ("tool_use_id", "question_id", "id") if payload.get(key)}
        found = [dialog for dialog in self._pending if not names or dialog.id in names][:1]
        self._pending = [dialog for dialog in self._pending if dialog not in found]
        for name in names or list(self._answered):
            self._answered.pop(name, None)

    def reopen(self, dialog_id: str) -> None:
        """Let the next line answer a dialog again whose answer failed; nothing if it is closed meanwhile."""
        dialog = self._answered.pop(dialog_id, None)
        if dialog is not None:
            dialog.answers = ()
            self._pending.insert(0, dialog)

    def read(self, line: str) -> Typed | None:
        """Return the meaning of a line; None if it has none, or if a further answer is needed."""
        line = line.strip()
        if line == QUIT:
            return TypedCommand("quit")
        if line == INTERRUPT:
            return TypedCommand("interrupt")
        dialog = self.pending
        if dialog is not None and (self._asks or dialog.names_answer(line)):
            return self._answer(dialog, line)
        return TypedPrompt(line) if line else None

    def read_answer(self, line: str) -> TypedAnswer | None:
        """Return the answer that an unasked line names; None for every other line."""
        line = line.strip()
        dialog = self.pending
        return self._answer(dialog, line) if dialog is not None and dialog.names_answer(line) else None

    def _answer(self, dialog: PendingDialog, line: str) -> TypedAnswer | None:
        answer = dialog.take(line)
        if answer is not None:
            self._pending.remove(dialog)
            self._answered[dialog.id] = dialog
        return answer


def read_dialog(message: Message) -> PendingDialog | None:
    """Return the dialog that a frame opens; None for every other frame."""
    payload: Mapping[str, Any] = message.get("payload") or {}
    match message.get("type"):
        case "tool_approval_request":
            return PendingDialog(
                id=str(payload.get("tool_use_id") or ""),
                tool=frame_lines.clean(str(payload.get("tool_name") or "<unknown>")),
                tool_input=payload.get("tool_input"),
            )
        case "ask_user_question":
            return PendingDialog(
                id=str(payload.get("question_id") or ""), questions=tuple(payload.get("questions") or ())
            )
        case "dialog":
            options = [{"label": choice["text"]} for choice in payload.get("choices") or ()]
            question = {"question": payload.get("message") or payload.get("kind"), "options": options}
            return PendingDialog(id=str(payload.get("id") or SCREEN_DIALOG), questions=(question,))
    return None


def _key_of(question: Message) -> str:
    return str(question.get("header") or question.get("question") or "question")


def _label_of(option: object) -> str:
    return str(option.get("label", "")) if isinstance(option, dict) else str(option)


def _describe_option(option: object) -> str:
    description = option.get("description") if isinstance(option, dict) else ""
    return f"{_label_of(option)} - {description}" if description else _label_of(option)
