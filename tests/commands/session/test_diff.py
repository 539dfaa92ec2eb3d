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


def _drop_binary(patch: str) -> str:
    parts = ("\n" + patch).split("\ndiff --git ")
    return "".join(f"diff --git {part}\n" for part in parts[1:] if "Binary files" not in part)


def test_a_session_without_worktree_is_refused(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    assert machine.lisa("session", "diff", "--session", "lisa-x", "--json").json["errorCode"] == "no_worktree"
    assert machine.lisa("session", "diff", "--session", "lisa-y", "--json").json["errorCode"] == "session_not_found"
