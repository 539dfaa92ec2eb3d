"""session get: the description of a running, ended or archived session."""

from __future__ import annotations

import pytest

from lisa_py.store import live_records, session_records
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def test_a_running_session_and_its_archive(stage: SessionHarness) -> None:
    stage.spawn("[say one]")
    stage.wait_for_state("idle")
    running = stage.lisa("get").json["session"]
    record, meta = live_records.read_record(stage.ref), session_records.read_meta(stage.ref)
    assert record is not None and meta is not None
    expected = {
        "id": record.id,
        "session_id": record.id,
        "name": stage.name,
        "status": "running",
        "region": "local",
        "session_type": "api",
        "owner_oid": live_records.project_id(stage.ref.project),
        "owner_uid": None,
        "agent": "scripted",
        "initial_prompt": "[say one]",
        "trigger_source": "lisa",
        "num_turns": 1,
        "ended_at": None,
        "end_reason": None,
        "ui_state": "waiting",
        "needs_attention": False,
        "pending": {"approvals": 0, "questions": 0},
        "tmux": {"socket": meta.socket_path, "session": stage.name, "pane": meta.pane_id},
        "lisa_session": stage.name,
        "lisa_state": "waiting_input",
    }
    assert {key: running[key] for key in expected} == expected
    assert running["created_at"] <= running["started_at"] and running["output_tokens"] > 0
    stage.lisa("kill")
    for name in (stage.name, record.id):
        ended = stage.machine.lisa("session", "get", name, "--json").json["session"]
        changed = {key for key in ended if ended[key] != running[key]}
        assert changed <= {
            "status",
            "ended_at",
            "terminated_at",
            "end_reason",
            "exit_code",
            "ui_state",
            "tmux",
            "lisa_state",
        }
        assert (ended["status"], ended["end_reason"], ended["ui_state"]) == ("ended", "user_requested", "ended")


def test_an_open_dialog_needs_attention(stage: SessionHarness) -> None:
    stage.spawn().send("[ask touch x]")
    stage.wait_for_state("waiting")
    found = stage.lisa("get").json["session"]
    assert (found["needs_attention"], found["pending"]["approvals"], found["ui_state"]) == (True, 1, "waiting")


@pytest.mark.parametrize("code, reason", [(0, "completed"), (3, "failed")])
def test_a_session_that_has_ended_by_itself(stage: SessionHarness, code: int, reason: str) -> None:
    stage.run(f"sh -c 'exit {code}'").wait_until_dead()
    found = stage.lisa("get").json["session"]
    assert (found["status"], found["end_reason"], found["exit_code"]) == ("ended", reason, code)
    assert (found["error_message"] is None) == (code == 0)


def test_missing_pane_and_missing_server(stage: SessionHarness) -> None:
    stage.run("exec sleep 600")
    server = stage.ctx.server(stage.ref)
    pane = server.find_pane(stage.name)
    assert pane is not None
    SessionHarness(stage.machine, "lisa-other").run("sleep 600")
    server.kill_session(pane.session_id)
    stage.wait_until_ended()
    found = stage.lisa("get").json["session"]
    assert (found["status"], found["end_reason"], found["tmux"]) == ("ended", "job_completed", None)
    server.kill_server()
    found = stage.lisa("get").json["session"]
    assert (found["status"], found["end_reason"], found["tmux"]) == ("ended", "heartbeat_stale", None)


def test_prompt_is_truncated_by_default(stage: SessionHarness) -> None:
    prompt = "[say x] " + "y" * 200
    stage.spawn(prompt, ready=False)
    assert stage.lisa("get").json["session"]["initial_prompt"] == prompt[:120] + "..."
    assert stage.lisa("get", "--full-prompt").json["session"]["initial_prompt"] == prompt


def test_text_has_a_line_per_value(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    lines = stage.machine.lisa("session", "get", stage.name).out.splitlines()
    values = dict(line.split(None, 1) for line in lines)
    assert (values["status"], values["name"], values["needs_attention"]) == ("running", stage.name, "no")
    assert "end_reason" not in values


def test_a_missing_session_is_not_found(stage: SessionHarness) -> None:
    for name in (stage.name, live_records.make_id(stage.ref.project, "1")):
        answer = stage.machine.lisa("session", "get", name, "--json")
        assert (answer.code, answer.json["errorCode"]) == (1, "session_not_found")
