"""Report sessions to the user's terminal as records of the Program Status Protocol (OSC 7501)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lisa_py.contract.errors import LisaError
from lisa_py.contract.program_status import ProgramStatus, derive_blocked_kind
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.fleet.session_list import SessionList
from lisa_py.core.redact.redactor import Mask
from lisa_py.host import user_terminal
from lisa_py.terminal.program_status import MOST_RECORDS, ProgramRecord, build_sequence, make_word

_URGENCY: tuple[ProgramStatus, ...] = ("blocked", "error", "working", "done", "idle", "unknown")


def report_session(ctx: Context, status: Status) -> None:
    """Report one session as this terminal's program. Raise LisaError(no_terminal)."""
    _write(ctx, build_record(status))


def build_record(status: Status, record_id: str = "") -> ProgramRecord:
    word = status.program_status
    cause = status.waiting_for if word == "blocked" else status.error_kind or status.waiting_for
    parts = [str(cause) if word in ("blocked", "error") and cause else "", status.state_detail]
    return ProgramRecord(
        status=word,
        record_id=record_id,
        kind=derive_blocked_kind(status.waiting_for) if word == "blocked" else None,
        app=status.agent or "lisa",
        title=status.session,
        message=Mask("secrets,tokens").mask_text(": ".join(filter(None, parts))),
    )


class ProgramReporter:
    """The records of a fleet: the program lisa, and one part of it per session."""

    def __init__(self, ctx: Context) -> None:
        """Raise LisaError(no_terminal)."""
        self._ctx = ctx
        self._reported: dict[str, ProgramRecord] = {}
        user_terminal.write_terminal("")

    def report(self, found: SessionList) -> None:
        """Write the records that have changed, and remove those of sessions that are gone."""
        records = {record.record_id: record for record in build_fleet_records(found)}
        gone = [ProgramRecord(status="unknown", record_id=key) for key in self._reported.keys() - records.keys()]
        changed = [record for key, record in records.items() if self._reported.get(key) != record]
        self._reported = records
        self._try_to_write(*gone, *changed)

    def close(self) -> None:
        """Remove all records."""
        if self._reported:
            self._try_to_write(ProgramRecord(status="unknown"))

    def _try_to_write(self, *records: ProgramRecord) -> None:
        try:
            _write(self._ctx, *records)
        except LisaError as problem:
            self._ctx.warn_about(problem)


def build_fleet_records(found: SessionList) -> list[ProgramRecord]:
    """Return the record of the fleet, then those of its sessions, the most urgent ones if they are too many."""
    records = [
        build_record(status, _make_id(item.project_root or "", item.session))
        for item, status in zip(found.items, found.statuses, strict=True)
    ]
    records += [
        ProgramRecord(
            status="error",
            record_id=_make_id(lost.project_root, lost.session),
            app=lost.agent,
            title=lost.session,
            message="lost: its agent was ended from outside",
        )
        for lost in found.lost
    ]
    records = sorted((each for each in records if each.status != "unknown"), key=_rank)
    return [_summarize(records), *records[: MOST_RECORDS - 1]]


def _make_id(project_root: str, session: str) -> str:
    return f"{make_word(project_root)}/{make_word(session)}" if project_root else make_word(session)


def _rank(record: ProgramRecord) -> int:
    return _URGENCY.index(record.status)


def _summarize(records: Iterable[ProgramRecord]) -> ProgramRecord:
    """Return the record of the fleet: as urgent as its most urgent session, with the counts."""
    listed = list(records)
    counts = Counter(record.status for record in listed)
    first = listed[0] if listed else ProgramRecord(status="idle")
    message = ", ".join(f"{counts[word]} {word}" for word in _URGENCY if counts[word])
    return ProgramRecord(status=first.status, kind=first.kind, app="lisa", title="lisa", message=message)


def _write(ctx: Context, *records: ProgramRecord) -> None:
    in_tmux = bool(ctx.settings.environ.get("TMUX"))
    for record in records:
        user_terminal.write_terminal(build_sequence(record, in_tmux=in_tmux))
