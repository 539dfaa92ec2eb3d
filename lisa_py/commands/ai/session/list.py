"""List the sessions of the project, running and ended, newest first."""

from __future__ import annotations

from msgspec import UnsetType

from lisa_py.contract.client_answers import SessionsResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, ClientArgs, PageCursor, SessionLimit, StatusFilter
from lisa_py.contract.command import Command
from lisa_py.contract.session_object import SessionObject
from lisa_py.core.context import Context
from lisa_py.core.fleet import client_sessions
from lisa_py.core.live import owned_sessions


class Args(ClientArgs, kw_only=True):
    status: StatusFilter = ""
    limit: SessionLimit = None
    cursor: PageCursor = ""


def run(args: Args, ctx: Context) -> SessionsResult:
    root = owned_sessions.find_root(ctx, args.oid, args.project_root)
    project = client_sessions.choose_project(ctx, "org", args.oid, root)
    if "cursor" not in ctx.given_fields:
        found = client_sessions.read_all(ctx, "org", project, status=args.status, limit=args.limit)
        return SessionsResult(sessions=found)
    page = client_sessions.read_page(ctx, "org", project, status=args.status, limit=args.limit, cursor=args.cursor)
    return SessionsResult(sessions=page.sessions, next_cursor=page.next_cursor)


def document(answer: SessionsResult, args: Args) -> SessionsResult | tuple[SessionObject, ...]:
    """Return the list, or with --cursor the page."""
    return answer.sessions if isinstance(answer.next_cursor, UnsetType) else answer


COMMAND = Command(
    group="live",
    args=Args,
    answer=SessionsResult,
    run=run,
    document=document,
    errors=(*OUTPUT_ERRORS, "invalid_cursor", "invalid_session_status"),
    exits={code: EXITS[code] for code in (0, 1, 4)},
    example="lisa ai session list --status running --output table\nlisa ai session list --limit 50 --cursor ''",
    notes="""\
All pages are read and printed as one list. With --cursor (empty for the first page) it prints one page with its
next_cursor. The first prompt is cut; get --full-prompt prints it.""",
)
