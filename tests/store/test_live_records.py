"""store/live_records: every session has a record and an id, which is accepted wherever its name is."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.lifecycle import kill
from lisa_py.store import live_records, paths, session_folder, session_records
from lisa_py.store.paths import SessionRef
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


def make_session(machine: LisaHost, name: str, run_id: str = "1764000000000000000") -> SessionRef:
    ref = SessionRef(paths.resolve_project(str(machine.project), machine.context().settings), name)
    session_folder.create(ref)
    meta = SessionMeta(session=name, run_id=run_id, agent="scripted", project_root=ref.project.root, prompt="hello")
    session_records.write_meta(ref, meta)
    return ref


def test_the_id_is_a_uuid_of_project_and_run(machine: LisaHost) -> None:
    ref = make_session(machine, "lisa-a")
    project = uuid.uuid5(uuid.UUID("5d0f8a1c-7f0b-4c3e-9a52-c6b1e4d7a380"), ref.project.hash)
    assert live_records.project_id(ref.project) == str(project)
    assert live_records.make_id(ref.project, "17") == str(uuid.uuid5(project, "17"))


def test_a_session_without_a_record_file_has_one(machine: LisaHost) -> None:
    ref = make_session(machine, "lisa-a", "17")
    record = live_records.read_record(ref)
    assert record is not None
    assert (record.id, record.session, record.family) == (live_records.make_id(ref.project, "17"), "lisa-a", "org")
    assert live_records.read_record(SessionRef(ref.project, "lisa-none")) is None


def test_an_id_finds_its_session_in_any_project(machine: LisaHost) -> None:
    ref, other = make_session(machine, "lisa-a", "17"), make_session(machine, "lisa-b", "18")
    ctx = machine.context()
    for each, run_id in ((ref, "17"), (other, "18")):
        identity = live_records.make_id(each.project, run_id)
        assert ctx.ref(identity) == ctx.ref(identity.upper()) == ctx.ref(identity, str(machine.project)) == each


def test_an_unknown_id_is_not_found(machine: LisaHost) -> None:
    ref = make_session(machine, "lisa-a", "17")
    for run_id in ("18", ""):
        with pytest.raises(LisaError) as raised:
            machine.context().ref(live_records.make_id(ref.project, run_id))
        assert raised.value.code == "session_not_found"


def test_a_written_record_keeps_its_settings(machine: LisaHost) -> None:
    ref = make_session(machine, "lisa-a", "17")
    record = live_records.read_record(ref)
    assert record is not None
    record.settings = SessionSettings(credentials={"api_key": "secret://key"}, denied_tools=("Bash",))
    record.end_reason = "user_requested"
    live_records.write_record(ref, record)
    written = live_records.read_record(ref)
    assert written is not None and (written.end_reason, written.settings) == ("user_requested", record.settings)


def test_preflight_names_an_unreadable_record(machine: LisaHost) -> None:
    ref = make_session(machine, "lisa-a", "17")
    Path(ref.file(live_records.FILE)).write_text("{")
    check = live_records.RECORD.check
    assert check is not None
    problems = list(check(ref.project, machine.context().settings))
    assert len(problems) == 1 and problems[0].startswith(ref.file(live_records.FILE))


def test_spawn_writes_a_record_and_its_id_names_the_session(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn(ready=False)
    record = live_records.read_record(stage.ref)
    meta = session_records.read_meta(stage.ref)
    assert record is not None and meta is not None
    assert Path(stage.ref.file(live_records.FILE)).exists()
    assert (record.run_id, record.agent, record.settings.agent) == (meta.run_id, "scripted", "scripted")
    assert machine.lisa("session", "exists", record.id, "--json").json["session"] == stage.name


def test_an_archive_is_reached_only_by_readers(machine: LisaHost) -> None:
    stage = SessionHarness(machine).run("sleep 600")
    record = live_records.read_record(stage.ref)
    assert record is not None
    stage.lisa("kill")
    stage.run("sleep 600")
    archive = stage.ctx.record_ref(record.id)
    for command in ("kill", "status", "send"):
        words = ["--text", "x"] if command == "send" else []
        answer = machine.lisa("session", command, "--session", record.id, *words, "--json")
        assert (answer.code, answer.json["errorCode"]) == (1, "session_not_found")
        assert "archive" in answer.json["error"]
    assert not kill.kill_session(stage.ctx, archive).found
    assert live_records.read_record(archive) is not None and stage.lisa("exists").json["exists"]
