"""Read the question and the choices of an open dialog from the screen."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET, structs

from lisa_py import agents
from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import DialogChoice, Status
from lisa_py.core.context import Context
from lisa_py.core.status import status_reader
from lisa_py.host.pane import Pane
from lisa_py.store.paths import SessionRef

DIALOG_KINDS = frozenset(
    ("permission", "question", "trust", "login", "bypass", "update", "hooks_trust", "api_key", "dialog")
)
"""Kinds of dialogs with a list of choices, where typed text acts as keys."""
DIALOG_POLL_SECONDS = 0.03
DRAW_SECONDS = 1.0
"""Wait for the choices of a new dialog: an agent may report it before it has drawn them."""


def has_dialog(status: Status) -> bool:
    """Return True if the agent shows a list of choices; at a limit some agents do and others are idle."""
    return status.waiting_for in DIALOG_KINDS or (status.waiting_for == "limit" and status.agent_state == "waiting")


def add_drawn_dialogs(
    ctx: Context, sessions: Iterable[tuple[SessionRef, Status]], *, seconds: float = DRAW_SECONDS
) -> dict[SessionRef, Status]:
    """Return the statuses with the question and the choices of each open dialog, as soon as they are drawn.

    After so many seconds as they are. Raise CancellationError.
    """
    found = dict(sessions)
    undrawn = {ref: _find_pane(ctx, ref) for ref, status in found.items() if has_dialog(status)}
    deadline = ctx.clock.monotonic() + seconds
    while undrawn:
        found |= {ref: add_dialog(ctx, ref, found[ref], pane) for ref, pane in undrawn.items()}
        undrawn = {ref: pane for ref, pane in undrawn.items() if pane is not None and found[ref].choices is UNSET}
        if not undrawn or ctx.clock.monotonic() >= deadline:
            break
        ctx.pause(DIALOG_POLL_SECONDS)
    return found


def _find_pane(ctx: Context, ref: SessionRef) -> Pane | None:
    try:
        return ctx.find_pane(ref)
    except LisaError:
        return None


def add_dialog(ctx: Context, ref: SessionRef, status: Status, pane: Pane | None) -> Status:
    """Return the status with the question and the choices of the open dialog, as far as the screen shows them."""
    if pane is None or not has_dialog(status):
        return status
    try:
        screen = ctx.server(ref).capture([pane.pane_id]).get(pane.pane_id, "")
    except LisaError:
        return status
    agent = agents.get_or_default(status.agent)
    listed = agent.find_choices(screen)
    shown = structs.replace(
        status,
        question=agent.read_question(screen) or UNSET,
        choices=tuple(DialogChoice(number=choice.number, text=choice.text) for choice in listed) or UNSET,
    )
    return status_reader.hide_secrets(ref, shown)


def summarize_dialog(status: Status) -> str:
    """Return what the agent asks in one line: `Bash: touch x; choices 1. Yes, 2. No`; empty without a dialog."""
    if not has_dialog(status):
        return ""
    question = status.question if isinstance(status.question, str) else ""
    asked = " ".join(status.state_detail.split()) or " ".join(question.split()) or status.waiting_for
    if status.choices is UNSET:
        return asked
    return f"{asked}; choices {', '.join(f'{choice.number}. {choice.text}' for choice in status.choices)}"
