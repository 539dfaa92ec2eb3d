"""Definitions are found by name: of the project, of the user, of an agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.definitions import library
from lisa_py.core.definitions.records import Definition
from tests.lisa_host import LisaHost


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def find(machine: LisaHost, name: str) -> Definition:
    ctx = machine.context()
    return library.find(ctx, ctx.project(), name)


def test_the_project_precedes_the_user_and_records_agents(machine: LisaHost) -> None:
    own, user = machine.project / ".lisa" / "agents", Path(machine.env["LISA_STATE_DIR"]) / "agents"
    claude = machine.project / ".claude" / "agents"
    write(user / "a.yaml", "prompt: of user")
    assert (find(machine, "a").own.prompt, find(machine, "a").scope) == ("of user", "user")
    write(own / "a.yml", "prompt: of project")
    write(own / "team" / "more.yaml", "ai_agent: {b: {prompt: b}, c/d: {prompt: d}}")
    write(claude / "a.md", "---\nname: a\n---\nbody")
    write(own / ".hidden.yaml", "prompt: [")
    assert (find(machine, "a").own.prompt, find(machine, "a").scope) == ("of project", "project")
    assert find(machine, "hive://ai_agent/c/d").own.prompt == "d"
    write(own / "a.yaml", "prompt: [")
    write(own / "z.yaml", "max_turns: 0")
    with pytest.raises(LisaError) as refused:
        find(machine, "z")
    assert refused.value.code == "invalid_max_turns"
    with pytest.raises(LisaError) as refused:
        find(machine, "nope")
    assert refused.value.code == "definition_not_found" and "2 files cannot be read" in refused.value.message


def test_includes_are_read_once_and_stay_inside(machine: LisaHost) -> None:
    own = machine.project / ".lisa" / "agents"
    write(own / "index.yaml", "version: 3\ninclude:\n- hives/x.yaml\n- ./hives/x.yaml\n")
    write(own / "hives" / "x.yaml", "hives: {ai_agent: {x: {data: {prompt: p}}}}\ninclude: ../index.yaml")
    ctx = machine.context()
    found = library.load_library(ctx, ctx.project())
    assert [each.name for each in found.definitions] == ["x"] and not found.broken
    write(machine.project / "outside.yaml", "prompt: p")
    for path in ("../../outside.yaml", "/etc/hostname", "missing.yaml", '"a\\0b"', "[]", "{a: 1}"):
        write(own / "index.yaml", f"include: [{path}]\n")
        checked = library.check_file(str(own / "index.yaml"))
        assert [(each.code, each.line) for each in checked.broken] == [("invalid_definition", 1)], path


AGENT = """\
---
name: reviewer
description: Use this agent when: code is finished. It "reviews"
tools: Read, Grep, Bash(git log:*), Bash(git *)
disallowedTools: Write
model: sonnet
color: red
permissionMode: plan
hooks: x
---

You review code.

--- not a header
"""


def test_reads_a_subagent_of_claude(machine: LisaHost) -> None:
    folder = Path(machine.env["HOME"]) / ".claude" / "agents"
    write(folder / "reviewer.md", AGENT)
    write(folder / "plain.md", "---\ntools:\n- Read\nmodel: inherit\n---\nBe short.\n")
    write(folder / "README.md", "no header")
    found = find(machine, "reviewer")
    assert (found.kind, found.scope) == ("claude", "user")
    assert found.own.description == 'Use this agent when: code is finished. It "reviews"'
    assert found.settings == SessionSettings(
        agent="claude",
        model="sonnet",
        allowed_tools=("Read", "Grep", "Bash(git log:*)"),
        denied_tools=("Write",),
        permission_mode="plan",
        system_prompt="You review code.\n\n--- not a header",
    )
    assert found.warnings == ("unknown field: hooks", "tool pattern without effect: Bash(git *)")
    assert find(machine, "plain").settings == SessionSettings(
        agent="claude", allowed_tools=("Read",), system_prompt="Be short."
    )
    with pytest.raises(LisaError):
        find(machine, "README")


def test_unreadable_files_are_named(machine: LisaHost) -> None:
    own = machine.project / ".lisa" / "agents"
    write(own / "ok.yaml", "\ufeffprompt: p")
    (own / "latin.yaml").write_bytes("prompt: p\nname: caf\xe9\n".encode("latin-1"))
    (own / "folder.yaml").mkdir()
    (own / "gone.yaml").symlink_to("nowhere")
    ctx = machine.context()
    found = library.load_library(ctx, ctx.project())
    assert [each.name for each in found.definitions] == ["ok"]
    assert [(Path(each.file).name, each.line, each.column) for each in found.broken] == [
        ("folder.yaml", 0, 0),
        ("gone.yaml", 0, 0),
        ("latin.yaml", 2, 10),
    ]
