"""agents list."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def test_lists_definitions_and_broken_files(machine: LisaHost) -> None:
    assert machine.lisa("agents", "list").out == ("no definitions in .lisa/agents of the project or the home folder\n")
    folder = machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text("prompt: p\nmodel: opus\ndescription: first line\n")
    (folder / "b.yml").write_text("ai_agent: {a: {prompt: q}, c: {prompt: r}}\n")
    (folder / "x.yaml").write_text("prompt: [\n")
    shown = machine.lisa("agents", "list")
    assert shown.out == "a,project,first line\nc,project,\n" and "x.yaml:2:1: it is not YAML" in shown.err
    answer = machine.lisa("agents", "list", "--json").json
    assert [(each["name"], each.get("hidden")) for each in answer["definitions"]] == [
        ("a", None),
        ("a", True),
        ("c", None),
    ]
    assert answer["definitions"][0]["model"] == "opus" and answer["broken"][0]["line"] == 2
