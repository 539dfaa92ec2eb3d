"""session fork: a new session with a copy of the conversation."""

from __future__ import annotations

import pytest

from lisa_py import agents
from lisa_py.contract.session_settings import HIDDEN_VALUE, SessionSettings, drop_hidden
from lisa_py.store import live_records, session_records
from tests.lisa_host import LisaHost
from tests.repository import Repository
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


@pytest.mark.parametrize("killed", [False, True])
def test_agent_without_fork_support_gets_the_text(stage: SessionHarness, killed: bool) -> None:
    stage.spawn().send("[say the number is 41]")
    stage.wait_for_text("● the number is 41")
    stage.wait_for_state("idle")
    record = live_records.read_record(stage.ref)
    assert record is not None
    if killed:
        stage.lisa("kill")
    words = ["--as", "lisa-copy", "--prompt", "[say copied]", "--no-dangerously-skip-permissions"]
    answer = stage.lisa("fork", *words)
    assert answer.code == 0, answer
    assert (answer.json["session"], answer.json["forkedFrom"], answer.json["method"]) == (
        "lisa-copy",
        record.id,
        "prompt",
    )
    copy = SessionHarness(stage.machine, "lisa-copy")
    copy.wait_for_state("idle")
    (prompt,) = copy.prompts()
    assert "user: [say the number is 41]" in prompt and "assistant: the number is 41" in prompt
    described = copy.lisa("get").json["session"]
    assert (described["id"], described["forked_from_session_id"]) == (answer.json["id"], record.id)


def test_a_copy_works_in_the_same_worktree(stage: SessionHarness) -> None:
    Repository(stage.machine).create()
    stage.spawn("[say one]", "--worktree")
    stage.wait_for_state("idle")
    path = f"{stage.machine.project}.lisa/{stage.name}"
    forked = stage.lisa("fork", "--as", "lisa-copy", "--no-dangerously-skip-permissions")
    assert forked.code == 0, forked
    copy = session_records.read_meta(stage.ctx.ref("lisa-copy"))
    assert copy is not None
    assert (copy.folder, copy.worktree) == (path, None)
    (ended,) = stage.lisa("kill").json["worktrees"]
    assert "works in it" in ended["reason"]


def test_busy_or_blocked_session_is_refused(stage: SessionHarness) -> None:
    stage.spawn().send("[ask touch x]")
    stage.wait_for_state("waiting")
    answer = stage.lisa("fork")
    assert (answer.code, answer.json["errorCode"]) == (1, "session_not_forkable")
    assert "dialog" in answer.json["reason"]


def test_a_command_is_refused(stage: SessionHarness) -> None:
    answer = stage.run("sleep 600").lisa("fork")
    assert (answer.code, answer.json["errorCode"]) == (1, "session_not_forkable")
    assert stage.lisa("fork", "--session", "lisa-none").json["errorCode"] == "session_not_found"


def test_unrecorded_secrets_are_omitted() -> None:
    settings = SessionSettings(
        model="opus",
        environment={"A": "secret://a", "B": HIDDEN_VALUE},
        credentials={"api_key": HIDDEN_VALUE},
        mcp_servers={"m": {"url": "http://h", "headers": {"H": HIDDEN_VALUE, "R": "secret://r"}}},
    )
    kept, warnings = drop_hidden(settings)
    servers = {"m": {"url": "http://h", "headers": {"R": "secret://r"}}}
    assert kept == SessionSettings(model="opus", environment={"A": "secret://a"}, mcp_servers=servers)
    assert [warning.partition(":")[0] for warning in warnings] == [
        "environment B is left out", "credentials are left out", "m headers H is left out",
    ]  # fmt: skip


def test_each_agent_has_its_fork_command() -> None:
    assert agents.get("claude").fork_arguments("ID") == "--resume ID --fork-session"
    assert agents.get("codex").fork_arguments("ID") == "fork ID"


@pytest.mark.parametrize("flags", [(), ("--no-dangerously-skip-permissions",)])
def test_copy_of_a_blocked_agent_has_the_dialog(stage: SessionHarness, flags: tuple[str, ...]) -> None:
    spawned = stage.lisa("spawn", "--agent", "scripted", "--prompt", "[say one]", *flags)
    assert spawned.code == 0, spawned
    stage.wait_for_text("● one")
    stage.wait_for_state("idle")
    assert stage.lisa("fork", "--as", "lisa-copy").code == 0
    records = [live_records.read_record(stage.ctx.ref(name)) for name in (stage.name, "lisa-copy")]
    assert [record.keeps_permissions for record in records if record] == [bool(flags)] * 2
