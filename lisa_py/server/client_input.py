"""Give the messages of one WebSocket to its session, and report what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

from msgspec import UNSET

from lisa_py.contract.dialogs import DialogDecision
from lisa_py.contract.live import NoticePayload
from lisa_py.core.live.input_queue import InputOutcome
from lisa_py.core.live.session_input import GivenDecision, build_decision
from lisa_py.core.live.typed_lines import TypedCommand, TypedLines
from lisa_py.core.send import input_text
from lisa_py.server.client_messages import ApprovalResponse, Interrupt, Prompt, QuestionResponse
from lisa_py.terminal.frame_lines import Message

if TYPE_CHECKING:
    from lisa_py.server.socket_tickets import SocketTicket
    from lisa_py.server.sockets import SocketFace

SURFACE = "api"
LATE_CODES = ("dialog_already_answered", "no_dialog")
"""Codes of an answer that came too late: it is ignored, and the frame of the decision names who decided."""
Notice = tuple[Literal["error", "system"], NoticePayload]
SendNotice = Callable[[Any, NoticePayload], Awaitable[None]]


class ClientInput:
    """The dialogs that one client has been shown, and the way of its messages to the session."""

    def __init__(
        self, face: SocketFace, ticket: SocketTicket, send_notice: SendNotice, has_ended: Callable[[], bool]
    ) -> None:
        self._input = face.sessions.open_input(ticket.ref, ticket.id)
        self._send_notice = send_notice
        self._has_ended = has_ended
        self._lines = TypedLines(asks=False)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def see(self, message: Message) -> None:
        """Note a frame before the client gets it: a plain answer to its dialog may follow."""
        before = self._lines.pending
        self._lines.see(message)
        if self._lines.pending is not before:
            self._input.wake()

    async def take(self, message: Any) -> None:
        """Send a message to the session, after those before it."""
        if isinstance(message, Prompt):
            await self._take_prompt(message)
        elif isinstance(message, Interrupt):
            self._input.add(TypedCommand("interrupt"), self._report(self._describe_interrupt))
        elif isinstance(message, ApprovalResponse):
            self._decide(message.tool_use_id, build_approval(message))
        elif isinstance(message, QuestionResponse):
            answers = {key: each if isinstance(each, str) else ",".join(each) for key, each in message.answers.items()}
            self._decide(message.question_id, DialogDecision(kind="answer", by=SURFACE, answers=answers))

    async def _take_prompt(self, message: Prompt) -> None:
        answer = self._lines.read_answer(message.text)
        if answer is not None:
            self._decide(answer.dialog, build_decision(answer, SURFACE), reopens=True)
            return

        def describe(outcome: InputOutcome) -> Notice | None:
            return _reject(message, outcome.code, outcome.reason) if outcome.code else None

        if not input_text.clean_text(message.text).text.strip():
            await self._send_notice(*_reject(message, "empty", "the prompt is empty"))
        elif self._has_ended():
            await self._send_notice(*_reject(message, "session_ended", "the session has ended"))
        elif not self._input.add_prompt(message.text, message.prompt_id, self._report(describe)):
            await self._send_notice(*_reject(message, "too_many_held", "20 prompts are waiting already"))

    def _decide(self, dialog: str, decision: DialogDecision, *, reopens: bool = False) -> None:
        """Send a decision; `reopens`: a further plain answer is one again if it fails."""

        def describe(outcome: InputOutcome) -> Notice | None:
            if reopens and outcome.code and outcome.code not in LATE_CODES:
                self._loop.call_soon_threadsafe(self._lines.reopen, dialog)
            return _describe_decision(dialog, outcome)

        self._input.add(GivenDecision(dialog=dialog, decision=decision), self._report(describe))

    @staticmethod
    def _describe_interrupt(outcome: InputOutcome) -> Notice | None:
        if outcome.code:
            return "error", NoticePayload(code=outcome.code, message=outcome.reason)
        if "nothing to interrupt" in outcome.notices:
            return "system", NoticePayload(subtype="interrupt_ignored", message="the agent has no turn to interrupt")
        return None

    def _report(self, describe: Callable[[InputOutcome], Notice | None]) -> Callable[[InputOutcome], None]:
        """Return a function that the sender's thread calls with the outcome of an input."""

        def report(outcome: InputOutcome) -> None:
            notice = describe(outcome)
            if notice is not None:
                self._loop.call_soon_threadsafe(self._start_notice, notice)

        return report

    def _start_notice(self, notice: Notice) -> None:
        task = asyncio.ensure_future(self._send_notice(*notice))
        self._tasks.add(task)  # the loop keeps no reference
        task.add_done_callback(self._tasks.discard)


def build_approval(message: ApprovalResponse) -> DialogDecision:
    """Return the decision of a response."""
    return DialogDecision(
        kind="approve" if message.approved else "deny",
        by=SURFACE,
        scope=message.approval_scope if message.approved else "once",
        message=message.message,
        pattern=message.approval_pattern,
        updated_input=message.updated_input if message.approved else None,
    )


def _reject(message: Prompt, reason: str, text: str) -> Notice:
    prompt_id = message.prompt_id or UNSET
    return "error", NoticePayload(code="prompt_rejected", message=text, reason=reason, prompt_id=prompt_id)


def _describe_decision(dialog: str, outcome: InputOutcome) -> Notice | None:
    """Return what the client has to know; nothing for a decision that was applied or came too late."""
    if not outcome.code:
        notices = [text for text in outcome.notices if not text.startswith(("approved", "denied"))]
        if not notices:
            return None
        return "system", NoticePayload(subtype="approval_notice", message="; ".join(notices), tool_use_id=dialog)
    if outcome.code in LATE_CODES:
        return None
    if outcome.code == "not_supported":
        return "system", NoticePayload(subtype="not_supported", message=outcome.reason, tool_use_id=dialog)
    return "error", NoticePayload(code=outcome.code, message=outcome.reason, tool_use_id=dialog)
