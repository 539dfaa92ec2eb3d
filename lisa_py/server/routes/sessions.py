"""Sessions of both families: list, get, history, end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lisa_py.contract.api_answers import DeletionResult
from lisa_py.contract.client_answers import MessagesResult, SessionResult, SessionsResult, TerminationResult
from lisa_py.contract.errors import LisaError, session_not_found
from lisa_py.core.fleet import client_sessions, session_objects
from lisa_py.core.fleet.session_objects import PAGE_SIZE
from lisa_py.core.lifecycle import forget, kill
from lisa_py.core.live import attach, owned_sessions
from lisa_py.server.route import RestCall, Route, read_number
from lisa_py.store import live_records
from lisa_py.store.paths import SessionRef

FAMILIES = {"org": "/v1/org/sessions", "user": "/v1/sessions"}
END_REASONS = {"org": "org_api_requested", "user": "user_requested"}
_GONE = ("session_not_found",)


def find_owned(call: RestCall, family: str) -> SessionRef:
    """Return the session of the path; for a chat the project does not matter. Raise LisaError(session_not_found)."""
    return find_any(call, family, call.root if family == "org" else "")


def find_any(call: RestCall, family: str = "", root: str = "") -> SessionRef:
    """Return the session of the path, of a family if one is given. Raise LisaError(session_not_found)."""
    try:
        return owned_sessions.find_session(call.ctx, call.path["id"], root, family)
    except LisaError as problem:
        if problem.code != "invalid_session_name":
            raise
        raise session_not_found(call.path["id"], root) from None


def list_sessions(call: RestCall, family: str) -> SessionsResult:
    page = client_sessions.read_page(
        call.ctx,
        family,
        call.project if family == "org" else None,
        status=call.query.get("status", ""),
        limit=read_number(call, "limit", PAGE_SIZE),
        cursor=call.query.get("cursor", ""),
    )
    return SessionsResult(sessions=page.sessions, next_cursor=page.next_cursor)


def get_session(call: RestCall, family: str) -> SessionResult:
    return SessionResult(session=session_objects.describe_session(call.ctx, find_owned(call, family)))


def end_session(call: RestCall, family: str) -> TerminationResult:
    kill.terminate_session(call.ctx, find_owned(call, family), END_REASONS[family])
    return TerminationResult(terminated=True)


def delete_record(call: RestCall, family: str) -> DeletionResult:
    """Remove the record of an ended session. Raise LisaError(session_not_ended)."""
    ref = find_owned(call, family)
    record = live_records.read_readable(ref)
    assert record is not None
    forget.forget_session(call.ctx, record.id, ref.project.root)
    return DeletionResult(deleted=True)


def read_history(call: RestCall, family: str) -> MessagesResult:
    since, before = call.query.get("since", ""), call.query.get("before", "")
    return attach.read_messages(call.ctx, find_owned(call, family), since=since, before=before)


def _for_family(run: Callable[[RestCall, str], Any], family: str) -> Callable[[RestCall], Any]:
    return lambda call: run(call, family)


def _make_routes() -> Iterator[Route]:
    for family, path in FAMILIES.items():
        one = path + "/{id}"
        yield Route(
            method="GET", path=path, summary="Return a page of sessions (query: status, limit, cursor)",
            run=_for_family(list_sessions, family), answer=SessionsResult, query=("status", "limit", "cursor"),
            errors=("invalid_cursor", "invalid_session_status"),
        )  # fmt: skip
        yield Route(
            method="GET", path=one, summary="Return one session", errors=_GONE,
            run=_for_family(get_session, family), answer=SessionResult,
        )  # fmt: skip
        yield Route(
            method="DELETE", path=one, summary="End a session; its record and history stay", errors=_GONE,
            run=_for_family(end_session, family), answer=TerminationResult, scope="control",
        )  # fmt: skip
        yield Route(
            method="DELETE", path=one + "/record", summary="Remove the record and history of an ended session",
            run=_for_family(delete_record, family), answer=DeletionResult, scope="control",
            errors=(*_GONE, "session_not_ended"),
        )  # fmt: skip
        yield Route(
            method="GET", path=one + "/history", summary="Return the conversation", errors=(*_GONE, "invalid_cursor"),
            run=_for_family(read_history, family), answer=MessagesResult, query=("since", "before"),
        )  # fmt: skip


ROUTES = tuple(_make_routes())
