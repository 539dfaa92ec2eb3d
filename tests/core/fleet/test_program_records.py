"""Records of a session and of a fleet."""

from __future__ import annotations

from typing import Any

import pytest

from lisa_py.contract.status import Status
from lisa_py.core.fleet.list_items import ListItem, LostSession
from lisa_py.core.fleet.program_records import ProgramReporter, build_fleet_records, build_record
from lisa_py.core.fleet.session_list import SessionList
from lisa_py.host import user_terminal
from tests.lisa_host import LisaHost


def status(name: str, session_state: str, **fields: Any) -> Status:
    return Status(session=name, agent="claude", session_state=session_state, **fields)


def fleet(*statuses: Status, lost: tuple[LostSession, ...] = ()) -> SessionList:
    items = tuple(ListItem(session=each.session) for each in statuses)
    return SessionList(items=items, has_items=True, statuses=statuses, lost=lost)


def test_a_question_is_blocked_with_its_kind() -> None:
    record = build_record(
        status("lisa-a", "waiting_input", waiting_for="login", state_detail="key sk-ant-api03-" + "x" * 80)
    )
    assert (record.status, record.kind, record.app, record.title) == ("blocked", "auth", "claude", "lisa-a")
    assert record.message.startswith("login: key ")
    assert "sk-ant-api03-xxx" not in record.message


def test_fleet_has_the_urgency_of_its_first_session() -> None:
    lost = LostSession(session="lisa-l", project_root="/p", agent="codex", resumable=True)
    asks = status("lisa-q", "waiting_input", waiting_for="permission")
    found = fleet(status("lisa-w", "in_progress"), asks, status("lisa-x", "degraded"), lost=(lost,))
    first, *others = build_fleet_records(found)
    assert (first.status, first.kind, first.record_id, first.app) == ("blocked", "permission", "", "lisa")
    assert first.message == "1 blocked, 1 error, 1 working"
    assert [each.title for each in others] == ["lisa-q", "lisa-l", "lisa-w"]


def test_many_sessions_stay_within_the_limit() -> None:
    working = [status(f"lisa-{number}", "in_progress") for number in range(300)]
    records = build_fleet_records(fleet(*working, status("lisa-q", "waiting_input", waiting_for="question")))
    assert (len(records), records[1].title) == (256, "lisa-q")


def test_only_changes_are_written(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(user_terminal, "write_terminal", written.append)
    reporter = ProgramReporter(machine.context())
    found = fleet(status("lisa-a", "in_progress"))
    reporter.report(found)
    assert [each.split(":")[0] for each in written if each] == ["\x1b]7501;state=working"] * 2
    written.clear()
    reporter.report(found)
    assert written == []
    reporter.report(fleet())
    assert written[0] == "\x1b]7501;state=clear:id=lisa-a\x1b\\"
    assert written[1].startswith("\x1b]7501;state=idle:")
    reporter.close()
    assert written[2] == "\x1b]7501;state=clear\x1b\\"
