"""Interrupt the turn of the agent; the session stays."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.command import Command
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.send import interrupt
from lisa_py.core.send.interrupt import InterruptResult


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""


def run(args: Args, ctx: Context) -> InterruptResult:
    return interrupt.interrupt_turn(ctx, ctx.ref(args.session, args.project_root))


def text(answer: InterruptResult, args: Args) -> str:
    if not answer.ok:
        return str(answer.error)
    return "ok: interrupted" if answer.interrupted else "ok: the agent was not at work"


COMMAND = Command(
    group="live",
    args=Args,
    answer=InterruptResult,
    run=run,
    text=text,
    min=("session", "ok", "interrupted", "session_state", "agent_state", "error_code", "error"),
    exit_code=lambda answer: 0 if answer.ok else 1,
    errors=("agent_not_running", "not_supported", "send_keys_failed", "interrupt_not_taken"),
    exits={0: "the agent does not work", 1: "refused, or it still works; see errorCode"},
    example="lisa session interrupt --session lisa-demo-1",
    notes="""\
The keys of the agent are pressed once, and the answer comes when its own state confirms the end of the turn. An open
dialog is closed by it. An exec run gets SIGINT, which ends most of them.""",
)
