"""Lists and pages of sessions as `lisa ai` prints them, with the values of flags that the sessions API accepts."""

from __future__ import annotations

from msgspec import structs

from lisa_py.contract.errors import LisaError
from lisa_py.contract.session_object import SESSION_STATUSES, SessionObject, shorten_prompt
from lisa_py.core.context import Context
from lisa_py.core.fleet import session_objects
from lisa_py.core.fleet.session_objects import MAX_PAGE_SIZE, PAGE_SIZE, SessionPage
from lisa_py.core.live.owned_sessions import EVERY_PROJECT
from lisa_py.store.paths import Project

_FORMER_STATUSES = {"pending": "starting"}


def read_page(
    ctx: Context,
    family: str,
    project: Project | None,
    *,
    status: str = "",
    limit: int | None = None,
    cursor: str = "",
) -> SessionPage:
    """Return a page with the heads of the prompts.

    Raise LisaError(invalid_session_status | invalid_cursor), TmuxUnavailable.
    """
    chosen = _FORMER_STATUSES.get(status, status)
    if chosen and chosen not in SESSION_STATUSES:
        text = f"invalid --status: {status} (expected {', '.join(SESSION_STATUSES)})"
        raise LisaError("invalid_session_status", text, field="status")
    page = session_objects.page_sessions(
        ctx,
        family=family,
        status=chosen,
        limit=PAGE_SIZE if limit is None else limit,
        cursor=cursor,
        project=project,
    )
    return structs.replace(page, sessions=tuple(map(shorten_prompt, page.sessions)))


def read_all(
    ctx: Context, family: str, project: Project | None, *, status: str = "", limit: int | None = None
) -> tuple[SessionObject, ...]:
    """Return all sessions, at most `limit` (at least one) of them. Raise as `read_page`."""
    found: list[SessionObject] = []
    cursor = ""
    while True:
        page = read_page(ctx, family, project, status=status, limit=MAX_PAGE_SIZE, cursor=cursor)
        found += page.sessions
        cursor = page.next_cursor
        if not cursor or (limit is not None and len(found) >= limit):
            return tuple(found if limit is None else found[: max(1, limit)])


def choose_project(ctx: Context, family: str, identity: str, root: str) -> Project | None:
    """Return the project to list: the given or current one, for chats without any all of them (None)."""
    if identity == EVERY_PROJECT or (family == "user" and not root):
        return None
    return ctx.project(root)
