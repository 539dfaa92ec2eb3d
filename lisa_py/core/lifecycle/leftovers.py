"""Remove state of ended sessions, here and in other projects."""

from __future__ import annotations

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import terminate
from lisa_py.store import session_folder, session_records
from lisa_py.store.paths import SessionRef


def remove_leftovers(ctx: Context, ref: SessionRef) -> None:
    """Remove the records of the session except events, and end its remaining processes."""
    if session_folder.has_more_than_events(ref):
        terminate.end_processes(ctx, [terminate.find_run(ref, None)], grace=1.0)
        session_folder.remove_contents(ref)


def clean_other_projects(ctx: Context, ref: SessionRef) -> int:
    """Clear the name in all other projects without a session of it; return their number."""
    cleaned = 0
    for other in list_namesakes(ctx, ref):
        try:
            exists = ctx.server(other).find_pane(other.session) is not None
        except TmuxUnavailable:
            continue  # a server that cannot be queried may be alive
        if not exists:
            remove_leftovers(ctx, other)
            session_folder.remove_locks(other)
            cleaned += 1
    return cleaned


def list_namesakes(ctx: Context, ref: SessionRef) -> list[SessionRef]:
    """Return the references of the same name in other projects, as far as their metadata names the project."""
    every = session_records.find_by_name(ref.session, ctx.settings)
    return [other for other in every if other.project.hash != ref.project.hash]
