"""Withdraw a text that waits in an outbox."""

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
    return queue.withdraw_text(ctx, ctx.ref(args.session, args.project_root), args.id)


def text(answer: OutboxSummary, args: Args) -> str:
    return f"withdrawn: {answer.id}"


COMMAND = Command(
    group="live",
    args=Args,
    answer=OutboxSummary,
    run=run,
    text=text,
    min=("id", "state"),
    errors=("outbox_text_not_found", "outbox_text_sent", *queue.STORE_ERRORS),
    example="lisa session outbox withdraw --session lisa-demo-1 --id text-0a1b2c3d4e5f",
    notes="A text that is being typed, or was, is refused as outbox_text_sent; a second withdrawal changes nothing.",
)
