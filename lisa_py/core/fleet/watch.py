"""Watch all sessions of a project, or of all projects, and yield a notice per transition that needs a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import UNSET, Struct

from lisa_py.contract import command_line
from lisa_py.contract.errors import LisaError
from lisa_py.contract.notices import NoticeKind, SessionNotice
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.fleet import fleet_dialogs, session_list, status_table
from lisa_py.core.fleet.list_items import LostSession
from lisa_py.core.fleet.session_list import ListQuery, SessionList
from lisa_py.core.redact.redactor import Mask
from lisa_py.host.clock import format_rfc3339
from lisa_py.store.paths import Project, SessionRef

COOLDOWN_SECONDS = 10.0
"""Shortest time between two notices of one session; a state that lasts is reported after it."""
CHECK_SECONDS = 1.0
TEXT_CHARACTERS = 200
_Key = tuple[str, str]
_NEEDING = (("asks",), ("limit",), ("lost",))
"""Kinds that still need a person when the watch begins."""


class WatchStep(Struct, frozen=True, kw_only=True):
    """The sessions after a change, and the notices that are due."""

    found: SessionList
    notices: tuple[SessionNotice, ...]


class _Watched(Struct, kw_only=True):
    """The notices of one session so far."""

    mark: tuple[str, ...] = ()
    """Kind and cause of its present state; a change is a transition."""
    reported: tuple[str, ...] = ()
    """The mark of the newest notice."""
    reported_at: float | None = None


class FleetWatch:
    """One watch over many sessions."""

    def __init__(self, ctx: Context, project: Project, *, kinds: tuple[NoticeKind, ...], all_projects: bool) -> None:
        self._ctx = ctx
        self._project = project
        self._kinds = kinds
        self._all_projects = all_projects
        self._known: dict[_Key, _Watched] = {}
        self._is_first = True

    def follow(self) -> Iterator[WatchStep]:
        """Yield at once, then at every change and at least every second.

        A session that asks, is lost or at a limit when the watch begins is reported, too; one that has ended is not.
        Raise CancellationError; LisaError(session_list_failed).
        """
        query = ListQuery(states=True, all_sockets=self._all_projects)
        for found in session_list.watch_list(self._ctx, self._project, query, CHECK_SECONDS):
            yield WatchStep(found=found, notices=tuple(self._collect(found)))
            self._is_first = False

    def _collect(self, found: SessionList) -> Iterator[SessionNotice]:
        present: set[_Key] = set()
        for item, status in zip(found.items, found.statuses, strict=True):
            key = item.project_root or self._project.root, item.session
            present.add(key)
            kind = classify(status)
            if self._is_due(key, (kind, status.waiting_for, status.state_detail) if kind else ()):
                ref = SessionRef(self._ctx.project(key[0]), key[1])
                if not self._is_attended(ref):
                    yield self._build(ref, kind, status)
        for lost in found.lost:
            key = lost.project_root, lost.session
            present.add(key)
            if self._is_due(key, ("lost",)):
                yield self._build_lost(lost)
        for gone in self._known.keys() - present:
            del self._known[gone]

    def _is_due(self, key: _Key, mark: tuple[str, ...]) -> bool:
        """Return True if the state of a session is to be reported now."""
        is_new = key not in self._known
        known = self._known.setdefault(key, _Watched())
        if is_new and self._is_first and mark[:1] not in _NEEDING:
            known.reported = mark  # it had ended before the watch began
        known.mark = mark
        if not mark:
            known.reported = ()
            return False
        now = self._ctx.clock.monotonic()
        is_early = known.reported_at is not None and now - known.reported_at < COOLDOWN_SECONDS
        if mark == known.reported or mark[0] not in self._kinds or is_early:
            return False
        known.reported, known.reported_at = mark, now
        return True

    def _is_attended(self, ref: SessionRef) -> bool:
        """Return True if a terminal shows the session."""
        try:
            return self._ctx.server(ref).count_clients(ref.session) > 0
        except LisaError:
            return False

    def _build(self, ref: SessionRef, kind: NoticeKind | Literal[""], status: Status) -> SessionNotice:
        needs = {
            "asks": f"asks: {status.waiting_for}",
            "limit": "is at a usage limit",
            "failed": f"failed: {status.error_kind or status.session_state}",
            "done": "is done",
        }[kind or "done"]
        text, command = self._read_question(ref) if kind == "asks" else ("", "")
        return self._finish(
            kind=kind or "done",
            session=ref.session,
            agent=status.agent,
            project_root=ref.project.root,
            title=f"{ref.session} {needs}",
            text=text or status.state_detail,
            command=command or _suggest(kind, ref),
            session_state=status.session_state,
            waiting_for=status.waiting_for or UNSET,
        )

    def _read_question(self, ref: SessionRef) -> tuple[str, str]:
        """Return the first line of the open dialog, and the command that answers it."""
        for dialog in fleet_dialogs.list_fleet_dialogs(self._ctx, ref.project, ref).dialogs:
            questions = [each.question for each in dialog.questions or ()]
            return (questions or [dialog.message])[0], dialog.answer_command or ""
        return "", ""

    def _build_lost(self, lost: LostSession) -> SessionNotice:
        return self._finish(
            kind="lost",
            session=lost.session,
            agent=lost.agent,
            project_root=lost.project_root,
            title=f"{lost.session} is lost",
            text="its agent was ended from outside",
            command=lost.resume_command
            or _suggest("failed", SessionRef(self._ctx.project(lost.project_root), lost.session)),
            session_state="not_found",
        )

    def _finish(self, *, text: str, **fields: Any) -> SessionNotice:
        line = Mask("secrets,tokens").mask_text(next(iter(text.strip().splitlines()), ""))[:TEXT_CHARACTERS]
        at = format_rfc3339(self._ctx.clock.now(), fraction=True)
        return SessionNotice(text=line, at=at, **fields)


def classify(status: Status) -> NoticeKind | Literal[""]:
    """Return the kind of notice that a state is worth; empty for an agent at work."""
    row = status_table.build_row(status, seconds=-1)
    if row.waiting_for == "limit":
        return "limit"
    if row.asks:
        return "asks"
    if status.session_state in ("crashed", "stuck") or row.waiting_for == "error":
        return "failed"
    is_ready = status.session_state == "waiting_input" and row.waiting_for == "prompt"
    return "done" if is_ready or status.session_state == "completed" else ""


def _suggest(kind: str, ref: SessionRef) -> str:
    name, root = ref.session, ref.project.root
    if kind == "done":
        return str(command_line.build("session capture", session=name, project_root=root, last=True))
    if kind == "failed":
        return str(command_line.build("session explain", session=name, project_root=root))
    return str(command_line.build("session status", session=name, project_root=root))
