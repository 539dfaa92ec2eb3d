"""List the texts of an outbox and their states."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.outbox import queue
from lisa_py.core.outbox.queue import OutboxSummary


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    open: Annotated[bool, Flag(help="only texts whose state can change")] = False


class OutboxListResult(Answer):
    """The texts, oldest first."""

    session: str
    texts: tuple[OutboxSummary, ...]
    count: int


def run(args: Args, ctx: Context) -> OutboxListResult:
    ref = ctx.ref(args.session, args.project_root)
    texts = tuple(each for each in queue.list_texts(ctx, ref) if not (args.open and each.over_at))
    return OutboxListResult(session=ref.session, texts=texts, count=len(texts))


def text(answer: OutboxListResult, args: Args) -> str:
    return "\n".join(map(describe_line, answer.texts)) or "no texts"


def describe_line(item: OutboxSummary) -> str:
    """Return one line for people."""
    why = f" ({item.waiting_for or item.error_code})" if item.waiting_for or item.error_code else ""
    first = item.text.strip().split("\n")[0]
    return f"{item.id}  {item.state}{why}  {item.when}  {first[:80]}"


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=OutboxListResult,
    run=run,
    text=text,
    min=("session", "count", "texts"),
    errors=("outbox_read_failed",),
    example="lisa session outbox list --session lisa-demo-1",
    notes="""\
States: queued; pasted (typed, without a sign of the agent; final for a command, which gives none); accepted (the
conversation has it); answered (its turn was completed); expired; withdrawn; failed (see errorCode). A state with overAt
is final. waitingFor names what a queued text waits for: turn, or the error code that a delivery would have now, such as
input_not_empty for a draft of a person. The outbox remains for a month after the end of its session.""",
)
