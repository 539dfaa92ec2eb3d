"""session diff: all changes in the worktree of a session."""

from __future__ import annotations

import subprocess

from tests.fleet import Fleet
from tests.lisa_host import LisaHost
from tests.worktree_stage import WorktreeStage


def test_commits_changes_and_new_files_count(machine: LisaHost) -> None:
    stage = WorktreeStage(machine)
    first = stage.main.git("rev-parse", "HEAD")
    stage.tree.commit("work", b_txt="1\n2\n")
    stage.main.commit("later", c_txt="of main\n")
    stage.tree.write("a.txt", "changed\n")
    stage.tree.write("new ü.txt", "new\n")
    (stage.tree.folder / "data.bin").write_bytes(b"\0\xff" * 9)
    stage.main.write(".git/info/exclude", "ignored\n")
    stage.tree.write("ignored", "x")
    before = stage.tree.git("status", "--porcelain")
    index = stage.tree.git("rev-parse", "--path-format=absolute", "--git-path", "index")
    with open(index, "rb") as file:
        content = file.read()
    answer = stage.lisa("diff", "--json").json
    assert answer["files"] == [
        {"path": "a.txt", "added": 1, "removed": 1},
        {"path": "b.txt", "added": 2, "removed": 0},
        {"path": "data.bin"},
        {"path": "new ü.txt", "added": 1, "removed": 0},
    ]
    assert (answer["base"], answer["mergeBase"], answer["commits"]) == ("main", first, 1)
    assert (answer["changed"], answer["added"], answer["removed"], "patch" in answer) == (4, 4, 1, False)
    with open(index, "rb") as file:
        assert file.read() == content
    assert stage.tree.git("status", "--porcelain") == before
    shown = stage.lisa("diff")
    assert shown.out.splitlines()[0] == "+1 -1\ta.txt"
    assert shown.out.splitlines()[-1] == "4 files, +4 -1, 1 commit ahead of main"
    patch = stage.lisa("diff", "--patch").out
    subprocess.run(
        ["git", "apply", "--check", "-"], input=_drop_binary(patch), cwd=stage.main.folder, text=True, check=True
    )
    assert "+changed" in patch
    assert "files," not in patch
    assert not list((machine.folder / "tmp").glob("lisa-diff-*"))


def test_nothing_is_written_in_the_repository(machine: LisaHost) -> None:
    stage = WorktreeStage(machine)
    stage.tree.write("a.txt", "changed\n")
    stage.tree.write("new", "new\n")
    before = stage.main.git("count-objects", "-v")
    assert stage.lisa("diff", "--json").json["changed"] == 2
    assert stage.main.git("count-objects", "-v") == before


def test_nested_repository_without_commit_is_skipped(machine: LisaHost) -> None:
    stage = WorktreeStage(machine)
    stage.tree.write("new", "new\n")
    stage.tree.at(stage.tree.write("nested/x", "x").parent).git("init", "-q")
    answer = stage.lisa("diff", "--json").json
    assert [each["path"] for each in answer["files"]] == ["new"]
    assert answer["warnings"] == ["error: 'nested/' does not have a commit checked out"]


def test_a_kept_worktree_is_compared_until_another_has_it(machine: LisaHost) -> None:
    stage = WorktreeStage(machine)
    stage.tree.write("new", "new\n")
    archive = stage.lisa("kill", "--json").json["archive"]
    assert stage.lisa("diff", "--json").json["changed"] == 1
    assert machine.lisa("session", "diff", "--session", archive, "--json").json["changed"] == 1
    stage.main.git("worktree", "remove", "--force", str(stage.tree.folder))
    assert stage.lisa("diff", "--json").json["errorCode"] == "no_worktree"
    stage.main.git("branch", "-D", "lisa/lisa-x")
    spawn = ("session", "spawn", "--session", "lisa-y", "--worktree", "--worktree-name", "lisa-x", "--command", "true")
    assert machine.lisa(*spawn).code == 0
    other = machine.lisa("session", "diff", "--session", archive, "--json").json
    assert (other["errorCode"], "lisa-y now" in other["error"]) == ("no_worktree", True)


def _drop_binary(patch: str) -> str:
    parts = ("\n" + patch).split("\ndiff --git ")
    return "".join(f"diff --git {part}\n" for part in parts[1:] if "Binary files" not in part)


def test_a_session_without_worktree_is_refused(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    assert machine.lisa("session", "diff", "--session", "lisa-x", "--json").json["errorCode"] == "no_worktree"
    assert machine.lisa("session", "diff", "--session", "lisa-y", "--json").json["errorCode"] == "session_not_found"
