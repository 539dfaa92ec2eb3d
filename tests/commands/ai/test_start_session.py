"""ai start-session: the flags and the answer of the client."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lisa_host import LisaHost


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
