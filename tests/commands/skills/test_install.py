"""skills install."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.lisa_host import PROGRAM, CallResult, LisaHost
from tests.skill_tree import make_skill_tree, replace_in_file

PATH = ("skills", "install")


def install(machine: LisaHost, *words: str) -> CallResult:
    return machine.lisa(*PATH, *words, "--json")


def leftovers(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if entry.name.startswith(".lisa-skill")]


def test_installs_the_bundled_skill_offline(machine: LisaHost) -> None:
    (machine.home / ".claude").mkdir()
    answer = install(machine)
    there = machine.home / ".claude" / "skills" / "lisa"
    assert answer.code == 0 and answer.json["destination"] == str(there)
    names = {str(path.relative_to(there)) for path in there.rglob("*") if path.is_file()}
    assert {"SKILL.md", "data/commands.md", "data/recipes.md", "data/runtime.md"} == names
    assert (answer.json["files"], answer.json["directories"], answer.json["symlinks"]) == (4, 1, 0)
    assert machine.lisa("skills", "doctor", "--json").json["targets"][1]["status"] != "missing"


def test_installs_for_every_present_agent(machine: LisaHost) -> None:
    assert install(machine).json["errorCode"] == "skills_destination_resolve_failed"
    (machine.home / ".claude").mkdir()
    (machine.home / ".codex").mkdir()
    done = install(machine).json["installs"]
    assert [Path(one["destination"]).parts[-3] for one in done] == [".codex", ".claude"]


def test_project_and_path_are_destinations(machine: LisaHost) -> None:
    assert install(machine, "--to", "project").json["errorCode"] == "skills_destination_resolve_failed"
    assert install(machine, "--to", "project", "--project-path", "p").code == 0
    assert (machine.project / "p" / "skills" / "lisa" / "SKILL.md").exists()
    assert install(machine, "--path", "elsewhere", "--to", "nobody").code == 0
    assert (machine.project / "elsewhere" / "SKILL.md").exists()
    assert install(machine, "--to", "nobody").json["errorCode"] == "skills_destination_resolve_failed"


def test_given_tree_is_the_source(machine: LisaHost) -> None:
    tree = machine.folder / "tree"
    replace_in_file(make_skill_tree(tree) / "SKILL.md", "version: ", "version: 9.")
    assert install(machine, "--path", "there", "--repo-root", str(tree)).code == 0
    assert "version: 9." in (machine.project / "there" / "SKILL.md").read_text()
    assert install(machine, "--path", "there", "--repo-root", "/nowhere").json["errorCode"] == "skills_install_failed"


def test_a_folder_that_is_not_a_skill_is_not_replaced(machine: LisaHost) -> None:
    """B3: the folder had files of a user."""
    mine = machine.project / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    assert install(machine, "--path", "mine").json["errorCode"] == "skills_destination_not_a_skill"
    assert (mine / "thesis.txt").read_text() == "years of work" and not leftovers(machine.project)
    (mine / "SKILL.md").write_text("---\nname: other\nversion: 1\n---\n")
    assert install(machine, "--path", "mine").code == 1
    assert install(machine, "--path", "mine", "--force").code == 0
    assert not (mine / "thesis.txt").exists() and not leftovers(machine.project)


@pytest.mark.parametrize("place", ["/", "home", "agent home", "current folder", "above", "a checkout"])
def test_some_folders_are_never_replaced(machine: LisaHost, place: str) -> None:
    """B3, also with --force."""
    (machine.home / ".claude").mkdir()
    (machine.project / "repo" / ".git").mkdir(parents=True)
    paths = {
        "/": "/",
        "home": str(machine.home),
        "agent home": str(machine.home / ".claude"),
        "current folder": ".",
        "above": str(machine.folder),
        "a checkout": "repo",
    }
    assert install(machine, "--path", paths[place], "--force").json["errorCode"] == "skills_destination_refused"
    assert machine.project.exists() and (machine.home / ".claude").exists()


def test_replaces_a_symlink_but_keeps_its_target(machine: LisaHost) -> None:
    """B4."""
    checkout = make_skill_tree(machine.folder / "tree")
    (machine.home / ".claude" / "skills").mkdir(parents=True)
    link = machine.home / ".claude" / "skills" / "lisa"
    link.symlink_to(checkout)
    assert install(machine).code == 0
    assert not link.is_symlink() and (link / "SKILL.md").exists() and (checkout / "SKILL.md").exists()


def test_link_to_the_source_is_unchanged(machine: LisaHost) -> None:
    checkout = make_skill_tree(machine.folder / "tree")
    (machine.project / "link").symlink_to(checkout)
    answer = install(machine, "--path", "link", "--repo-root", str(machine.folder / "tree"))
    assert answer.json["noop"] is True and (machine.project / "link").is_symlink()
    assert (checkout / "SKILL.md").exists()


def test_interrupted_copy_is_repaired_by_the_next(machine: LisaHost) -> None:
    there = machine.project / "there"
    assert install(machine, "--path", "there").code == 0
    (machine.project / ".lisa-skill-stage-there-0001").mkdir()
    os.rename(there, machine.project / ".lisa-skill-backup-there-17")  # killed between its two renames
    assert install(machine, "--path", "there").code == 0
    assert (there / "SKILL.md").exists() and not leftovers(machine.project)


def test_full_disk_is_reported_and_keeps_the_old_skill(machine: LisaHost) -> None:
    there = machine.project / "there"
    assert install(machine, "--path", "there").code == 0
    (there / "SKILL.md").write_text((there / "SKILL.md").read_text() + "\nmine\n")
    ended = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *PROGRAM, *PATH, "--path", "there", "--json"],
        env=machine.env, cwd=machine.project, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert (ended.returncode, json.loads(ended.stdout)["errorCode"]) == (1, "skills_install_failed")
    assert (there / "SKILL.md").read_text().endswith("\nmine\n") and not leftovers(machine.project)


def test_concurrent_installs_leave_one_complete_skill(machine: LisaHost) -> None:
    started = [machine.start(*PATH, "--path", "there", "--json") for _ in range(6)]
    assert [process.wait(60) for process in started] == [0] * 6
    for process in started:
        process.communicate()
    assert len(list((machine.project / "there").rglob("*.md"))) == 4 and not leftovers(machine.project)


def test_text_names_the_destination(machine: LisaHost) -> None:
    answer = machine.lisa(*PATH, "--path", "there")
    assert answer.out.endswith(f" -> {machine.project / 'there'} (4 files)\n")
