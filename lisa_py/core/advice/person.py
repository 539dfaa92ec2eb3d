"""Advice for a person: questions that only a person decides, and the way to look into a session."""

from __future__ import annotations

from lisa_py.contract import command_line
from lisa_py.contract.quoting import quote
from lisa_py.core.advice import next_step
from lisa_py.core.advice.next_step import Situation
from lisa_py.core.advice.target import AdviceTarget, build_target
from lisa_py.core.context import Context
from lisa_py.store.paths import SessionRef


def format_attach(socket: str, session: str, *, read_only: bool = True) -> str:
    """Return the tmux command that shows the session; detach with C-b d."""
    return f"tmux -S {quote(socket)} attach -t {session}{' -r' if read_only else ''}"


def explain_wait(ctx: Context, ref: SessionRef, situation: Situation) -> str:
    """Return the question that only a person decides, and how to answer it; empty if there is none."""
    if situation.need not in ("person", "login"):
        return ""
    target = build_target(ctx, ref)
    reason = next_step.recommend_step(situation, target).reason
    attach = format_attach(ctx.server(ref).socket, ref.session, read_only=False)
    line = f"{ref.session}: {reason}"
    if situation.need == "person" and situation.waiting_for != "login":
        return f"{line}; to answer: {_format_answer(target)}, or attach: {attach}"
    return f"{line}; to attach: {attach}"


def _format_answer(target: AdviceTarget) -> str:
    return str(command_line.build("session send", binary=target.binary, session=target.session, answer="yes"))


def warn_about_wait(ctx: Context, ref: SessionRef, situation: Situation) -> None:
    """Write the question that only a person decides to stderr; JSON answers have it in waitingFor."""
    if ctx.output_format == "text":
        note = explain_wait(ctx, ref, situation)
        if note:
            ctx.warn(note)
