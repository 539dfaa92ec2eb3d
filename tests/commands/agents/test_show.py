"""agents show."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def test_shows_settings_without_secrets(machine: LisaHost) -> None:
    folder = machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text(
        "prompt: the prompt\nmodel: opus\nanthropic_secret: sk-literal-key\nenvironment: {A: secret://k, B: plain-x}\n"
        "max_turns: 5\nallowed_tools: [Read]\ncolour: red\n"
    )
    answer = machine.lisa("agents", "show", "a", "--json")
    assert answer.json["settings"] == {
        "model": "opus",
        "max_turns": 5,
        "allowed_tools": ["Read"],
        "credentials": {"anthropic_key": "[REDACTED_SECRET]"},
        "environment": {"A": "secret://k", "B": "[REDACTED_SECRET]"},
    }
    assert answer.json["unknown"] == {"colour": "red"} and answer.json["prompt"] == "the prompt"
    shown = machine.lisa("agents", "show", "--name", "a").out
    assert "sk-literal-key" not in shown + answer.out and shown.endswith("\n\nthe prompt\n")
    assert 'allowed_tools: ["Read"]\n' in shown and "warning: unknown field: colour\n" in shown
    assert machine.lisa("agents", "show", "b", "--json").json["errorCode"] == "definition_not_found"
