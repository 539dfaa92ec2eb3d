"""Send text, keys or an answer to a running session, and say whether it was taken."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import Enter, Keys, ProjectRoot, Session, Text, TextFile
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.core.life import send, typed_text
from lisa_py.core.life.send import Payload, Sent
from lisa_py.store import session as records
from lisa_py.store.records import Unreadable


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    text: Text = ""
    text_file: TextFile = ""
    keys: Keys = ""
    answer: Annotated[
        str,
        Flag(
            help="answer the dialog the agent shows: yes, no, always or the choice's number", metavar="yes|no|always|N"
        ),
    ] = ""
    enter: Enter = False
    force: Annotated[bool, Flag(help="type although the agent shows a dialog or is an exec run")] = False


class Objective(Struct, frozen=True, kw_only=True):
    """What the session is for."""

    id: str
    goal: str
    acceptance: str
    budget: int


class Choice(Struct, frozen=True, kw_only=True, rename="camel"):
    """The choice that was taken; number 0 when the dialog was left with Escape."""

    number: int
    text: str
    waiting_for: str


class Ack(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of it."""

    session: str
    ok: bool
    enter: bool
    project_root: str
    bytes: int
    delivered: bool | str | UnsetType = UNSET
    """true, false or unverified; left out when nothing was submitted."""
    delivered_by: str | UnsetType = UNSET
    """The sign that showed it: hook, transcript, agent_file, title, screen."""
    stripped: dict[str, int] | UnsetType = UNSET
    """Control characters that were not typed, by name."""
    second_enter: bool | UnsetType = UNSET
    answered: Choice | UnsetType = UNSET
    lane: str | UnsetType = UNSET
    objective: Objective | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> Ack:
    payload = payload_of(args, ctx)
    place = ctx.place(args.session, args.project_root)
    sent = send.send(ctx, place, payload)
    try:
        meta = records.read_meta(place) or SessionMeta(session=place.session)
    except Unreadable:
        meta = SessionMeta(session=place.session)
    return _ack(sent, place.session, place.project.root, meta)


def payload_of(args: Args, ctx: Context) -> Payload:
    """The one thing to be told. Raises UsageError."""
    if args.keys and not args.keys.split():
        raise UsageError("empty_keys", "--keys holds no key; key names stand apart by spaces, like `C-c Enter`")
    given = [name for name in ("text", "text_file", "keys", "answer") if getattr(args, name)]
    if len(given) > 1:
        raise UsageError("send_payload_conflict", f"give one of {_flags(given)}, not {len(given)} of them")
    if not given:
        raise UsageError("missing_send_payload", "nothing to send: give --text, --text-file, --keys or --answer")
    text = typed_text.from_file(ctx, args.text_file, "text-file") if args.text_file else args.text
    return Payload(
        text=text, keys=tuple(args.keys.split()), answer=args.answer.strip(), enter=args.enter, force=args.force
    )


def _flags(names: list[str]) -> str:
    return ", ".join("--" + name.replace("_", "-") for name in names)


def _ack(sent: Sent, session: str, root: str, meta: SessionMeta) -> Ack:
    objective = Objective(
        id=meta.objective_id,
        goal=meta.objective_goal,
        acceptance=meta.objective_acceptance,
        budget=meta.objective_budget,
    )
    failed = sent.delivered is False
    return Ack(
        session=session,
        ok=not failed,
        enter=sent.enter,
        project_root=root,
        bytes=sent.size,
        delivered=UNSET if sent.delivered is None else sent.delivered,
        delivered_by=sent.delivered_by or UNSET,
        stripped=sent.stripped or UNSET,
        second_enter=sent.second_enter or UNSET,
        answered=Choice(number=sent.answered.number, text=sent.answered.text, waiting_for=sent.answered.waiting_for)
        if sent.answered
        else UNSET,
        lane=meta.lane or UNSET,
        objective=objective if meta.objective_id else UNSET,
        error_code="send_not_taken" if failed else UNSET,
    )


def text(answer: Ack, args: Args) -> str:
    if not answer.ok:
        return "typed, but the agent has not taken it (lisa session capture --raw shows what it does with it)"
    return f"ok: {answer.answered.text}" if isinstance(answer.answered, Choice) else "ok"


COMMAND = Command(
    args=Args,
    answer=Ack,
    run=run,
    text=text,
    min=("session", "ok", "delivered", "objective", "error_code"),
    exit_code=lambda answer: 0 if answer.ok else 1,
    errors={
        "missing_send_payload": "neither text nor keys nor an answer, or a text of control characters only",
        "send_payload_conflict": "more than one of --text, --text-file, --keys, --answer",
        "empty_keys": "--keys holds no key",
        "invalid_text_file": "the file cannot be read or is larger than 16 MB",
        "invalid_answer": "--answer is none of yes, no, always and a number",
        "agent_not_running": "the agent has ended; nothing was typed",
        "agent_not_ready": "the agent has not finished starting",
        "agent_not_interactive": "an exec session takes no further text",
        "agent_waiting_dialog": "a dialog is open that would swallow the text; waitingFor and choices say which",
        "no_dialog": "--answer, but the agent asks nothing",
        "answer_not_offered": "the dialog has no such choice",
        "send_text_failed": "tmux did not take the text",
        "send_keys_failed": "tmux did not take the keys",
        "send_not_taken": "typed and submitted, but the agent shows no sign of having taken it",
    },
    example='lisa session send --session lisa-demo-1 --text "Continue with safe fixes" --enter',
    exits={0: "done, or done as far as can be seen", 1: "refused, failed or not taken; errorCode says why"},
    notes="A text is pasted in one piece, submitted with --enter, and watched until the agent has taken it: delivered "
    "is true when that was seen, false when it was not, unverified when this agent or command gives no sign. "
    "Control characters other than tab and newline are taken out and counted in stripped.",
)
