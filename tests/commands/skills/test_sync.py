"""skills sync."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lisa_host import CallResult, LisaHost
from tests.skill_tree import make_skill_tree, replace_in_file

PATH = ("skills", "sync")


@pytest.fixture
def edited(machine: LisaHost) -> Path:
    """A skill that a user has changed."""
    folder = make_skill_tree(machine.folder / "edited")
    replace_in_file(folder / "SKILL.md", "## Always", "## Always and ever")
    return folder


def sync(machine: LisaHost, *words: str) -> CallResult:
    return machine.lisa(*PATH, *words, "--repo-root", "tree", "--json")


def test_edited_skill_is_copied_to_the_tree(machine: LisaHost, edited: Path) -> None:
    answer = sync(machine, "--from", "path", "--path", str(edited), "--deep")
    target = machine.project / "tree" / "skills" / "lisa"
    assert (answer.code, answer.json["destination"], answer.json["files"]) == (0, str(target), 4)
    assert "Always and ever" in (target / "SKILL.md").read_text()
    assert answer.json["drifted"] is True and len(answer.json["contentHash"]) == 16
    assert sync(machine, "--from", "path", "--path", str(edited), "--deep").json["drifted"] is False


def test_copy_of_an_agent_is_found_by_agent_name(machine: LisaHost, edited: Path) -> None:
    for name in ("codex", "claude"):
        target = machine.home / f".{name}" / "skills" / "lisa"
        target.parent.mkdir(parents=True)
        edited.rename(target) if edited.exists() else target.mkdir()
    assert sync(machine).json["source"].endswith("/.codex/skills/lisa")
    assert sync(machine, "--from", "CLAUDE").json["errorCode"] == "skills_sync_failed"
    assert sync(machine, "--from", "nobody").json["errorCode"] == "skills_source_resolve_failed"
    assert sync(machine, "--from", "path").json["errorCode"] == "skills_source_resolve_failed"


def test_a_symlinked_source_is_copied_and_not_emptied(machine: LisaHost, edited: Path) -> None:
    """B4."""
    link = machine.project / "link"
    link.symlink_to(edited)
    assert sync(machine, "--from", "path", "--path", "link").json["files"] == 4
    assert (machine.project / "tree" / "skills" / "lisa" / "SKILL.md").exists()


@pytest.mark.parametrize("content", ["nothing", "no front matter", "another skill", "a file"])
def test_refuses_a_source_that_is_not_a_skill(machine: LisaHost, edited: Path, content: str) -> None:
    """B4: an empty source left an empty skill."""
    assert sync(machine, "--from", "path", "--path", str(edited)).code == 0
    source = machine.project / "source"
    source.mkdir() if content != "a file" else source.write_text("")
    texts = {"no front matter": "version: 1\n", "another skill": "---\nname: x\nversion: 1\n---\n"}
    if content in texts:
        (source / "SKILL.md").write_text(texts[content])
    assert sync(machine, "--from", "path", "--path", "source").json["errorCode"] == "skills_sync_failed"
    assert (machine.project / "tree" / "skills" / "lisa" / "SKILL.md").exists()


def test_overlapping_folders_are_refused(machine: LisaHost, edited: Path) -> None:
    """B5, both ways."""
    answer = machine.lisa(*PATH, "--from", "path", "--path", str(edited), "--repo-root", str(edited), "--json")
    assert answer.json["errorCode"] == "skills_sync_failed" and len(answer.out) < 500
    inside = edited.parent / "lisa" / "data" / "inner"
    inside.mkdir()
    (inside / "SKILL.md").write_text((edited / "SKILL.md").read_text())
    root = str(edited.parent.parent)
    answer = machine.lisa(*PATH, "--from", "path", "--path", str(inside), "--repo-root", root, "--json")
    assert answer.json["errorCode"] == "skills_sync_failed"
    assert (edited / "SKILL.md").exists() and (inside / "SKILL.md").exists()


def test_keeps_a_foreign_destination(machine: LisaHost, edited: Path) -> None:
    """B3."""
    target = machine.project / "tree" / "skills" / "lisa"
    target.mkdir(parents=True)
    (target / "notes.txt").write_text("mine")
    words = ("--from", "path", "--path", str(edited))
    assert sync(machine, *words).json["errorCode"] == "skills_destination_not_a_skill"
    assert (target / "notes.txt").exists()
    assert sync(machine, *words, "--force").code == 0


def test_the_tree_itself_as_source_changes_nothing(machine: LisaHost, edited: Path) -> None:
    assert sync(machine, "--from", "path", "--path", str(edited)).code == 0
    target = machine.project / "tree" / "skills" / "lisa"
    assert sync(machine, "--from", "path", "--path", str(target)).json["noop"] is True
    assert (target / "SKILL.md").exists()


def test_text_names_copied_files(machine: LisaHost, edited: Path) -> None:
    answer = machine.lisa(*PATH, "--from", "path", "--path", str(edited), "--repo-root", "tree")
    assert answer.out == f"skills sync ok: {edited} -> {machine.project}/tree/skills/lisa (4 files)\n"
