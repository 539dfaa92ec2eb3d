"""Add an agent to a copy of the package: its file is the whole registration."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.house.sources import PACKAGE, TREE, parse_modules, walk

AGENT = '''"""Agent parrot."""

from lisa_py.agents.base import Agent
from lisa_py.agents.launch import AgentLaunch
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
    """A copy of the package with one more agent, which has a private folder."""
    shutil.copytree(PACKAGE, tmp_path / "lisa_py", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TREE / "pyproject.toml", tmp_path)
    (tmp_path / "lisa_py" / "agents" / "parrot.py").write_text(AGENT, encoding="utf-8")
    parts = tmp_path / "lisa_py" / "agents" / "_parrot"
    parts.mkdir()
    (parts / "__init__.py").write_text('"""Parts of parrot."""\n', encoding="utf-8")
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


def test_agents_do_not_import_each_other() -> None:
    assert not find_foreign_imports(parse_modules())


@pytest.mark.parametrize(
    ("path", "line", "is_allowed"),
    [
        ("agents/parrot.py", "from lisa_py.agents import base, _permission_hook", True),
        ("agents/parrot.py", "from lisa_py.agents._parrot import launch", True),
        ("agents/_parrot/launch.py", "from lisa_py.agents._parrot.screen import read", True),
        ("agents/parrot.py", "from lisa_py.agents import codex", False),
        ("agents/parrot.py", "from lisa_py.agents._codex import launch", False),
        ("agents/_parrot/launch.py", "import lisa_py.agents.claude", False),
    ],
)
def test_import_of_another_agent_is_found(path: str, line: str, is_allowed: bool) -> None:
    modules = {**parse_modules(), Path(path): ast.parse(line)}
    assert (find_foreign_imports(modules) == []) == is_allowed


def find_foreign_imports(modules: Mapping[Path, ast.Module]) -> list[str]:
    """Return the imports of an agent that name another agent or its private folder."""
    inside = {path: tree for path, tree in modules.items() if path.parts[0] == "agents" and len(path.parts) > 1}
    names = {path.parts[1].removesuffix(".py").lstrip("_") for path in inside if path.name != "__init__.py"}
    owners = names - {"base", "launch", "permission_hook"}
    found = []
    for path, tree in inside.items():
        owner = path.parts[1].removesuffix(".py").lstrip("_")
        for name in _imported_agent_modules(tree):
            if owner in owners and name.lstrip("_") in owners - {owner}:
                found.append(f"{path}: {name}")
    return found


def _imported_agent_modules(tree: ast.Module) -> Iterator[str]:
    """Yield the first word below lisa_py.agents of every import."""
    for node in walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [f"{node.module}.{each.name}" for each in node.names]
        elif isinstance(node, ast.Import):
            modules = [each.name for each in node.names]
        else:
            continue
        yield from (name.split(".")[2] for name in modules if name.startswith("lisa_py.agents.") and name.count("."))
