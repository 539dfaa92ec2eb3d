"""Describe sessions, running and ended, by the keys of the sessions API; list them in pages, newest first."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct, UnsetType

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError, session_not_found
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.session_object import OpenRequests, SessionObject, TmuxPlace
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.live import conversations, ending, translation
from lisa_py.core.live.ending import SessionEnd
from lisa_py.core.status import status_reader
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.usage.limits import UNENFORCED, is_lost
from lisa_py.core.usage.recorded import read_recorded_usage
from lisa_py.host import files, processes
from lisa_py.host.clock import format_rfc3339, parse_time
from lisa_py.store import archives, live_records, session_index
from lisa_py.store.live_records import RecordedUsage, SessionRecord
from lisa_py.store.paths import Project, SessionRef

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200

T = TypeVar("T")
_ApiStatus = Literal["starting", "running", "ended"]
_State = tuple[Evidence, Status] | None
"""Evidence and status of a session; None for an archive."""


class SessionPage(Struct, frozen=True, kw_only=True):
    """A page of sessions."""

    sessions: tuple[SessionObject, ...]
    next_cursor: str
    """Empty on the last page."""


class _Entry(Struct, frozen=True):
    """A session in a list, with what its record has."""

    ref: SessionRef
    record: SessionRecord

    @property
    def key(self) -> tuple[float, str]:
        """Return the place in the order of creation; it never changes."""
        return self.record.created_unix or parse_time(self.record.created_at) or 0.0, self.record.id


def describe_session(ctx: Context, ref: SessionRef) -> SessionObject:
    """Return the description of a session or an archive (`Context.record_ref`).

    Raise LisaError(session_not_found), TmuxUnavailable.
    """
    record = live_records.read_readable(ref)
    if record is None:
        raise session_not_found(ref.session, ref.project.root)
    state = None if ref.archive else status_reader.read_with_evidence(ctx, ref)
    return _describe(ctx, _Entry(ref, record), state)


def page_sessions(
    ctx: Context,
    *,
    family: str = "",
    status: str = "",
    limit: int = PAGE_SIZE,
    cursor: str = "",
    project: Project | None = None,
) -> SessionPage:
    """Return a page of the sessions of a project (None: of all), newest first.

    `family` is org, user or empty (both); `status` is starting, running, ended or empty. The cursor of a page stays
    valid: sessions that come or go between pages are neither repeated nor do they displace others. Raise
    LisaError(invalid_cursor), TmuxUnavailable.
    """
    entries = sorted(_list_entries(ctx, family, project), key=lambda entry: entry.key, reverse=True)
    if cursor:
        last = parse_page_cursor(cursor)
        entries = [entry for entry in entries if entry.key < last]
    size = max(1, min(limit, MAX_PAGE_SIZE))
    found: list[tuple[_Entry, _State]] = []
    for start in range(0, len(entries), MAX_PAGE_SIZE):
        group = entries[start : start + (MAX_PAGE_SIZE if status else size + 1)]
        states = zip(group, _read_states(ctx, group), strict=True)
        found += [(entry, state) for entry, state in states if status in ("", _choose_status(ctx, entry.ref, state))]
        if len(found) > size or not status:
            break
    page = found[:size]
    return SessionPage(
        sessions=tuple(_describe(ctx, entry, state) for entry, state in page),
        next_cursor=make_page_cursor(*page[-1][0].key) if len(found) > size else "",
    )


def count_running(ctx: Context, counts: Callable[[SessionRecord], bool]) -> int:
    """Return the number of sessions, of all projects, that have not ended and count. Raise TmuxUnavailable."""
    index = session_index.index_all_projects(ctx.settings)
    found = [_Entry(each.ref, _read_record(each.ref, each.meta)) for each in index.sessions]
    living = [entry for entry in found if counts(entry.record)]
    return sum(
        _choose_status(ctx, entry.ref, state) != "ended"
        for entry, state in zip(living, _read_states(ctx, living), strict=True)
    )


def list_records(ctx: Context, family: str, since: float = 0.0) -> tuple[SessionRecord, ...]:
    """Return the records of the sessions of a family, of all projects; of ended ones those that ended since a time."""
    index = session_index.index_all_projects(ctx.settings)
    records = [record for _, record in archives.list_all_archives(ctx.settings, since)]
    records += [_read_record(each.ref, each.meta) for each in index.sessions]
    return tuple({record.id: record for record in reversed(records) if record.family == family}.values())


def make_page_cursor(created_unix: float, identity: str) -> str:
    """Return the cursor of the page that begins after a session."""
    return base64.urlsafe_b64encode(msgspec.json.encode((created_unix, identity))).decode().rstrip("=")


def parse_page_cursor(text: str) -> tuple[float, str]:
    """Return creation time and id of the last session of the former page. Raise LisaError(invalid_cursor)."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
        return msgspec.json.decode(raw, type=tuple[float, str])
    except (binascii.Error, ValueError, msgspec.DecodeError) as problem:
        raise LisaError("invalid_cursor", f"invalid cursor: {text} (expected the next_cursor of a page)") from problem


def _list_entries(ctx: Context, family: str, project: Project | None) -> Iterable[_Entry]:
    """Yield every session once: an archive precedes a folder that a killed kill has left."""
    archived = archives.list_all_archives(ctx.settings) if project is None else archives.list_archives(project)
    index = session_index.index_all_projects(ctx.settings) if project is None else session_index.index_project(project)
    known: set[str] = set()
    for ref, record in (*archived, *((each.ref, _read_record(each.ref, each.meta)) for each in index.sessions)):
        if record.id not in known and family in ("", record.family):
            known.add(record.id)
            yield _Entry(ref, record)


def _read_record(ref: SessionRef, meta: SessionMeta) -> SessionRecord:
    return live_records.read_readable(ref) or live_records.make_record(ref, meta)


def _read_states(ctx: Context, entries: Sequence[_Entry]) -> list[_State]:
    """Return evidence and status of each session, None for an archive."""
    living = [entry.ref for entry in entries if not entry.ref.archive]
    states = dict(zip(living, status_reader.read_many(ctx, living), strict=True)) if living else {}
    return [states.get(entry.ref) for entry in entries]


# -- one session --------------------------------------------------------------------------------------------------


def _describe(ctx: Context, entry: _Entry, state: _State) -> SessionObject:
    ref, record = entry.ref, entry.record
    if state is None:
        return _build(
            ref,
            record,
            record.usage or RecordedUsage(),
            "ended",
            end=ending.read_end(record),
            started_at=record.started_at,
        )
    evidence, status = state
    chosen = _choose_status(ctx, ref, state)
    return _build(
        ref,
        record,
        _read_usage(ctx, ref, evidence),
        chosen,
        end=ending.find_end(ctx, ref, record.id, status, evidence.pane) if chosen == "ended" else None,
        started_at=live_records.read_start_time(ref),
        state=state,
    )


def _read_usage(ctx: Context, ref: SessionRef, evidence: Evidence) -> RecordedUsage:
    agent = agents.get(evidence.agent) if evidence.agent in agents.names() and not evidence.custom else Agent()
    if not agent.name:
        return RecordedUsage()
    paths = conversations.find_transcripts(ctx, ref, agent, evidence.binding)
    return read_recorded_usage(ctx, ref, agent, paths)


def _build(
    ref: SessionRef,
    record: SessionRecord,
    usage: RecordedUsage,
    chosen: _ApiStatus,
    *,
    end: SessionEnd | None,
    started_at: str,
    state: _State = None,
) -> SessionObject:
    evidence, status = state or (None, None)
    meta = evidence.meta if evidence is not None and evidence.pane is not None else None
    settings, is_user = record.settings, record.family == "user"
    has_dialog = end is None and status is not None and bool(status.waiting_for) and status.waiting_for != "prompt"
    ended_at = end.time if end is not None else ""
    is_waiting = status is not None and status.session_state == "waiting_input"
    return SessionObject(
        id=record.id,
        session_id=record.id,
        name=settings.name or record.session,
        status=chosen,
        session_type="user" if is_user else "api",
        owner_oid=None if is_user else live_records.project_id(ref.project),
        owner_uid=str(processes.own_user_id()) if is_user else None,
        agent=record.agent,
        provider=settings.provider or None,
        model=usage.model or settings.model or None,
        initial_prompt=record.prompt or None,
        trigger_source=record.trigger_source,
        definition=record.definition or None,
        idempotent_key=record.idempotent_key or None,
        debounce_key=record.debounce_key or None,
        forked_from_session_id=record.forked_from or None,
        created_at=record.created_at,
        started_at=started_at or None,
        last_activity_at=format_rfc3339(usage.last_activity_at) if usage.last_activity_at else None,
        expires_at=_find_expiry(record),
        terminated_at=ended_at or None,
        ended_at=ended_at or None,
        end_reason=end.reason or None if end is not None else None,
        end_detail=end.detail or None if end is not None else None,
        exit_code=end.exit_code if end is not None else None,
        error_message=end.detail or "the agent failed" if end is not None and end.reason == "failed" else None,
        num_turns=usage.num_turns,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        total_cost_usd=usage.cost_usd,
        cost_estimated=usage.estimated,
        max_turns=_or_none(settings.max_turns),
        max_budget_usd=_or_none(settings.max_budget_usd),
        task_budget_tokens=_or_none(settings.task_budget_tokens),
        ttl_seconds=_or_none(settings.ttl_seconds),
        one_shot=_or_none(settings.one_shot),
        permission_mode=settings.permission_mode or None,
        allowed_tools=settings.allowed_tools or (),
        denied_tools=settings.denied_tools or (),
        plugins=settings.plugins or (),
        warnings=(*record.warnings, *([UNENFORCED] if end is None and is_lost(ref) else [])),
        ui_state="ended" if end is not None else "waiting" if is_waiting else "running",
        needs_attention=has_dialog,
        pending=OpenRequests(
            approvals=int(has_dialog and status is not None and status.waiting_for == "permission"),
            questions=int(has_dialog and status is not None and status.waiting_for == "question"),
        ),
        workdir=ref.project.root,
        tmux=TmuxPlace(socket=meta.socket_path, session=meta.session, pane=meta.pane_id) if meta else None,
        lisa_session=record.session,
        lisa_state=status.session_state if status is not None else None,
    )


def _or_none(value: T | UnsetType) -> T | None:
    return None if isinstance(value, UnsetType) else value


def _choose_status(ctx: Context, ref: SessionRef, state: _State) -> _ApiStatus:
    if state is None:
        return "ended"
    evidence, status = state
    if translation.has_ended(status):
        return "starting" if ending.is_opening(ctx, ref, evidence.meta) else "ended"
    return "running" if files.exists(ref.start) else "starting"


def _find_expiry(record: SessionRecord) -> str | None:
    seconds, created = record.settings.ttl_seconds, parse_time(record.created_at)
    return format_rfc3339(created + seconds) if seconds and created else None
