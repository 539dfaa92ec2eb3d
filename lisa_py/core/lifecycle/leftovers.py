"""Leftovers: what ended sessions of a name left in other projects, and what a failed or ended one left here."""

from __future__ import annotations

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import terminate
from lisa_py.store import session_folder, session_records
from lisa_py.store.paths import SessionRef


def remove_leftovers(ctx: Context, ref: SessionRef) -> None:
    """Remove the session's records but its events, and end what still runs of it."""
    if session_folder.has_more_than_events(ref):
        terminate.end_processes(ctx, [terminate.find_run(ref, None)], grace=1.0)
        session_folder.remove_contents(ref)


def clean_other_projects(ctx: Context, ref: SessionRef) -> int:
    """Clear the name in all other projects, where no session of it is there any more; answers in how many."""
    cleaned = 0
    for other in list_namesakes(ctx, ref):
        try:
            exists = ctx.server(other).find_pane(other.session) is not None
        except TmuxUnavailable:
            continue  # whoever cannot be asked is not declared dead
        if not exists:
            remove_leftovers(ctx, other)
            session_folder.remove_locks(other)
            cleaned += 1
    return cleaned


def list_namesakes(ctx: Context, ref: SessionRef) -> list[SessionRef]:
    """Places of the same name in other projects, as far as their metadata tells which project that is."""
    every = session_records.find_by_name(ref.session, ctx.settings)
    return [other for other in every if other.project.hash != ref.project.hash]
