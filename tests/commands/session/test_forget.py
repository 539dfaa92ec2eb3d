"""session forget: all records of an ended session are removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lisa_py.store import archives, live_records
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def run_and_kill(stage: SessionHarness) -> str:
    record = live_records.read_record(stage.run("sleep 600").ref)
    assert record is not None and stage.lisa("kill").code == 0
    return record.id


def test_an_id_removes_one_and_a_name_all(stage: SessionHarness) -> None:
    identities = [run_and_kill(stage) for _ in range(3)]
    answer = stage.machine.lisa("session", "forget", identities[1], "--json")
    assert answer.code == 0 and answer.json["removed"] == [identities[1]]
    assert Path(stage.ref.events).exists()
    assert sorted(stage.lisa("forget").json["removed"]) == sorted([identities[0], identities[2]])
    assert list(archives.list_archives(stage.ref.project)) == [] and not Path(stage.ref.folder).exists()
    again = stage.lisa("forget")
    assert (again.code, again.json["errorCode"]) == (1, "session_not_found")


def test_a_session_that_has_not_ended_is_refused(stage: SessionHarness) -> None:
    former = run_and_kill(stage)
    stage.run("sleep 600")
    answer = stage.lisa("forget")
    assert (answer.code, answer.json["errorCode"]) == (1, "session_not_ended")
    assert stage.machine.lisa("session", "forget", former, "--json").json["removed"] == [former]
    assert stage.lisa("exists").json["exists"]


def test_a_session_that_has_ended_by_itself_is_removed(stage: SessionHarness) -> None:
    stage.run("true").wait_until_dead()
    record = live_records.read_record(stage.ref)
    assert record is not None and stage.lisa("forget").json["removed"] == [record.id]
    assert not stage.lisa("exists").json["exists"] and not Path(stage.ref.folder).exists()
