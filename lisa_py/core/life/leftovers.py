"""Leftovers: what ended sessions of a name left in other projects, and what a failed or ended one left here."""

from __future__ import annotations

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.core.context import Context
from lisa_py.core.life import ending
from lisa_py.store import folder, session
from lisa_py.store.places import Place


def clear(ctx: Context, place: Place) -> None:
    """Remove the session's records but its events, and end what still runs of it."""
    if folder.has_more_than_events(place):
        ending.end(ctx, [ending.run_of(place, None)], grace=1.0)
        folder.empty(place)


def clean_elsewhere(ctx: Context, place: Place) -> int:
    """Clear the name in all other projects, where no session of it is there any more; answers in how many."""
    cleaned = 0
    for other in namesakes(ctx, place):
        try:
            there = ctx.server(other).pane(other.session) is not None
        except TmuxUnavailable:
            continue  # whoever cannot be asked is not declared dead
        if not there:
            clear(ctx, other)
            folder.remove_locks(other)
            cleaned += 1
    return cleaned


def namesakes(ctx: Context, place: Place) -> list[Place]:
    """Places of the same name in other projects, as far as their metadata tells which project that is."""
    every = session.named(place.session, ctx.settings)
    return [other for other in every if other.project.hash != place.project.hash]
