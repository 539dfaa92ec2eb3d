"""Advice for a person: questions that only a person decides, and the way to look into a session."""

from __future__ import annotations

from lisa_py.contract.quoting import quote
from lisa_py.core.advice import next_step
from lisa_py.core.advice.next_step import Situation
from lisa_py.core.advice.target import build_target
from lisa_py.core.context import Context
from lisa_py.store.paths import SessionRef


def format_attach(socket: str, session: str, *, read_only: bool = True) -> str:
    """Return the tmux command that shows the session; detach with C-b d."""
    return f"tmux -S {quote(socket)} attach -t {session}{' -r' if read_only else ''}"


def explain_wait(ctx: Context, ref: SessionRef, situation: Situation) -> str:
    """Return the question that only a person decides, and the command that answers it; empty if there is none."""
    if situation.need not in ("person", "login"):
        return ""
    return f"{ref.session}: {next_step.recommend_step(situation, build_target(ctx, ref)).reason}"


def warn_about_wait(ctx: Context, ref: SessionRef, situation: Situation) -> None:
    """Write the question that only a person decides to stderr; JSON answers have it in waitingFor."""
    if ctx.output_format == "text":
        note = explain_wait(ctx, ref, situation)
        if note:
            ctx.warn(note)
