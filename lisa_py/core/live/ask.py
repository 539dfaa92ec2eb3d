"""Send a prompt and wait for the reply to exactly this prompt, also while others talk to the session."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.contract.live import ApprovalPayload, DialogPayload, QuestionPayload
from lisa_py.contract.status import DialogChoice
from lisa_py.core.context import Context
from lisa_py.core.live.feed import SessionFeed
from lisa_py.core.live.turn_reply import NOT_COMPLETED, ReplyEnd, ReplyTool, ReplyUsage, TurnReply
from lisa_py.core.send import input_text, send
from lisa_py.core.send.result import SendResult
from lisa_py.core.send.send import SendPayload
from lisa_py.store.paths import SessionRef

IDLE_SECONDS = 1.0
"""Time for the record of the end of a turn, once the agent is idle."""
COMMAND_SECONDS = 2.0
"""Time for the turn of a command, once the agent is idle; most commands have none."""
RECORD_SECONDS = 10.0
"""Time for the record of an accepted prompt, once the agent is idle."""
RECENT_BYTES = 1
"""Enough to begin a feed at the end of the transcript."""


class AskRequest(Struct, frozen=True, kw_only=True):
    """A prompt whose reply is wanted."""

    text: str
    timeout_seconds: float = 0
    """0: no limit."""
    replace_draft: bool = False
    verbatim: bool = False
    """Send the text of another agent as it is."""


class AskResult(Answer):
    """The reply to a prompt."""

    session: str
    ok: bool
    """True if the turn was completed."""
    ended: str
    """completed, failed, interrupted, dialog, session_ended or timeout."""
    text: str
    """Text of the agent behind its last tool call."""
    whole_text: str | UnsetType = UNSET
    """All its text of the turn, if there is more."""
    tools: tuple[ReplyTool, ...] | UnsetType = UNSET
    usage: ReplyUsage | UnsetType = UNSET
    duration_ms: int | UnsetType = UNSET
    sent_from: str | UnsetType = UNSET
    """The session that asked; its text was marked as that of another agent."""
    dialog: str | UnsetType = UNSET
    """Id of the dialog that waits for an answer."""
    question: str | UnsetType = UNSET
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    cursor: str
    """Position after the reply, for session history --since."""
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


def ask_session(ctx: Context, ref: SessionRef, request: AskRequest) -> AskResult:
    """Return the reply. Raise LisaError of send.send_payload, and no_conversation; CancellationError."""
    sender = "" if request.verbatim else input_text.find_sender(ctx, ref)
    text = input_text.mark_sender(request.text, sender)
    deadline = ctx.clock.monotonic() + request.timeout_seconds if request.timeout_seconds else None
    with SessionFeed(ctx, ref) as feed:
        for _ in feed.history(newest_bytes=RECENT_BYTES):
            pass
        if not feed.has_conversation:
            why = f"{ref.session} runs a command without a conversation; session turn sends to it"
            raise LisaError("no_conversation", why, session=ref.session)
        meta = ctx.read_meta(ref)
        agent = agents.get_or_default(meta.agent if meta else "")
        reply = TurnReply(input_text.complete_text(text, meta), image_mark=agent.image_mark)
        sent = send.send_payload(ctx, ref, SendPayload(text=text, enter=True, replace_draft=request.replace_draft))
        if not sent.ok:
            return _build_refusal(ref, sent, feed.position.encode())
        feed.deadline = deadline
        for frame in feed.follow():
            reply.add(frame)
            if reply.ended:
                break
            feed.deadline = _choose_deadline(ctx, reply, deadline)
        reply.finish(_choose_end(reply))
        return _build_result(ref, reply, sender, feed.position.encode())


def _choose_deadline(ctx: Context, reply: TurnReply, deadline: float | None) -> float | None:
    """Return the end of the wait: soon for an agent that is idle, although no record ends its turn, or begins it."""
    if not reply.is_idle:
        return deadline
    pause = IDLE_SECONDS if reply.has_begun else COMMAND_SECONDS if reply.is_command else RECORD_SECONDS
    soon = ctx.clock.monotonic() + pause
    return soon if deadline is None else min(soon, deadline)


def _choose_end(reply: TurnReply) -> ReplyEnd:
    """Return how a turn ended that no record ends."""
    if not reply.is_idle:
        return "timeout"
    if not reply.has_begun and not reply.is_command:
        reply.error = "the agent is idle, and its conversation does not have the prompt (lisa session history shows it)"
    return "failed" if reply.error else "completed"


def _build_refusal(ref: SessionRef, sent: SendResult, cursor: str) -> AskResult:
    return AskResult(
        session=ref.session,
        ok=False,
        ended="failed",
        text="",
        cursor=cursor,
        error_code=sent.error_code,
        error=sent.error,
    )


class _WaitingDialog(Struct, frozen=True, kw_only=True):
    """The dialog that ended the wait, in the words of the answer."""

    id: str | UnsetType = UNSET
    question: str | UnsetType = UNSET
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET


def _describe_dialog(reply: TurnReply) -> _WaitingDialog:
    match reply.dialog:
        case None:
            return _WaitingDialog()
        case QuestionPayload(question_id=identity, questions=questions):
            return _WaitingDialog(id=identity, question="; ".join(each.question for each in questions))
        case ApprovalPayload(tool_use_id=identity, tool_name=tool):
            return _WaitingDialog(id=identity, question=f"permission for {tool}")
        case DialogPayload() as other:
            return _WaitingDialog(id=other.id or UNSET, question=other.message, choices=other.choices or UNSET)


def _describe_end(reply: TurnReply, question: str | UnsetType) -> str | UnsetType:
    """Return why there is no whole reply, and what to do."""
    if reply.ended == "dialog":
        return f"the agent waits for an answer: {question} (lisa session approve, deny or answer)"
    if reply.ended == "timeout":
        return "the turn was not over in time; the agent works on (lisa session history --since with the cursor)"
    return reply.error or UNSET


def _build_result(ref: SessionRef, reply: TurnReply, sender: str, cursor: str) -> AskResult:
    dialog = _describe_dialog(reply)
    return AskResult(
        session=ref.session,
        ok=reply.ended == "completed",
        ended=reply.ended,
        text=reply.text,
        whole_text=reply.whole_text if reply.whole_text != reply.text else UNSET,
        tools=reply.tools or UNSET,
        usage=reply.usage or UNSET,
        duration_ms=reply.duration_ms or UNSET,
        sent_from=sender or UNSET,
        dialog=dialog.id,
        question=dialog.question,
        choices=dialog.choices,
        cursor=reply.cursor or cursor,
        error_code=NOT_COMPLETED.get(reply.ended, UNSET),
        error=_describe_end(reply, dialog.question),
    )
