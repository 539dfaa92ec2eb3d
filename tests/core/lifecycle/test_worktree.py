"""Worktrees of sessions: plan, creation, and what a failure leaves."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import signal
import subprocess
from pathlib import Path

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.core.lifecycle import worktree
from lisa_py.core.lifecycle.worktree import WorktreePlan
from lisa_py.core.lifecycle.worktree_request import WorktreeRequest
from lisa_py.host import folder_copy
from lisa_py.store import session_records
from tests.fleet import Fleet
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.repository import Repository

SPAWN = ("spawn", "--session", "lisa-x", "--agent", "scripted", "--worktree")


@pytest.fixture
def repository(machine: LisaHost) -> Repository:
    return Repository(machine).create()


def plan(repository: Repository, root: Path | None = None, **fields: str) -> WorktreePlan:
    root = root or repository.folder
    return worktree.plan_worktree(repository.machine.context(), str(root), "lisa-x", WorktreeRequest(**fields))


def create(repository: Repository, root: Path | None = None, **fields: str) -> Path:
    planned = plan(repository, root, **fields)
    assert worktree.create_worktree(repository.machine.context(), planned) == ()
    return Path(planned.worktree.path)


def refuse(repository: Repository, root: Path | None = None, **fields: str) -> LisaError:
    """Return the refusal, which creates nothing."""
    with pytest.raises(LisaError) as refused:
        plan(repository, root, **fields)
    assert not repository.folder.with_name("proj.lisa").exists()
    return refused.value


def test_worktree_is_next_to_the_repository_at_head(repository: Repository) -> None:
    made = plan(repository)
    assert made.worktree.path == made.folder == f"{repository.folder}.lisa/lisa-x"
    assert (made.worktree.branch, made.worktree.base) == ("lisa/lisa-x", "refs/heads/main")
    assert not os.path.exists(made.folder)
    path = create(repository)
    assert repository.at(path).git("branch", "--show-current") == "lisa/lisa-x"
    assert (path / "a.txt").read_text() == "one\n"


def test_a_base_is_a_branch_or_a_commit(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("branch", "old")
    repository.commit("second", b_txt="two\n")
    assert plan(repository, base="old").worktree.base == "refs/heads/old"
    of_commit = plan(repository, base=first).worktree
    assert (of_commit.base, of_commit.base_commit) == ("", first)
    assert not (create(repository, name="n", base="old") / "b.txt").exists()
    assert repository.branches() == ["lisa/n", "main", "old"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"base": "nope"}, "invalid_base"),
        ({"base": "--help"}, "invalid_base"),
        ({"name": "a..b"}, "invalid_worktree_name"),
        ({"name": "../x"}, "invalid_worktree_name"),
    ],
)
def test_a_wrong_name_or_base_is_refused(repository: Repository, fields: dict[str, str], code: str) -> None:
    assert refuse(repository, **fields).code == code


def test_a_folder_without_repository_or_commit_is_refused(machine: LisaHost) -> None:
    repository = Repository(machine)
    assert refuse(repository).code == "not_a_repository"
    repository.git("init", "-q")
    assert "no commit" in refuse(repository).message


def test_an_existing_branch_is_never_reused(repository: Repository) -> None:
    repository.git("branch", "lisa/lisa-x")
    refused = refuse(repository)
    assert refused.code == "worktree_exists"
    assert "--worktree-name" in refused.message


def test_one_of_two_concurrent_creations_succeeds(repository: Repository) -> None:
    planned = plan(repository)
    ctx = repository.machine.context()
    worktree.create_worktree(ctx, planned)
    with pytest.raises(LisaError) as refused:
        worktree.create_worktree(ctx, planned)
    assert refused.value.code == "worktree_exists"
    assert repository.at(planned.folder).git("status", "--porcelain") == ""


def kill_at_checkout(repository: Repository) -> int:
    """Kill a spawn while git checks its worktree out; return the process id of the hook that git waits for."""
    note = repository.machine.folder / "hook.pid"
    hook = repository.write(".git/hooks/post-checkout", f"#!/bin/sh\necho $$ > {note}\nexec sleep 30\n")
    hook.chmod(0o700)
    running = repository.machine.start("session", *SPAWN)
    waiting = wait_until(lambda: note.exists() and note.read_text().strip())
    running.kill()
    running.communicate(timeout=10)
    hook.unlink()
    return int(waiting)


def test_spawn_after_a_killed_one_makes_the_worktree(repository: Repository) -> None:
    left = kill_at_checkout(repository)
    try:
        assert repository.branches() == ["lisa/lisa-x", "main"]
        spawned = repository.machine.lisa(
            "session", "spawn", "--session", "lisa-x", "--agent", "scripted", "--worktree"
        )
        assert spawned.code == 0, spawned
    finally:
        os.kill(left, signal.SIGKILL)
    assert repository.at(f"{repository.folder}.lisa/lisa-x").git("status", "--porcelain") == ""
    assert not (repository.folder / ".git" / "lisa").exists()
    killed = repository.machine.lisa("session", "kill", "--session", "lisa-x")
    assert (killed.code, repository.branches()) == (0, ["main"])


def test_killed_start_keeps_work_in_its_worktree(repository: Repository) -> None:
    path = create(repository)
    (record,) = (repository.folder / ".git" / "lisa").glob("*.json")
    ended = subprocess.Popen(["true"])
    ended.wait()
    record.write_text(re.sub(r'"pid":\d+', f'"pid":{ended.pid}', record.read_text()))
    (path / "new.txt").write_text("work\n")
    with pytest.raises(LisaError) as refused:
        plan(repository)
    assert (refused.value.code, (path / "new.txt").exists()) == ("worktree_exists", True)
    assert "has changes" in refused.value.message
    repository.at(path).commit("work")
    with pytest.raises(LisaError):
        plan(repository)
    repository.at(path).git("reset", "-q", "--hard", "HEAD~1")
    create(repository)


def test_failed_creation_leaves_nothing(repository: Repository) -> None:
    planned = plan(repository)
    hook = repository.write(".git/hooks/post-checkout", "#!/bin/sh\necho broken >&2\nexit 1\n")
    hook.chmod(0o700)
    with pytest.raises(LisaError) as failed:
        worktree.create_worktree(repository.machine.context(), planned)
    assert failed.value.code == "git_failed"
    assert (repository.branches(), repository.worktrees()) == (["main"], [str(repository.folder)])
    assert not repository.folder.with_name("proj.lisa").exists()


def test_project_in_a_subfolder_keeps_its_path(repository: Repository) -> None:
    repository.write("lib/b.txt", "b")
    repository.commit("lib")
    made = plan(repository, repository.folder / "lib")
    assert made.folder == f"{repository.folder}.lisa/lisa-x/lib"
    repository.git("branch", "old", "HEAD~1")
    assert refuse(repository, repository.folder / "lib", base="old").code == "invalid_base"


def test_worktrees_of_a_bare_repository_are_next_to_it(repository: Repository) -> None:
    bare = repository.machine.folder / "bare.git"
    repository.git("clone", "-q", "--bare", ".", str(bare))
    path = create(repository, bare)
    assert path == Path(f"{bare}.lisa/lisa-x")
    linked = repository.machine.folder / "linked"
    repository.at(bare).git("worktree", "add", "-q", str(linked), "main")
    assert create(repository, linked, name="n") == Path(f"{bare}.lisa/n")


def test_submodules_are_checked_out(repository: Repository) -> None:
    other = repository.at(repository.machine.folder / "other").create(s_txt="sub\n")
    repository.git("submodule", "--quiet", "add", str(other.folder), "sub")
    repository.commit("submodule")
    assert (create(repository) / "sub" / "s.txt").read_text() == "sub\n"
    inside = plan(repository, repository.folder / "sub", name="n").worktree
    assert inside.path == f"{repository.folder}.lisa/n"


def test_a_chosen_folder_is_outside_or_ignored(repository: Repository) -> None:
    repository.machine.env["LISA_WORKTREE_DIR"] = str(repository.machine.folder / "trees")
    assert create(repository) == repository.machine.folder / "trees" / "proj" / "lisa-x"
    repository.machine.env["LISA_WORKTREE_DIR"] = ".trees"
    assert "not ignored" in refuse(repository, name="n").message
    repository.write(".git/info/exclude", ".trees/\n")
    assert create(repository, name="n") == repository.folder / ".trees" / "proj" / "n"


def test_listed_files_are_copied_if_git_ignores_them(repository: Repository) -> None:
    repository.write(".gitignore", ".env\n*.key\nlink\nkeys/\n")
    repository.write(".worktreeinclude", ".env\nkeys/\nlink\nplain.txt\na.txt\n")
    repository.commit("rules")
    repository.write(".env", "X=1\n").chmod(0o600)
    repository.write("keys/deep/one.key", "k\n")
    repository.write("other.key", "not listed\n")
    repository.write("plain.txt", "not ignored\n")
    repository.write("a.txt", "changed\n")
    (repository.folder / "link").symlink_to(repository.folder / ".env")
    planned = plan(repository)
    warnings = worktree.create_worktree(repository.machine.context(), planned)
    path = Path(planned.folder)
    assert warnings == (".worktreeinclude: 1 files were left out (links, or they exist)",)
    assert ((path / ".env").read_text(), (path / ".env").stat().st_mode & 0o777) == ("X=1\n", 0o600)
    assert (path / "keys/deep/one.key").read_text() == "k\n"
    assert (path / "a.txt").read_text() == "one\n"
    assert not {"other.key", "plain.txt", "link"} & set(os.listdir(path))


def test_failed_copy_leaves_no_part(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "big").write_bytes(bytes(3 << 20))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))  # as a full disk: the second write fails
    try:
        with pytest.raises(OSError, match="File too large"):
            folder_copy.copy_new_file(str(source), str(target), "big")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(target.iterdir()) == []
    assert folder_copy.copy_new_file(str(source), str(target), "big")


def test_copies_do_not_follow_links_out_of_the_worktree(repository: Repository) -> None:
    outside = repository.machine.folder / "outside"
    outside.mkdir()
    (repository.folder / "cache").symlink_to(outside)
    repository.commit("link")
    (repository.folder / "cache").unlink()
    repository.write(".git/info/exclude", "cache/\n")
    repository.write(".worktreeinclude", "cache/\n")
    repository.write("cache/x", "1")
    worktree.create_worktree(repository.machine.context(), plan(repository))
    assert os.listdir(outside) == []


def test_a_setup_program_runs_only_with_its_hash(repository: Repository) -> None:
    ctx, script = repository.machine.context(), "touch made; echo broken >&2; exit 3\n"
    repository.write(".lisa/worktree-setup", script)
    repository.commit("setup")
    digest = hashlib.sha256(script.encode()).hexdigest()
    unasked = plan(repository, name="a")
    (warning,) = worktree.create_worktree(ctx, unasked)
    assert warning == f".lisa/worktree-setup was not run; read it, and --worktree-setup {digest[:16]} runs it"
    assert not Path(unasked.folder, "made").exists()
    for wrong in (digest[:15], "0" * 16):
        with pytest.raises(LisaError) as refused:
            plan(repository, name="b", setup=wrong)
        assert refused.value.code == "invalid_worktree_setup"
    agreed = plan(repository, name="b", setup=digest[:16])
    assert worktree.create_worktree(ctx, agreed) == (".lisa/worktree-setup failed: broken",)
    assert Path(agreed.folder, "made").exists()


def test_variables_of_a_git_hook_change_nothing(repository: Repository) -> None:
    repository.machine.env.update(GIT_DIR="/nowhere", GIT_INDEX_FILE="/nowhere/index")
    planned = plan(repository)
    worktree.create_worktree(repository.machine.context(), planned)
    del repository.machine.env["GIT_DIR"], repository.machine.env["GIT_INDEX_FILE"]
    assert planned.folder in repository.worktrees()


def test_a_session_works_in_it_and_stays_in_its_project(repository: Repository, fleet: Fleet) -> None:
    machine = repository.machine
    words = ("session", "spawn", "--session", "lisa-x", "--worktree", "--command", "pwd -P > where; exec sleep 600")
    shown = machine.lisa(*words, "--dry-run", "--json").json
    path = Path(f"{machine.project}.lisa/lisa-x")
    assert (shown["folder"], shown["branch"], path.exists()) == (str(path), "lisa/lisa-x", False)
    spawned = machine.lisa(*words, "--json").json
    assert (spawned["folder"], spawned["projectRoot"]) == (str(path), str(machine.project))
    assert fleet.wait_for_file("../proj.lisa/lisa-x/where").strip() == str(path)
    meta = session_records.read_meta(fleet.ref("lisa-x"))
    assert meta is not None and meta.worktree is not None
    assert (meta.working_folder, meta.worktree.branch) == (str(path), "lisa/lisa-x")
    inside = machine.context(cwd=str(path))
    assert inside.project().root == str(path)
    machine.env.update(LISA_WORKTREE=str(path), LISA_PROJECT_ROOT=str(machine.project))
    child = machine.lisa(*words[:3], "lisa-y", "--command", "pwd -P > child; exec sleep 600", "--json", cwd=path).json
    assert (child["folder"], child["projectRoot"]) == (str(path), str(machine.project))
    assert fleet.names() == ["lisa-x", "lisa-y"]


def test_a_failed_start_removes_the_worktree(repository: Repository) -> None:
    machine = repository.machine
    machine.add_program("claude", "#!/bin/sh\necho no >&2\nexit 3\n")
    words = ("session", "spawn", "--session", "lisa-x", "--worktree", "--agent", "claude")
    assert machine.lisa(*words, "--json").json["errorCode"] == "spawn_early_exit"
    assert (repository.branches(), repository.worktrees()) == (["main"], [str(machine.project)])
    assert not machine.project.with_name("proj.lisa").exists()


def test_base_without_worktree_is_refused(machine: LisaHost) -> None:
    answer = machine.lisa("session", "spawn", "--base", "main", "--command", "true", "--json")
    assert answer.json["errorCode"] == "worktree_required"
