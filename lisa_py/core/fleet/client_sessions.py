"""List, describe, read and end the sessions of one owner family, as the commands of `lisa ai` do."""

from __future__ import annotations

from msgspec import structs

from lisa_py.contract.client_answers import MessagesResult, SessionResult, SessionsResult, TerminationResult
from lisa_py.contract.client_flags import ClientArgs, GetArgs, HistoryArgs, ListArgs, TerminateArgs
from lisa_py.contract.errors import LisaError
from lisa_py.contract.session_object import SESSION_STATUSES, SessionObject, shorten_prompt
from lisa_py.core.context import Context
from lisa_py.core.fleet import session_objects
from lisa_py.core.fleet.session_objects import MAX_PAGE_SIZE, PAGE_SIZE, SessionPage
from lisa_py.core.lifecycle import kill
from lisa_py.core.live import attach, owned_sessions
from lisa_py.core.live.owned_sessions import EVERY_PROJECT
from lisa_py.store.paths import Project, SessionRef
from lisa_py.terminal.frame_lines import is_internal

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


def list_family(ctx: Context, family: str, args: ListArgs) -> SessionsResult:
    """Return all sessions of a family, or with --cursor a page. Raise as `read_page`; LisaError(project_not_found)."""
    root = owned_sessions.find_root(ctx, args.oid, args.project_root)
    project = choose_project(ctx, family, args.oid, root)
    if "cursor" not in ctx.given_fields:
        return SessionsResult(sessions=read_all(ctx, family, project, status=args.status, limit=args.limit))
    page = read_page(ctx, family, project, status=args.status, limit=args.limit, cursor=args.cursor)
    return SessionsResult(sessions=page.sessions, next_cursor=page.next_cursor)


def describe_member(ctx: Context, family: str, args: GetArgs) -> SessionResult:
    """Return the description of a session. Raise LisaError(session_not_found | project_not_found)."""
    found = session_objects.describe_session(ctx, _find_member(ctx, family, args, args.id))
    return SessionResult(session=found if args.full_prompt else shorten_prompt(found))


def read_conversation(ctx: Context, family: str, args: HistoryArgs) -> MessagesResult:
    """Return the recorded frames, internal ones only with --raw. Raise as `describe_member`; TmuxUnavailable."""
    found = attach.read_messages(ctx, _find_member(ctx, family, args, args.id), before=args.before)
    return (
        found
        if args.raw
        else structs.replace(found, messages=tuple(each for each in found.messages if not is_internal(each)))
    )


def terminate_member(ctx: Context, family: str, args: TerminateArgs, reason: str) -> TerminationResult:
    """End a session with a reason. Raise as `describe_member`; LisaError(session_kill_failed), TmuxUnavailable."""
    kill.terminate_session(ctx, _find_member(ctx, family, args, args.id), reason)
    return TerminationResult(terminated=True)


def _find_member(ctx: Context, family: str, args: ClientArgs, identity: str) -> SessionRef:
    root = owned_sessions.find_root(ctx, args.oid, args.project_root)
    return owned_sessions.find_session(ctx, identity, root, family=family)
