"""version."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import lisa_py
from lisa_py.host.build import read_checkout_commit
from tests.house.sources import TREE
from tests.lisa_host import LisaHost


def test_all_version_flags_print_the_same_line(machine: LisaHost) -> None:
    commit = read_checkout_commit(str(TREE)) or "none"
    line = f"lisa {lisa_py.__version__} (commit {commit}, built unknown)\n"
    for word in ("version", "--version", "-version", "-v"):
        assert machine.lisa(word).out == line


def test_package_build_sets_commit_and_date(machine: LisaHost) -> None:
    build = {"LISA_BUILD_COMMIT": "abc", "LISA_BUILD_DATE": "2026-11-21"}
    answer = machine.lisa("version", "--json", env=build).json
    assert (answer["version"], answer["commit"], answer["date"]) == (lisa_py.__version__, "abc", "2026-11-21")


def test_commit_is_read_from_checkout_and_worktree(tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("no git here")
    main, other = tmp_path / "main", tmp_path / "other"

    def git(*words: str) -> str:
        options = ["-c", "user.name=a", "-c", "user.email=a@b", "-C", str(main)]
        return subprocess.run(["git", *options, *words], capture_output=True, text=True, check=True).stdout.strip()

    main.mkdir()
    assert read_checkout_commit(str(main)) == ""
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "one")
    git("worktree", "add", "-q", str(other))
    head = git("rev-parse", "HEAD")
    assert len(head) == 40
    assert read_checkout_commit(str(main)) == read_checkout_commit(str(other)) == head
    git("pack-refs", "--all")
    assert read_checkout_commit(str(main)) == head
    git("checkout", "-q", "--detach")
    assert read_checkout_commit(str(main)) == head
