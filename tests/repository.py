"""A git repository in the project folder of a test."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.lisa_host import LisaHost

_CONFIG = '[user]\n name = t\n email = t@t\n[init]\n defaultBranch = main\n[protocol "file"]\n allow = always\n'


class Repository:
    """git in one folder, with the HOME of the test."""

    def __init__(self, machine: LisaHost, folder: Path | None = None) -> None:
        self.machine = machine
        self.folder = folder or machine.project
        config = machine.home / ".gitconfig"
        if not config.exists():
            config.write_text(_CONFIG)

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=self.machine.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout.strip()

    def create(self, **texts: str) -> Repository:
        """Initialise it with one commit of the files, named with _ for a dot."""
        self.folder.mkdir(exist_ok=True)
        self.git("init", "-q")
        self.commit("first", **{"a_txt": "one\n", **texts})
        return self

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def commit(self, subject: str, **texts: str) -> str:
        """Commit the files, named with _ for a dot; return the commit."""
        for name, text in texts.items():
            self.write(name.replace("_", "."), text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def at(self, folder: Path | str) -> Repository:
        return Repository(self.machine, Path(folder))

    def branches(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()

    def worktrees(self) -> list[str]:
        lines = self.git("worktree", "list", "--porcelain").splitlines()
        return [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")]
