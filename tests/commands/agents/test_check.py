"""agents check."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def test_reports_errors_and_warnings(machine: LisaHost) -> None:
    folder = machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text("prompt: p\nanthropic_secret: hive://secret/none\ncolour: red\n")
    (folder / "b.yaml").write_text("ai_agent: {a: {prompt: q}}\n")
    good = machine.lisa("agents", "check", "--json")
    assert good.code == 0 and good.json["ok"] is True and good.json["count"] == 2
    messages = [each["message"] for each in good.json["warnings"]]
    assert messages[0] == "unknown field: colour" and "hive://secret/none" in messages[1]
    assert messages[2:] == ["another definition of this name precedes it"]
    (folder / "c.yaml").write_text("prompt: p\nmax_turns: 0\n")
    bad = machine.lisa("agents", "check", "--file", ".lisa/agents/c.yaml", "--json")
    assert bad.code == 1 and bad.json["errors"][0]["code"] == "invalid_max_turns"
    assert machine.lisa("agents", "check").out.endswith("2 definitions, 1 files with errors\n")
