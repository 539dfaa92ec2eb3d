"""session checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lisa_py.store import events, session_memory
from lisa_py.store.lanes import Lane, registry
from tests.fake_pane import FakePane
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness

SECRET = "sk-" + "a1B2" * 10


def checkpoint(machine: LisaHost, *words: str, code: int = 0, **more: Any) -> dict[str, Any]:
    form = [] if {"--json", "--json-min"} & set(words) else ["--json"]
    answer = machine.lisa("session", "checkpoint", *words, *form, **more)
    assert answer.code == code, answer
    return answer.json


def save(machine: LisaHost, *words: str) -> dict[str, Any]:
    checkpoint(machine, "save", "--session", "lisa-talk", "--file", "c.json", *words)
    held: dict[str, Any] = json.loads((machine.project / "c.json").read_text())
    return held


def test_checkpoint_has_everything_to_continue(machine: LisaHost) -> None:
    ctx = machine.context()
    with registry(ctx.project()).change(ctx.settings, 0.0) as opened:
        opened.content.lanes["ok"] = Lane(name="ok", contract="x", budget=9)
    with FakePane(machine, lane="ok", objective_id="o1", objective_goal="ship it") as pane:
        events.add(pane.ref, ctx.settings, 0.0, type="transition", state="in_progress", reason="r1")
        with session_memory.registry(pane.ref).change(ctx.settings, ctx.clock.now()) as remembered:
            remembered.content = session_memory.SessionMemory(
                session=pane.name, updated_at="2026-01-01T00:00:00Z", lines=("sqlite",)
            )
        pane.write("hello\n")
        held = save(machine)
        assert (held["version"], held["session"], held["projectRoot"]) == ("1", "lisa-talk", str(machine.project))
        assert (held["lane"]["contract"], held["objective"]["goal"], held["memory"]["lines"]) == (
            "x",
            "ship it",
            ["sqlite"],
        )
        assert [item["reason"] for item in held["recent"]] == ["r1"]
        assert held["captureTail"].endswith("hello") and "next_action=session monitor" in held["contextPack"]
        assert held["cursors"]["events"] == {"offset": 1}
        assert (machine.project / "c.json").stat().st_mode & 0o777 == 0o600


def test_secrets_are_redacted_unless_requested(machine: LisaHost) -> None:
    with FakePane(machine, objective_goal=f"use {SECRET}") as pane:
        pane.write(f"OPENAI_API_KEY={SECRET}\n")
        assert SECRET[3:20] not in json.dumps(save(machine))
        assert SECRET in save(machine, "--redact", "none")["captureTail"]
        assert str(machine.project) not in json.dumps(save(machine, "--redact", "all"))
        assert checkpoint(machine, "resume", "--file", "c.json")["live"] is True


def test_conversation_is_saved_with_its_id(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[say the answer is 42]")
    stage.wait_for_state("idle")
    stage.lisa("checkpoint", "save", "--file", "c.json")
    held = json.loads((machine.project / "c.json").read_text())
    assert (held["source"], held["agentSessionId"] in held["cursors"]["transcript"]["path"]) == ("transcript", True)


def test_resume_reports_the_current_state(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        save(machine)
        events.add(pane.ref, pane.ctx.settings, 0.0, type="transition", reason="later")
        answer = checkpoint(machine, "resume", "--file", "c.json")
        assert (answer["live"], answer["sameRun"], answer["eventsSince"]) == (True, True, 1)
        assert answer["liveState"] == answer["sessionState"]
        assert answer["checkpoint"] == json.loads((machine.project / "c.json").read_text())
        small = checkpoint(machine, "--action", "resume", "--file", "c.json", "--json-min")
        assert "checkpoint" not in small and small["live"] is True
        unseen = checkpoint(machine, "resume", "--file", "c.json", env={"PATH": str(machine.bin)})
        assert "live" not in unseen and unseen["liveState"] == "degraded"
        machine.lisa("session", "kill", "--session", "lisa-talk")
        gone = checkpoint(machine, "resume", "--file", "c.json")
        assert (gone["live"], gone["liveState"], gone["liveNextAction"]) == (False, "not_found", "session spawn")
        assert gone["sessionState"] == answer["sessionState"]


def test_new_session_of_same_name_is_not_the_saved_one(machine: LisaHost) -> None:
    with FakePane(machine):
        save(machine)
    machine.lisa("session", "kill", "--session", "lisa-talk")
    machine.lisa("session", "spawn", "--session", "lisa-talk", "--command", "sleep 60")
    answer = checkpoint(machine, "resume", "--file", "c.json")
    assert (answer["live"], answer["sameRun"]) == (False, False)


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("claude", "--resume 0196f9a2-7000"),
        ("codex", "resume 0196f9a2-7000"),
        ("scripted", "--resume 0196f9a2-7000"),
        ("unknown", ""),
    ],
)
def test_ended_session_can_resume_its_conversation(machine: LisaHost, agent: str, words: str) -> None:
    point = {"session": "lisa-a", "agent": agent, "agentSessionId": "0196f9a2-7000"}
    (machine.project / "c.json").write_text(json.dumps(point))
    answer = checkpoint(machine, "resume", "--file", "c.json")
    start = f"lisa session spawn --agent {agent} --mode interactive --project-root '{machine.project}'"
    assert answer.get("respawnCommand") == (f"{start} --agent-args '{words}' --json" if words else None)
    (machine.project / "c.json").write_text(json.dumps({**point, "agentSessionId": "$(touch x) 12345678"}))
    assert "respawnCommand" not in checkpoint(machine, "resume", "--file", "c.json")


def test_readers_continue_from_its_cursors(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("before\n")
        save(machine)
        pane.write("after\n")
        events.add(pane.ref, pane.ctx.settings, 0.0, type="transition", reason="later")
        cursor = str(machine.folder / "cursor")
        assert checkpoint(machine, "resume", "--file", "c.json", "--cursor-file", cursor)["cursorFile"] == cursor
        words = ("--session", "lisa-talk", "--cursor-file", cursor, "--json")
        assert machine.lisa("session", "capture", "--raw", *words).json["capture"].strip() == "after"
        assert [item["reason"] for item in machine.lisa("session", "handoff", *words).json["recent"]] == ["later"]


def test_saved_output_is_accepted_by_replay_and_resume(machine: LisaHost) -> None:
    with FakePane(machine):
        words = ("save", "--session", "lisa-talk", "--file", "c.json", "--json")
        printed = machine.lisa("session", "checkpoint", *words).out
        steps = machine.lisa("session", "replay", "--from-checkpoint", "-", "--json", stdin=printed).json["steps"]
        assert "session monitor --session 'lisa-talk'" in steps[1]["command"]
        resumed = checkpoint(machine, "resume", "--file", "-", stdin=printed)
        assert resumed["file"] == str(machine.project / "c.json")
        handoff = machine.lisa("session", "handoff", "--session", "lisa-talk", "--schema", "v4", "--json").out
        assert checkpoint(machine, "resume", "--file", "-", stdin=handoff)["nextAction"] == "session monitor"


def test_save_fails_without_a_session(machine: LisaHost) -> None:
    words = ("save", "--session", "lisa-talk", "--file", "c.json")
    assert checkpoint(machine, *words, code=1)["errorCode"] == "session_not_found"
    refused = checkpoint(machine, *words, code=1, env={"PATH": str(machine.bin)})
    assert refused["errorCode"] == "status_compute_failed"
    assert not (machine.project / "c.json").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["bogus", "--file", "c"], "invalid_action"),
        (["save", "--session", "lisa-x"], "missing_required_flag"),
        (["--file", "c"], "missing_required_flag"),
        (["--file", "/tmp", "--session", "lisa-x"], "invalid_file_path"),
        (["--file", "-", "--session", "lisa-x"], "invalid_file_path"),
        (["--file", "c", "--session", "lisa-x", "--strategy", "long"], "invalid_strategy"),
        (["resume", "--file", "nowhere"], "checkpoint_read_failed"),
    ],
)
def test_invalid_calls_are_refused(machine: LisaHost, words: list[str], code: str) -> None:
    assert checkpoint(machine, *words, code=1)["errorCode"] == code


@pytest.mark.parametrize("given", ["", "{", "[]", "{}", '{"session":"lisa-a","memory":5}'])
def test_invalid_checkpoint_is_refused(machine: LisaHost, given: str) -> None:
    Path(machine.project / "c.json").write_text(given)
    assert checkpoint(machine, "resume", "--file", "c.json", code=1)["errorCode"] == "checkpoint_read_failed"


def test_checkpoint_of_another_session_is_refused(machine: LisaHost) -> None:
    (machine.project / "c.json").write_text('{"session":"lisa-a"}')
    answer = checkpoint(machine, "resume", "--file", "c.json", "--session", "lisa-b", code=1)
    assert answer["errorCode"] == "checkpoint_session_mismatch"


def test_text_has_path_and_state(machine: LisaHost) -> None:
    with FakePane(machine):
        saved = machine.lisa("session", "checkpoint", "--session", "lisa-talk", "--file", "c.json").out
        assert saved == f"saved checkpoint: {machine.project}/c.json\n"
        first, second = machine.lisa("session", "checkpoint", "resume", "--file", "c.json").out.splitlines()
        assert first.startswith("session=lisa-talk state=") and first.endswith(" next=session monitor")
        assert second.startswith("live=true now=")
