"""Build hook: record the commit of the checkout in the package, for `lisa version`."""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface[Any]):
    """Add lisa_py/commit.txt; nothing outside a git checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        command = ["git", "-C", self.root, "rev-parse", "--show-toplevel", "HEAD"]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:
            return
        lines = ended.stdout.splitlines()
        if ended.returncode or len(lines) != 2 or os.path.realpath(lines[0]) != os.path.realpath(self.root):
            return
        handle, self._file = tempfile.mkstemp()
        with os.fdopen(handle, "w") as file:
            file.write(lines[1] + "\n")
        build_data["force_include"][self._file] = "lisa_py/commit.txt"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_file"):
            os.unlink(self._file)
