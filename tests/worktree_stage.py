"""A repository with a session that has a worktree and runs a plain command, or has ended."""

from __future__ import annotations

from tests.lisa_host import CallResult, LisaHost
from tests.repository import Repository


class WorktreeStage:
    """The session lisa-x, its worktree and the main checkout."""

    def __init__(self, machine: LisaHost, command: str = "true", *words: str) -> None:
        self.machine = machine
        self.main = Repository(machine).create()
        answer = machine.lisa(
            "session", "spawn", "--session", "lisa-x", "--worktree", *words, "--command", command, "--json"
        )
        self.tree = self.main.at(answer.json["folder"])

    def lisa(self, command: str, *words: str) -> CallResult:
        return self.machine.lisa("session", command, "--session", "lisa-x", *words)
