"""ai session history: the conversation of a session of the project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    stage = SessionHarness(machine).spawn("[say one]")
    stage.wait_for_text("● one")
    stage.wait_for_state("idle")
    return stage


def history(stage: SessionHarness, *words: str) -> str:
    return stage.machine.lisa("ai", "session", "history", "--id", stage.name, *words).out


def test_history_is_there_before_and_after_the_end(stage: SessionHarness) -> None:
    living = json.loads(history(stage))
    assert [frame["type"] for frame in living["messages"]] == ["user", "assistant", "result"]
    assert history(stage, "--filter", "messages[].payload.content", "--output", "jsonl") == '"[say one]"\n"one"\n'
    assert stage.lisa("kill").code == 0
    assert json.loads(history(stage)) == living
    answer = stage.machine.lisa("ai", "session", "history", "--id", living["messages"][0]["session_id"], "--json").json
    assert answer["messages"] == living["messages"]


def test_before_reads_backwards(stage: SessionHarness) -> None:
    messages = json.loads(history(stage))["messages"]
    for index, message in enumerate(messages):
        assert json.loads(history(stage, "--before", message["cursor"]))["messages"] == messages[:index]
    refused = stage.machine.lisa("ai", "session", "history", "--id", stage.name, "--before", "x.1", "--json")
    assert (refused.code, refused.json["errorCode"]) == (1, "invalid_cursor")


def test_internal_messages_are_shown_with_raw_only(stage: SessionHarness) -> None:
    with Path(stage.agent_state()["transcript"]).open("a") as transcript:
        for subtype in ("hook_started", "compact_boundary"):
            transcript.write(json.dumps({"type": "system", "subtype": subtype, "text": subtype}) + "\n")

    def subtypes(*words: str) -> list[str]:
        messages = json.loads(history(stage, *words))["messages"]
        return [each["payload"]["subtype"] for each in messages if each["type"] == "system"]

    assert subtypes() == ["compact_boundary"]
    assert subtypes("--raw") == ["hook_started", "compact_boundary"]


def test_global_flags_may_precede_the_command(stage: SessionHarness) -> None:
    words = ("session", "history", "--id", stage.name)
    expected = stage.machine.lisa("ai", *words, "--output", "yaml").out
    assert expected.startswith("messages:\n")
    for early in (
        ("--output", "yaml", "ai"),
        ("ai", "--output=YAML"),
        ("--env", "x", "ai", "--debug", "--output", "yaml"),
    ):
        assert stage.machine.lisa(*early, *words).out == expected
    assert stage.machine.lisa("ai", *words, "-q", "--profile", "x", "--no-warnings").out == ""


def test_errors_are_those_of_the_client(machine: LisaHost) -> None:
    words = ("ai", "session", "history", "--id", "lisa-absent")
    ended = machine.lisa(*words)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("Error: session not found: lisa-absent")
    assert ended.err.splitlines()[-1].startswith("Suggestion: ")
    assert machine.lisa(*words, "--json").json["errorCode"] == "session_not_found"
    assert machine.lisa(*words, "--json").code == 3
    for wrong in (("--limit", "1"), ("--output", "xml"), ("--output", "toon"), ("--filter", "[")):
        refused = machine.lisa(*words[:3], *(words[3:] if wrong[0] != "--filter" else ("--id", "x")), *wrong)
        assert (refused.code, refused.out) != (0, "") and refused.err.startswith("Error: "), wrong
    assert machine.lisa(*words, "--oid", "5d0f8a1c-7f0b-4c3e-9a52-c6b1e4d7a380", "--json").json["errorCode"] == (
        "project_not_found"
    )
