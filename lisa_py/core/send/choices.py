"""Read the choices of open dialogs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.send.dialog import DIALOG_POLL_SECONDS, has_dialog
from lisa_py.store.paths import SessionRef

DRAW_SECONDS = 1.0
"""An agent may report a dialog before it has drawn the choices."""


class DialogChoice(Answer):
    """A choice of an open dialog; `session send --answer` takes its number."""

    number: int
    text: str


def read_choices(ctx: Context, ref: SessionRef, status: Status) -> tuple[DialogChoice, ...]:
    """Return the choices of the open dialog; empty without one, or if they cannot be read."""
    return read_choices_of(ctx, [(ref, status)]).get(ref, ())


def read_choices_of(
    ctx: Context, sessions: Sequence[tuple[SessionRef, Status]]
) -> Mapping[SessionRef, tuple[DialogChoice, ...]]:
    """Return the choices of each session with an open dialog, as far as they can be read."""
    missing = {ref: status for ref, status in sessions if has_dialog(status)}
    found: dict[SessionRef, tuple[DialogChoice, ...]] = {}
    deadline = ctx.clock.monotonic() + DRAW_SECONDS
    while missing:
        found |= {ref: listed for ref, status in missing.items() if (listed := _read_screen(ctx, ref, status))}
        missing = {ref: status for ref, status in missing.items() if ref not in found}
        if not missing or ctx.clock.monotonic() >= deadline:
            break
        ctx.pause(DIALOG_POLL_SECONDS)
    return found


def _read_screen(ctx: Context, ref: SessionRef, status: Status) -> tuple[DialogChoice, ...]:
    try:
        server = ctx.server(ref)
        pane = server.find_pane(ref.session)
        screen = server.capture([pane.pane_id]).get(pane.pane_id, "") if pane is not None else ""
    except LisaError:
        return ()
    listed = agents.get_or_default(status.agent).find_choices(screen)
    return tuple(DialogChoice(number=choice.number, text=choice.text) for choice in listed)
