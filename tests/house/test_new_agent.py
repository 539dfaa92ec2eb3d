"""Add an agent to a copy of the package: its file is the whole registration."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import PACKAGE, TREE

AGENT = '''"""Agent parrot."""

from lisa_py.agents.base import Agent, AgentLaunch
from lisa_py.contract.quoting import quote_posix


class Parrot(Agent):
    name = "parrot"
    title = "Parrot"
    binaries = ("parrot",)

    def build_command(self, request: AgentLaunch) -> str:
        return f"parrot {quote_posix(request.prompt)}"


AGENT = Parrot()
'''


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the package with one more agent file."""
    shutil.copytree(PACKAGE, tmp_path / "lisa_py", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TREE / "pyproject.toml", tmp_path)
    (tmp_path / "lisa_py" / "agents" / "parrot.py").write_text(AGENT, encoding="utf-8")
    return tmp_path


def run(tree: Path, *argv: str) -> str:
    """Run a program on the copy; return its output."""
    environ = {**os.environ, "PYTHONPATH": str(tree), "LISA_STATE_DIR": str(tree / "state")}
    ended = subprocess.run(argv, cwd=tree, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def lisa(tree: Path, *words: str) -> str:
    return run(tree, sys.executable, "-m", "lisa_py", *words)


def test_agent_file_is_the_registration(tree: Path) -> None:
    assert "parrot" in lisa(tree, "agent", "build-cmd", "--help")
    assert "parrot" in lisa(tree, "capabilities", "--json")
    built = json.loads(lisa(tree, "agent", "build-cmd", "--agent", "parrot", "--prompt", "hi", "--json"))
    assert built["command"] == "parrot 'hi'"
    plan = lisa(tree, "session", "spawn", "--agent", "parrot", "--prompt", "hi", "--dry-run", "--json")
    assert json.loads(plan)["agent"] == "parrot"


def test_import_rules_hold_for_a_new_agent(tree: Path) -> None:
    run(tree, str(Path(sys.executable).parent / "lint-imports"), "--no-cache")


def test_import_of_another_agent_is_refused(tree: Path) -> None:
    with (tree / "lisa_py" / "agents" / "parrot.py").open("a", encoding="utf-8") as file:
        file.write("\nfrom lisa_py.agents import codex\n")
    with pytest.raises(AssertionError, match="agents do not import each other"):
        run(tree, str(Path(sys.executable).parent / "lint-imports"), "--no-cache")
