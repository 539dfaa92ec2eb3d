"""Worktrees at the end of their sessions: removed only if nothing can be lost."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from lisa_py.contract.records import SessionMeta
from lisa_py.core.lifecycle import worktree, worktree_end
from lisa_py.core.lifecycle.worktree_end import EndedWorktree
from lisa_py.core.lifecycle.worktree_request import WorktreeRequest
from tests.fleet import Fleet
from tests.lisa_host import LisaHost
from tests.repository import Repository


class Stage:
    """A repository with the worktree of a session."""

    def __init__(self, machine: LisaHost) -> None:
        self.main = Repository(machine).create()
        self.main.write(".git/info/exclude", "ignored/\n")

    def make(self, root: Path | None = None) -> Repository:
        root = root or self.main.folder
        ctx = self.main.machine.context()
        planned = worktree.plan_worktree(ctx, str(root), "lisa-x", WorktreeRequest())
        worktree.create_worktree(ctx, planned)
        self.meta = SessionMeta(session="lisa-x", worktree=planned.worktree)
        return self.main.at(planned.worktree.path)

    def end(self, policy: str = "remove") -> EndedWorktree:
        ended = worktree_end.end_worktree(self.main.machine.context(), self.meta, policy)
        assert ended is not None
        assert ended.removed is not Path(ended.path).exists()
        assert ended.removed is not bool(ended.reason)
        return ended

    def stays(self, reason: str, policy: str = "remove") -> EndedWorktree:
        ended = self.end(policy)
        assert (ended.removed, ended.reason) == (False, reason)
        assert "lisa/lisa-x" in self.main.branches()
        return ended


@pytest.fixture
def stage(machine: LisaHost) -> Stage:
    return Stage(machine)


def test_unused_worktree_is_removed_with_its_branch(stage: Stage) -> None:
    made = stage.make()
    made.write("ignored/build", "x")
    ended = stage.end()
    assert (ended.removed, ended.branch_removed) == (True, True)
    assert stage.main.branches() == ["main"]
    assert not made.folder.parent.exists()


@pytest.mark.parametrize(("name", "text"), [("new.txt", "x"), ("a.txt", "changed")])
def test_uncommitted_files_keep_the_worktree(stage: Stage, name: str, text: str) -> None:
    made = stage.make()
    made.write(name, text)
    ended = stage.stays("1 file is not committed")
    assert ended.command == f"git -C '{stage.main.folder}/.git' worktree remove --force '{made.folder}'"
    assert (made.folder / name).read_text() == text
    assert stage.end("discard").branch_removed


def test_own_commits_keep_the_worktree_until_merged(stage: Stage) -> None:
    made = stage.make()
    made.commit("work", b_txt="two\n")
    stage.stays("commits are neither in main nor pushed")
    stage.main.git("merge", "-q", "lisa/lisa-x")
    assert stage.end().branch_removed


def test_pushed_commits_keep_only_the_branch(stage: Stage) -> None:
    bare = stage.main.machine.folder / "origin.git"
    stage.main.git("clone", "-q", "--bare", ".", str(bare))
    stage.main.git("remote", "add", "origin", str(bare))
    made = stage.make()
    tip = made.commit("work", b_txt="two\n")
    stage.stays("commits are neither in main nor pushed")
    made.git("push", "-q", "origin", "HEAD")
    assert stage.end().branch_removed is False
    assert stage.main.git("rev-parse", "lisa/lisa-x") == tip


def test_a_commit_without_a_branch_is_never_lost(stage: Stage) -> None:
    made = stage.make()
    made.git("checkout", "-q", "--detach")
    tip = made.commit("loose", b_txt="two\n")
    stage.stays("commits are neither in main nor pushed")
    ended = stage.stays("its commits are on no branch", "discard")
    assert ended.command is not None
    made.git(*shlex.split(str(ended.command))[1:])
    made.write("c.txt", "given up")
    assert stage.end("discard").removed
    assert stage.main.git("rev-parse", "lisa/lisa-x-kept") == tip


def test_commits_of_another_branch_keep_the_worktree(stage: Stage) -> None:
    made = stage.make()
    made.git("checkout", "-q", "-b", "other")
    made.commit("work", b_txt="two\n")
    stage.stays("commits are neither in main nor pushed")
    ended = stage.end("discard")
    assert (ended.removed, ended.branch_removed, stage.main.branches()) == (True, True, ["main", "other"])


def test_discard_removes_files_but_no_commit(stage: Stage) -> None:
    made = stage.make()
    tip = made.commit("work", b_txt="two\n")
    made.write("b.txt", "changed")
    ended = stage.end("discard")
    assert (ended.removed, ended.branch_removed) == (True, False)
    assert stage.main.git("rev-parse", "lisa/lisa-x") == tip


def test_conflict_keeps_the_worktree(stage: Stage) -> None:
    made = stage.make()
    made.commit("ours", a_txt="ours\n")
    stage.main.commit("theirs", a_txt="theirs\n")
    with pytest.raises(AssertionError):
        made.git("merge", "main")
    stage.stays("a git operation has not ended (MERGE_HEAD)")


def test_stopped_rebase_keeps_the_worktree(stage: Stage) -> None:
    made = stage.make()
    made.commit("ours", a_txt="ours\n")
    stage.main.commit("theirs", a_txt="theirs\n")
    with pytest.raises(AssertionError):
        made.git("rebase", "main")
    made.git("reset", "-q", "--hard")
    stage.stays("a git operation has not ended (rebase-merge)")


@pytest.mark.parametrize("policy", ["remove", "discard"])
def test_locked_worktree_is_always_kept(stage: Stage, policy: str) -> None:
    made = stage.make()
    stage.main.git("worktree", "lock", str(made.folder))
    ended = stage.stays("it is locked", policy)
    stage.main.git(*shlex.split(str(ended.command))[1:])
    assert stage.end(policy).removed


@pytest.mark.parametrize("policy", ["remove", "discard"])
def test_process_in_the_worktree_keeps_it(stage: Stage, policy: str) -> None:
    made = stage.make()
    with subprocess.Popen(["sleep", "600"], cwd=made.folder, env=stage.main.machine.env) as process:
        stage.stays(f"process {process.pid} (sleep) works in it", policy)
        process.kill()
    assert stage.end(policy).removed


def test_a_bare_repository(stage: Stage) -> None:
    bare = stage.main.machine.folder / "bare.git"
    stage.main.git("clone", "-q", "--bare", ".", str(bare))
    made = stage.make(bare)
    made.commit("work", b_txt="two\n")
    assert stage.end().reason == "commits are neither in main nor pushed"
    stage.main.at(bare).git("update-ref", "refs/heads/main", "lisa/lisa-x")
    assert stage.end().branch_removed


def test_submodule_commits_keep_the_worktree(stage: Stage) -> None:
    other = stage.main.at(stage.main.machine.folder / "other").create(s_txt="sub\n")
    stage.main.git("submodule", "--quiet", "add", str(other.folder), "lib/sub")
    stage.main.commit("submodule")
    made = stage.make()
    sub = made.at(made.folder / "lib" / "sub")
    sub.write("s.txt", "changed\n")
    stage.stays("1 file is not committed")
    sub.commit("deep")
    made.commit("deep")
    stage.main.git("merge", "-q", "lisa/lisa-x")
    stage.stays("a submodule has commits that are not pushed")
    stage.stays("a submodule has commits that are not pushed", "discard")
    sub.git("push", "-q", "origin", "HEAD:refs/heads/deep")
    assert stage.end().branch_removed


def test_empty_submodules_do_not_keep_the_worktree(stage: Stage) -> None:
    other = stage.main.at(stage.main.machine.folder / "other").create(s_txt="sub\n")
    stage.main.git("submodule", "--quiet", "add", str(other.folder), "lib/sub")
    stage.main.commit("submodule")
    other.folder.rename(stage.main.machine.folder / "moved")
    made = stage.make()
    assert not list((made.folder / "lib" / "sub").iterdir())
    kept = stage.stays("it is to be kept", "keep")
    assert "worktree remove --force" in str(kept.command)
    assert stage.end().branch_removed


def test_ignored_nested_repository_keeps_the_worktree(stage: Stage) -> None:
    made = stage.make()
    made.write("ignored/x", "x")
    made.at(made.folder / "ignored" / "deep").create()
    stage.stays("it has a repository in an ignored folder (ignored/deep)")


def test_discard_keeps_commits_of_a_nested_repository(stage: Stage) -> None:
    made = stage.make()
    made.at(made.folder / "clone").create()
    stage.stays("it has a repository in an untracked folder (clone)", "discard")


def test_replaced_folder_is_kept(stage: Stage) -> None:
    made = stage.make()
    (made.folder / ".git").unlink()
    made.create()
    stage.stays(f"it is no worktree of {stage.main.folder}/.git any more")


def test_kill_removes_the_worktree_or_reports_why_not(stage: Stage, fleet: Fleet) -> None:
    machine = stage.main.machine
    words = ("session", "spawn", "--session", "lisa-x", "--worktree", "--command")
    assert machine.lisa(*words, "exec sleep 600").code == 0
    path = f"{machine.project}.lisa/lisa-x"
    Path(path, "new").touch()
    killed = machine.lisa("session", "kill", "--session", "lisa-x", "--json")
    removal = f"git -C '{machine.project}/.git' worktree remove --force '{path}'"
    assert killed.json["worktrees"] == [
        {
            "path": path,
            "branch": "lisa/lisa-x",
            "removed": False,
            "branchRemoved": False,
            "reason": "1 file is not committed",
            "command": removal,
        }
    ]
    assert killed.err == f"kill: worktree {path} stays: 1 file is not committed; {removal}\n"
    stage.main.git(*shlex.split(removal)[1:])
    stage.main.git("branch", "-q", "-d", "lisa/lisa-x")
    assert machine.lisa(*words, "exec sleep 600").code == 0
    killed = machine.lisa("session", "kill-all", "--json")
    assert (killed.json["worktrees"][0]["removed"], stage.main.branches()) == (True, ["main"])


def test_kill_keeps_or_discards_the_worktree_on_request(stage: Stage) -> None:
    machine = stage.main.machine
    kill = ("session", "kill", "--session", "lisa-x", "--json")
    spawn = ("session", "spawn", "--session", "lisa-x", "--worktree", "--command", "exec sleep 600")
    assert machine.lisa(*kill, "--keep-worktree", "--discard-worktree").json["errorCode"] == "worktree_conflict"
    path = Path(machine.lisa(*spawn, "--json").json["folder"])
    assert machine.lisa(*kill, "--keep-worktree").json["worktrees"][0]["reason"] == "it is to be kept"
    assert machine.lisa(*spawn, "--json").json["errorCode"] == "worktree_exists"
    again = machine.lisa(*spawn, "--worktree-name", "n", "--json").json
    Path(again["folder"], "new").touch()
    assert machine.lisa(*kill, "--discard-worktree").json["worktrees"][0]["removed"]
    assert path.exists()
