"""The first second of a session: its pane is made, its start is seen, and an end that comes at once is noticed."""

from __future__ import annotations

import os

import lisa_py
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.host.tmux import Pane, Tmux
from lisa_py.store import session
from lisa_py.store.places import Place
from lisa_py.store.records import Unreadable
from lisa_py.store.session import End

START_SECONDS = 15.0
WATCH_SECONDS = 0.3
"""For how long a started agent is watched for an end that comes at once: a wrong flag takes 40 to 170 ms."""
SLOW_MACHINE = 8.0
"""Times what the start itself took: where that was slow the rest is, too."""
WATCH_MOST = 0.9
GLANCE_SECONDS = 0.1
"""The same for a command of the user's, whose end is no failure."""
_BEAT = 0.004
_LOOK = 0.25
MARKER_SECONDS = 0.5
OUTPUT_LINES = 40
OUTPUT_CHARACTERS = 4000


def supervisor(place: Place, run_id: str, mode: str) -> list[str]:
    """The pane's own process; nothing in it is secret."""
    program = os.path.join(os.path.dirname(lisa_py.__file__), "pane", "supervisor.sh")
    return ["/bin/sh", program, place.folder, run_id, mode]


def await_start(ctx: Context, server: Tmux, place: Place, run_id: str) -> float:
    """Wait for the supervisor's start record; answers how long that took.

    Raises LisaError(spawn_tmux_new_failed) when there is none in time.
    """
    began = ctx.clock.monotonic()
    look_at = began + _LOOK
    while not _started(place, run_id):
        now = ctx.clock.monotonic()
        if now >= look_at:
            look_at = now + _LOOK
            pane = server.pane(place.session)
            gone = pane is None or pane.dead
            if (gone or now - began > START_SECONDS) and not _started(place, run_id):
                shown = _unmarked(_text(server, pane)) if pane is not None else ""
                why = "the pane ended before it started the agent" if gone else f"no start within {START_SECONDS:.0f} s"
                raise LisaError("spawn_tmux_new_failed", f"{why}{': ' + shown if shown else ''}", session=place.session)
        ctx.clock.sleep(_BEAT)
    return ctx.clock.monotonic() - began


def _started(place: Place, run_id: str) -> bool:
    start = session.read_start(place)
    return start is not None and start[0] == run_id


def early_end(ctx: Context, place: Place, run_id: str, *, custom: bool, took: float) -> End | None:
    """How the command ended, when it did so at once; `took` is how long its start was waited for."""
    watch = GLANCE_SECONDS if custom else min(WATCH_MOST, max(WATCH_SECONDS, SLOW_MACHINE * took))
    deadline = ctx.clock.monotonic() + watch
    while True:
        end = _end(place, run_id)
        if end is not None or ctx.clock.monotonic() >= deadline:
            return end
        ctx.clock.sleep(_BEAT)


def _end(place: Place, run_id: str) -> End | None:
    try:
        end = session.read_end(place)
    except Unreadable:
        return None
    return end if end is not None and end.run_id == run_id else None


def last_words(ctx: Context, server: Tmux, pane: Pane, run_id: str) -> str:
    """What an ended command said, once the pane shows the end marker: the terminal hands over a little later."""
    deadline = ctx.clock.monotonic() + MARKER_SECONDS
    while True:
        text = _text(server, pane)
        if f"__LISA_SESSION_DONE__:{run_id}:" in text or ctx.clock.monotonic() >= deadline:
            return _unmarked(text)
        ctx.clock.sleep(_BEAT)


def _text(server: Tmux, pane: Pane) -> str:
    return server.capture([pane.pane_id], history=OUTPUT_LINES).get(pane.pane_id, "")


def _unmarked(text: str) -> str:
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("__LISA_")]
    return "\n".join(lines[-OUTPUT_LINES:])[-OUTPUT_CHARACTERS:]
