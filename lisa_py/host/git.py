"""Run git in a folder, without the variables by which a caller has bound git to another repository."""

from __future__ import annotations

import time
from collections.abc import Mapping

from lisa_py.contract.errors import LisaError
from lisa_py.host.run import ProgramResult, run_program

TIMEOUT_SECONDS = 600.0
"""Limit of one call: a checkout of a large repository takes minutes."""
MISSING = 127
"""Code of a result where git is not installed."""
_KEPT = ("GIT_CONFIG", "GIT_SSH", "GIT_ASKPASS", "GIT_AUTHOR", "GIT_COMMITTER", "GIT_ALLOW_PROTOCOL", "GIT_EXEC_PATH")


class GitFolder:
    """git in one folder."""

    def __init__(self, folder: str, environ: Mapping[str, str], *, deadline: float | None = None) -> None:
        """Bind git to a folder; no call ends after `deadline`, a time of the monotonic clock."""
        self.folder = folder
        self._deadline = deadline
        kept = {name: value for name, value in environ.items() if not name.startswith("GIT_") or name.startswith(_KEPT)}
        # without optional locks a look at the state never writes the index
        self._environ = {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}

    def at(self, folder: str) -> GitFolder:
        return GitFolder(folder, self._environ, deadline=self._deadline)

    def call(
        self, *words: str, stdin: bytes = b"", timeout: float = TIMEOUT_SECONDS, env: Mapping[str, str] | None = None
    ) -> ProgramResult:
        """Return the result; its code is None at the deadline, MISSING if git or the folder is missing."""
        environ = {**self._environ, **(env or {})}
        if self._deadline is not None:
            timeout = min(timeout, max(0.0, self._deadline - time.monotonic()))
        try:
            return run_program(("git", *words), timeout=timeout, stdin=stdin, env=environ, cwd=self.folder, group=True)
        except (FileNotFoundError, NotADirectoryError) as problem:
            return ProgramResult(MISSING, b"", str(problem).encode())

    def run(self, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        """Return the output. Raise LisaError(git_failed) with the reason of git."""
        found = self.call(*words, stdin=stdin, env=env)
        if found.code != 0:
            raise LisaError("git_failed", f"git {words[0]} failed in {self.folder}: {describe_failure(found)}")
        return found.out.decode("utf-8", "surrogateescape")

    def ask(self, *words: str) -> str:
        """Return the output without its line end; empty if git fails."""
        found = self.call(*words)
        return found.out.decode("utf-8", "surrogateescape").removesuffix("\n") if found.code == 0 else ""

    def list_paths(self, *words: str, stdin: bytes = b"") -> list[str]:
        """Return the paths of an output with -z. Raise LisaError(git_failed)."""
        return [path for path in self.run(*words, stdin=stdin).split("\0") if path]


def describe_failure(result: ProgramResult) -> str:
    """Return the reason of a failed call in one line."""
    if result.code is None:
        return "it did not end in time"
    if result.code == MISSING:
        return f"git cannot be run ({result.error_text})"
    lines = [line.strip() for line in result.error_text.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (fatal or lines or [f"code {result.code}"])[-1].removeprefix("fatal: ").removeprefix("error: ")
