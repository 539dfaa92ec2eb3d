"""start-session."""

from __future__ import annotations

import json
from pathlib import Path

from tests.lisa_host import LisaHost


def _define(machine: LisaHost, text: str = "agent: scripted\nprompt: hello\n") -> None:
    folder = machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text(text)


def test_starts_a_session_with_overrides(machine: LisaHost) -> None:
    _define(machine)
    (machine.project / "event.json").write_text('{"n": 5}')
    flags = ("--no-one-shot", "--max-turns", "7", "--allowed-tools", "", "--denied-tools", "Write, Edit")
    more = ("--env", "A=x=y", "--env", "B=", "--name", "Title", "--plugin", "p", "--max-budget-usd", "2.5")
    answer = machine.lisa("start-session", "a", "--data", "@event.json", *flags, *more, "--json").json
    assert answer["status"] == "starting" and answer["definition"] == "a"
    record = json.loads((Path(machine.context().ref(answer["session"]).folder) / "record.json").read_text())
    assert record["id"] == answer["sessionId"] and record["trigger_source"] == "cli" and "family" not in record
    settings = record["settings"]
    assert settings.pop("environment") == {"A": "[REDACTED_SECRET]", "B": ""}
    assert (settings["one_shot"], settings["max_turns"], settings["max_budget_usd"]) == (False, 7, 2.5)
    assert (settings["allowed_tools"], settings["denied_tools"]) == ([], ["Write", "Edit"])
    assert (settings["name"], settings["plugins"]) == ("Title", ["p"])
    assert record["prompt"].endswith("Event data:\n```yaml\nn: 5\n```")


def test_refuses_wrong_flags(machine: LisaHost) -> None:
    _define(machine)

    def code(*words: str, stdin: str = "") -> str:
        answer = machine.lisa("start-session", "--definition", "a", *words, "--json", stdin=stdin)
        assert answer.code == 1
        return str(answer.json["errorCode"])

    deep = "[" * 70 + "]" * 70
    for data in ("", "[1]", "{", "5", "@missing.json", f'{{"a": {deep}}}', '{"a": NaN}'):
        assert code("--data", data) == "invalid_data", data
    assert code("--data", "-", stdin="[]") == "invalid_data"
    assert code("--max-turns", "0") == "invalid_max_turns"
    assert code("--max-budget-usd", "0") == "invalid_max_budget_usd"
    assert code("--ttl-seconds", "-1") == "invalid_ttl_seconds"
    assert code("--permission-mode", "default") == "invalid_permission_mode"
    assert code("--allowed-tools", "Bash(rm)") == "invalid_tool_pattern"
    assert code("--env", "NOVALUE") == code("--env", "=x") == code("--env", "A-B=x") == "invalid_env"
    assert code("--credential", "x") == "invalid_credentials"
    assert code("--anthropic-key", "hive://secret/none") == "secret_not_found"
    assert code("--credential", "api_key=secret://none") == "secret_not_found"
    assert machine.lisa("session", "list", "--json").json["count"] == 0
