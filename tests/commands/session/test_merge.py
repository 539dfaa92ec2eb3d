"""session merge: the commits of a worktree are merged into a branch, or nothing changes."""

from __future__ import annotations

import subprocess

import pytest

from lisa_py.contract.commit_line import build_commit_line
from tests.lisa_host import LisaHost
from tests.worktree_stage import WorktreeStage


def test_merged_worktree_is_removed_with_its_branch(machine: LisaHost) -> None:
    stage = WorktreeStage(machine)
    stage.tree.commit("work", b_txt="two\n")
    stage.main.commit("later", c_txt="three\n")
    stage.main.write("untracked", "stays")
    answer = stage.lisa("merge", "--json").json
    assert (answer["branch"], answer["into"], answer["commits"]) == ("lisa/lisa-x", "main", 1)
    assert answer["commit"] == stage.main.git("rev-parse", "main")
    assert (stage.main.folder / "b.txt").read_text() == "two\n"
    assert stage.main.git("log", "-1", "--format=%s") == "Merge branch 'lisa/lisa-x'"
    assert (answer["worktree"]["removed"], stage.main.branches()) == (True, ["main"])
    assert stage.lisa("merge", "--json").json["errorCode"] == "no_worktree"
    assert stage.lisa("kill", "--json").json["worktrees"][0]["removed"]


def test_squash_makes_one_commit_and_keep_keeps(machine: LisaHost) -> None:
    stage = WorktreeStage(machine)
    stage.tree.commit("one", b_txt="1\n")
    stage.tree.commit("two", b_txt="2\n")
    assert stage.lisa("merge", "--squash", "--keep").out == "merged 2 commits of lisa/lisa-x into main\n"
    message = stage.main.git("log", "-1", "--format=%B")
    assert message == "Squash branch 'lisa/lisa-x'\n\n- one\n- two"
    assert stage.main.git("rev-list", "--count", "HEAD") == "2"
    assert (stage.tree.folder.exists(), stage.main.branches()) == (True, ["lisa/lisa-x", "main"])


def test_squashed_worktree_is_removed_with_its_branch(machine: LisaHost) -> None:
    stage = WorktreeStage(machine)
    stage.tree.commit("one", b_txt="1\n")
    assert stage.lisa("merge", "--squash", "--json").json["worktree"]["branchRemoved"]
    assert (stage.tree.folder.exists(), stage.main.branches()) == (False, ["main"])


def test_worktree_of_a_running_agent_is_kept(machine: LisaHost) -> None:
    stage = WorktreeStage(machine, "exec sleep 600")
    stage.tree.commit("one", b_txt="1\n")
    merged = stage.lisa("merge")
    assert "stays: its session still works in it (process " in merged.err
    assert f"lisa session kill --session 'lisa-x' --project-root '{machine.project}'" in merged.err
    assert "worktree remove" not in merged.err
    assert (stage.tree.folder.exists(), (stage.main.folder / "b.txt").exists()) == (True, True)


@pytest.mark.parametrize("squash", [(), ("--squash",)], ids=["merge", "squash"])
def test_a_conflict_changes_nothing(machine: LisaHost, squash: tuple[str, ...]) -> None:
    stage = WorktreeStage(machine)
    stage.tree.commit("ours", a_txt="ours\n")
    before = stage.main.commit("theirs", a_txt="theirs\n")
    answer = stage.lisa("merge", *squash, "--json").json
    assert (answer["errorCode"], answer["files"]) == ("merge_conflict", ["a.txt"])
    assert stage.main.git("rev-parse", "HEAD") == before
    assert stage.main.git("status", "--porcelain") == ""
    assert not (stage.main.folder / ".git" / "MERGE_HEAD").exists()
    assert stage.tree.folder.exists()


def test_a_dirty_target_or_worktree_is_refused(machine: LisaHost) -> None:
    stage = WorktreeStage(machine)
    stage.tree.commit("work", b_txt="two\n")
    stage.main.write("a.txt", "half\n")
    assert stage.lisa("merge", "--json").json["errorCode"] == "merge_target_dirty"
    stage.tree.write("new", "x")
    refused = stage.lisa("merge", "--json").json
    folder = str(stage.tree.folder)
    assert (refused["errorCode"], f"commit it first: {build_commit_line(folder)}" in refused["error"]) == (
        "worktree_dirty",
        True,
    )
    assert ((stage.main.folder / "a.txt").read_text(), stage.tree.folder.exists()) == ("half\n", True)
    assert stage.lisa("merge", "--into", "nope", "--json").code == 1
    stage.main.git("checkout", "-q", "a.txt")
    line = build_commit_line(folder).replace("TEXT", "rest")
    subprocess.run(["sh", "-c", line], check=True, capture_output=True, env=machine.env)
    assert stage.lisa("merge", "--json").json["commits"] == 2


def test_untracked_file_in_conflict_stops_the_merge(machine: LisaHost) -> None:
    stage = WorktreeStage(machine)
    stage.tree.commit("work", b_txt="two\n")
    stage.main.write("b.txt", "mine\n")
    assert stage.lisa("merge", "--json").json["errorCode"] == "git_failed"
    assert (stage.main.folder / "b.txt").read_text() == "mine\n"


def test_target_branch_need_not_be_checked_out(machine: LisaHost) -> None:
    stage = WorktreeStage(machine)
    stage.main.git("branch", "release")
    tip = stage.tree.commit("work", b_txt="two\n")
    assert stage.lisa("merge", "--into", "nope", "--json").json["errorCode"] == "invalid_into"
    answer = stage.lisa("merge", "--into", "release", "--json").json
    assert (answer["commit"], stage.main.git("rev-parse", "release")) == (tip, tip)
    assert len(stage.main.worktrees()) == 1
    assert not (stage.main.folder / "b.txt").exists()


def test_a_killed_session_is_merged_from_its_kept_worktree(machine: LisaHost) -> None:
    stage = WorktreeStage(machine)
    stage.tree.commit("work", b_txt="two\n")
    assert not stage.lisa("kill", "--json").json["worktrees"][0]["removed"]
    answer = stage.lisa("merge", "--json").json
    assert (answer["commits"], answer["worktree"]["removed"]) == (1, True)
    assert ((stage.main.folder / "b.txt").read_text(), stage.main.branches()) == ("two\n", ["main"])
