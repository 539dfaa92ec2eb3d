"""Read the question and the choices of an open dialog from the screen."""

from __future__ import annotations

from msgspec import UNSET, structs

from lisa_py import agents
from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import DialogChoice, Status
from lisa_py.core.context import Context
from lisa_py.core.send.dialog import has_dialog
from lisa_py.host.pane import Pane
from lisa_py.store.paths import SessionRef


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
    return structs.replace(
        status,
        question=agent.read_question(screen) or UNSET,
        choices=tuple(DialogChoice(number=choice.number, text=choice.text) for choice in listed) or UNSET,
    )


def summarize_dialog(status: Status) -> str:
    """Return what the agent asks in one line: `Bash: touch x; choices 1. Yes, 2. No`; empty without a dialog."""
    if not has_dialog(status):
        return ""
    question = status.question if isinstance(status.question, str) else ""
    asked = " ".join(status.state_detail.split()) or " ".join(question.split()) or status.waiting_for
    if status.choices is UNSET:
        return asked
    return f"{asked}; choices {', '.join(f'{choice.number}. {choice.text}' for choice in status.choices)}"
