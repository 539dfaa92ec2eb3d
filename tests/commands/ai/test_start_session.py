"""ai start-session: the flags and the answer of the client."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


def test_starts_a_session_of_the_organization(machine: LisaHost) -> None:
    folder = machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True)
    (folder / "my-agent.yaml").write_text("agent: scripted\nprompt: hello\nenvironment: {A: '1', B: '1'}\n")
    flags = ("--definition", "hive://ai_agent/my-agent", "--prompt", "Investigate", "--name", "Alert")
    more = ("--env", "B=2", "--allowed-tools", "Read,Grep", "--no-one-shot", "--data", '{"b": 1, "a": [2]}')
    answer = machine.lisa("ai", "start-session", *flags, *more, "--output", "json")
    found = json.loads(answer.out)
    assert (answer.code, found["status"]) == (0, "starting") and found["created_at"].endswith("Z")
    record = json.loads((Path(machine.context().ref(found["session"]).folder) / "record.json").read_text())
    assert record["id"] == found["session_id"] and record["trigger_source"] == "cli"
    assert record["prompt"] == "Investigate\n\nEvent data:\n```yaml\na:\n- 2\nb: 1\n```"
    assert (record["settings"]["name"], record["settings"]["one_shot"]) == ("Alert", False)
    assert record["settings"]["allowed_tools"] == ["Read", "Grep"] and set(record["settings"]["environment"]) == {
        "A",
        "B",
    }
    listed = json.loads(machine.lisa("ai", "session", "list", "--output", "json").out)
    assert [each["id"] for each in listed] == [found["session_id"]]
    assert machine.lisa("ai", "start-session", "--definition", "none", "--output", "json").code == 1


def test_every_setting_of_the_guide_replaces_the_template(machine: LisaHost) -> None:
    folder = machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text(
        "agent: scripted\nprompt: '[think 60]'\nmodel: old\nmax_turns: 1\nplugins: [old]\nallowed_tools: [Bash]\n"
    )
    machine.lisa("secret", "set", "planted", stdin="sk-ant-planted")
    words = (
        "--model", "claude-sonnet-4-6", "--max-turns", "9", "--max-budget-usd", "2.50", "--task-budget-tokens", "70000",
        "--ttl-seconds", "600", "--no-one-shot", "--permission-mode", "acceptEdits", "--allowed-tools", "Read,Grep",
        "--denied-tools", "Bash,Write", "--plugin", "p", "--plugin", "q", "--env", "A=hive://secret/planted",
        "--anthropic-key", "hive://secret/planted", "--lc-api-key", "k", "--lc-uid", "u", "--idempotent-key", "once",
    )  # fmt: skip
    first, again = (
        json.loads(machine.lisa("ai", "start-session", "--definition", "a", *words, "--output", "json").out)
        for _ in range(2)
    )
    assert (again["session_id"], again["deduplicated"]) == (first["session_id"], True)
    ref = machine.context().ref(first["session"])
    record = json.loads(Path(ref.file("record.json")).read_text())
    assert record["settings"] == {
        "agent": "scripted", "model": "claude-sonnet-4-6", "max_turns": 9, "max_budget_usd": 2.5,
        "task_budget_tokens": 70000, "ttl_seconds": 600, "one_shot": False, "permission_mode": "acceptEdits",
        "allowed_tools": ["Read", "Grep"], "denied_tools": ["Bash", "Write"], "plugins": ["p", "q"],
        "environment": {"A": "hive://secret/planted"}, "credentials": {"anthropic_key": "hive://secret/planted"},
    }  # fmt: skip
    assert record["idempotent_key"] == "once" and record["prompt"] == "[think 60]"
    found = json.loads(machine.lisa("ai", "session", "get", "--id", first["session_id"]).out)["session"]
    names = ("model", "max_turns", "max_budget_usd", "task_budget_tokens", "ttl_seconds", "one_shot", "plugins")
    assert {name: found[name] for name in names} == {name: record["settings"][name] for name in names}
    once = machine.lisa("ai", "start-session", "--definition", "a", "--one-shot", "--prompt", "[say two]")
    SessionHarness(machine, json.loads(once.out)["session"]).wait_until_ended()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--max-turns 0", 4),
        ("--max-turns=0", 4),
        ("--max-turns x", 1),
        ("--max-budget-usd -1", 4),
        ("--ttl-seconds 0", 4),
        ("--task-budget-tokens 0", 4),
        ("--allowed-tools Bash(", 4),
        ("--permission-mode default", 1),
        ("--env X", 1),
        ("--credential X", 1),
        ("--data [1]", 1),
        ("--data {", 1),
        ("--env A=hive://secret/none", 1),
        ("--anthropic-key hive://secret/none", 1),
        ("--definition absent", 1),
        ("--unknown 1", 1),
    ],
)
def test_bad_input_starts_nothing(machine: LisaHost, words: str, code: int) -> None:
    folder = machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text("agent: scripted\nprompt: hello\n")
    refused = machine.lisa("ai", "start-session", "--definition", "a", *words.split())
    assert (refused.code, refused.out) == (code, "") and refused.err.startswith("Error: "), refused
    assert ("\nSuggestion: " in refused.err) == (code == 4)
    assert not Path(machine.context().project().folder, "sessions").exists()
