"""Show one text of an outbox and its state."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.outbox import queue
from lisa_py.core.outbox.queue import OutboxSummary


class Args(Struct, kw_only=True):
    session: Session
    id: Annotated[str, Flag(help="id of the text", metavar="ID")]
    project_root: ProjectRoot = ""


def run(args: Args, ctx: Context) -> OutboxSummary:
    return queue.find_text(ctx, ctx.ref(args.session, args.project_root), args.id)


def text(answer: OutboxSummary, args: Args) -> str:
    why = answer.error or answer.waiting_for
    return f"{answer.state}{f' ({why})' if why else ''}\n{answer.text}"


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=OutboxSummary,
    run=run,
    text=text,
    min=("id", "state", "waiting_for", "ended", "error_code", "error"),
    errors=("outbox_read_failed", "outbox_text_not_found"),
    example="lisa session outbox show --session lisa-demo-1 --id text-0a1b2c3d4e5f",
)
