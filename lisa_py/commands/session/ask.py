"""Send a prompt and print the reply to exactly this prompt."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import flags
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.contract.status import DialogChoice
from lisa_py.core.context import Context
from lisa_py.core.live.ask import AskRequest, AskResult, ask_session
from lisa_py.core.live.turn_reply import NOT_COMPLETED
from lisa_py.core.send import input_text, result, send, send_request


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    text: flags.Text = ""
    text_file: flags.TextFile = ""
    timeout_seconds: flags.TimeoutSeconds = None
    replace_draft: flags.ReplaceDraft = False
    verbatim: Annotated[bool, Flag(help="text of another agent without a mark of its sender")] = False


class MinimalAskResult(Answer):
    ok: bool
    text: str
    ended: str | UnsetType = UNSET
    dialog: str | UnsetType = UNSET
    question: str | UnsetType = UNSET
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> AskResult:
    if args.text and args.text_file:
        raise UsageError("send_payload_conflict", "give one of --text, --text-file, not 2 of them")
    text = input_text.read_text_file(ctx, args.text_file, "text-file") if args.text_file else args.text
    if not text.strip():
        raise UsageError("missing_send_payload", "nothing to ask: give --text or --text-file")
    request = AskRequest(
        text=text,
        timeout_seconds=args.timeout_seconds or 0,
        replace_draft=args.replace_draft,
        verbatim=args.verbatim,
    )
    return ask_session(ctx, ctx.ref(args.session, args.project_root), request)


def minimize(answer: AskResult, args: Args) -> MinimalAskResult:
    return MinimalAskResult(
        ok=answer.ok,
        text=answer.text,
        ended=UNSET if answer.ok else answer.ended,
        dialog=answer.dialog,
        question=answer.question,
        choices=answer.choices,
        error_code=answer.error_code,
        error=answer.error,
    )


def text(answer: AskResult, args: Args) -> str:
    if answer.ok:
        return answer.text
    why = answer.question or answer.error or answer.error_code or ""
    return "\n".join(filter(None, (answer.text, f"no whole reply ({answer.ended}): {why}")))


COMMAND = Command(
    group="daily",
    args=Args,
    answer=AskResult,
    run=run,
    text=text,
    min=minimize,
    exit_code=lambda answer: 0 if answer.ok else 2 if answer.ended in ("dialog", "timeout") else 1,
    errors=(
        *send_request.ERRORS,
        *send.ERRORS,
        *result.NOT_ACCEPTED,
        *NOT_COMPLETED.values(),
        "no_conversation",
        "session_not_found",
    ),
    exits={
        0: "the turn was completed",
        1: "refused, failed or interrupted; see errorCode",
        2: "a dialog waits for an answer, or timed out; the agent works on",
        130: "Ctrl-C; the agent works on",
    },
    example='lisa session ask --session lisa-demo-1 --text "Which tests fail?"\n'
    'lisa session ask --session lisa-demo-1 --text "Summarise the change" --timeout-seconds 600 --json-min',
    notes="""\
The answer is the agent's text behind its last tool call, as the transcript records it, from this prompt to the end of
its turn; what others send meanwhile does not count, unless the agent takes it into the same turn.

tools lists the calls of the turn, usage its tokens. If a dialog opens, the call ends with its id for session approve,
deny or answer; the rest of the reply is then in session history --since with the cursor of the answer. A command of
the agent (/compact) ends the call once the agent is idle again, with an empty text if it has no reply.

A text sent from inside another session is marked as a message of that agent, so that it is not taken for words of the
user; --verbatim sends it as it is.""",
)
