"""Send text, keys or an answer, and confirm its acceptance."""

# annotations are evaluated here: as strings they cost a one-shot call its first `compile` (decision 0017)
from typing import TYPE_CHECKING, Annotated, cast

from msgspec import UNSET, Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.common_flags import (
    Answer,
    Enter,
    ExpireSeconds,
    Force,
    Keys,
    ProjectRoot,
    ReplaceDraft,
    Session,
    Text,
    TextFile,
)
from lisa_py.contract.errors import UsageError
from lisa_py.core.context import Context
from lisa_py.core.send import result, send, send_request
from lisa_py.core.send.result import SendResult
from lisa_py.core.send.send import SendPayload
from lisa_py.store.paths import SessionRef

if TYPE_CHECKING:
    from lisa_py.store.outbox_records import OutboxWhen


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    text: Text = ""
    text_file: TextFile = ""
    keys: Keys = ""
    answer: Answer = ""
    enter: Enter = False
    force: Force = False
    replace_draft: ReplaceDraft = False
    when: Annotated[
        str, Flag(help="delivery through the outbox, at this time", choices=("", "now", "idle", "turn-end"))
    ] = ""
    expire_seconds: ExpireSeconds = 0
    message_id: Annotated[str, Flag(help="id in the outbox; each is delivered once", metavar="ID")] = ""
    verbatim: Annotated[bool, Flag(help="text of another agent without a mark of its sender")] = False


def run(args: Args, ctx: Context) -> SendResult:
    payload = send_request.build_payload(ctx, args)
    ref = ctx.ref(args.session, args.project_root)
    if args.when:
        return _queue_text(args, ctx, ref, payload)
    for flag, given in (
        ("expire-seconds", args.expire_seconds),
        ("message-id", args.message_id),
        ("verbatim", args.verbatim),
    ):
        if given:
            raise UsageError("outbox_flag_without_when", f"--{flag} needs --when now, idle or turn-end")
    return send.send_payload(ctx, ref, payload)


def _queue_text(args: Args, ctx: Context, ref: SessionRef, payload: SendPayload) -> SendResult:
    """Put the text into the outbox."""
    from lisa_py.core.outbox import queue  # noqa: PLC0415 - a direct send does without

    if payload.keys or payload.answer or payload.force or payload.replace_draft:
        raise UsageError("when_requires_text", "--when takes --text or --text-file, without --force or --replace-draft")
    request = queue.OutboxRequest(
        text=payload.text,
        when=cast("OutboxWhen", args.when),
        id=args.message_id,
        expire_seconds=args.expire_seconds,
        verbatim=args.verbatim,
    )
    item = queue.add_text(ctx, ref, request)
    return SendResult(
        session=ref.session,
        ok=True,
        enter=True,
        project_root=ref.project.root,
        bytes=len(payload.text.encode()),
        outbox_id=item.id,
        outbox_state=item.state,
        sent_from=item.sent_from,
    )


def text(answer: SendResult, args: Args) -> str:
    if not answer.ok:
        why = "" if answer.error is UNSET else f": {answer.error}"
        return f"typed, but not accepted by the agent{why} (lisa session capture --raw shows its screen)"
    if answer.outbox_id is not UNSET:
        return str(answer.outbox_id)
    if answer.session_state is not UNSET:
        return f"ok: the text ended the agent; the session is {answer.session_state}"
    return "ok" if answer.answered is UNSET else f"ok: {answer.answered.text}"


COMMAND = Command(
    group="daily",
    args=Args,
    answer=SendResult,
    run=run,
    text=text,
    min=("session", "ok", "delivered", "outbox_id", "outbox_state", "objective", "error_code", "error"),
    exit_code=lambda answer: 0 if answer.ok else 1,
    errors=(
        *send_request.ERRORS,
        *send.ERRORS,
        *result.NOT_ACCEPTED,
        "when_requires_text",
        "outbox_flag_without_when",
        "outbox_read_failed",
        "outbox_write_failed",
        "outbox_full",
        "outbox_id_taken",
        "no_conversation",
    ),
    example='lisa session send --session lisa-demo-1 --text "Continue with safe fixes" --enter\n'
    "lisa session send --session lisa-demo-1 --answer yes\n"
    'lisa session send --session lisa-demo-1 --text "Then run the tests" --when idle',
    exits={0: "delivered, or no contrary evidence", 1: "refused, failed or not accepted; see errorCode"},
    notes="""\
The text is pasted in one piece, submitted with --enter, and followed until the agent accepts it. delivered is true with
evidence of acceptance, false without, and unverified if this agent or command gives no evidence. Control characters
except tab and newline are removed and counted in stripped. Senders to one session take turns.

A text is typed only into a visible, empty input box. A draft in the box is refused as input_not_empty; --replace-draft
removes it and returns it in replacedDraft. An editor, a pager, a shell mode, a suspended agent or an unknown screen is
refused as input_not_visible.

Accepted means that the conversation holds exactly this text. prompt_blocked_by_hook: a hook of the user rejected it;
command_unknown: the agent has no such command (error has its message); prompt_joined: it was submitted together with
the text in joinedWith. altered counts what the agent replaced. sessionState is set if the text ended the agent.

--answer selects a choice of the open dialog and presses Enter once the screen shows it selected. In a question with
several choices, --answer 2,3 ticks exactly these and submits them. delivered is true once the question is closed.
answered.ticked lists the ticked choices; answered.open and openQuestion are set if another question follows.

--when puts the text into the outbox of the session, prints its id and returns at once: now delivers it as soon as the
input box is free, idle once the agent waits for a prompt, turn-end at the end of the running turn. Texts keep their
order and are delivered once each, whichever process is killed. --expire-seconds limits the wait; a --message-id that
the outbox already has is not queued again. session outbox list shows the states. From inside a session the text is
marked as that of another agent; --verbatim sends it as it is.

--keys presses keys by their tmux names (Escape, C-c, Down) in order; Escape is separated from the next key.""",
)
