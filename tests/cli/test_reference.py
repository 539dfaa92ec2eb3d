"""The generated pages."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

from lisa_py import commands
from lisa_py.cli import reference
from lisa_py.contract import error_codes
from lisa_py.contract.errors import COMMON_ERRORS
from lisa_py.host.env import ROUTING_VARIABLES, VARIABLES
from tests.house.sources import parse_modules


def test_the_pages_in_the_tree_are_up_to_date() -> None:
    """When this fails: python -m lisa_py.cli.reference"""
    assert reference.find_stale() == []


def test_every_command_has_a_page_with_its_flags_codes_and_keys() -> None:
    pages = reference.build_pages()
    for path in commands.paths():
        command = commands.load(path)
        assert command is not None
        page = pages.get(f"docs/reference/{'-'.join(path)}.md", "")
        assert command.hidden or f"# lisa {' '.join(path)}\n" in page
        if not command.hidden:
            assert all(f"`{field.spelling}`" in page for field in command.fields)
            assert all(f"`{code}`" in page for code in command.error_codes)
            assert "| `stderrPolicy` |" in page
    assert all(f"`{code}`" in pages["docs/reference/errors.md"] for code in COMMON_ERRORS)


def test_errors_page_has_one_line_per_code() -> None:
    lines = reference.build_pages()["docs/reference/errors.md"].splitlines()
    codes = [line.split("`")[1] for line in lines if line.startswith("| `")]
    loaded = [command for path in commands.paths() if (command := commands.load(path)) and not command.hidden]
    assert sorted(codes) == sorted({*COMMON_ERRORS, *(code for command in loaded for code in command.error_codes)})


def test_error_registry_has_no_unused_code() -> None:
    loaded = [command for path in commands.paths() if (command := commands.load(path))]
    used = {code for command in loaded for code in command.error_codes}
    assert error_codes.MEANINGS.keys() - used == COMMON_ERRORS.keys() - used


def test_meaning_of_a_flag_code_comes_from_the_field() -> None:
    checkpoint, sandbox = commands.load(("session", "checkpoint")), commands.load(("session", "state-sandbox"))
    assert checkpoint is not None and sandbox is not None
    assert error_codes.describe_codes(checkpoint)["invalid_lines"] == "--lines is not a number >= 1"
    meaning = error_codes.meaning_of("invalid_action", [checkpoint, sandbox])
    assert meaning == "--action is not save|resume, or list|snapshot|restore|clear"


def test_environment_variables_are_documented() -> None:
    """The table of the page lists all variables that lisa reads or sets."""
    page = reference.build_pages()["docs/reference/environment.md"]
    assert all(f"| `{each.name}` |" in page for each in VARIABLES)
    assert "| `LISA_CMD_TIMEOUT_SECONDS` | `20` |" in page
    known = {*(each.name for each in VARIABLES), *ROUTING_VARIABLES, "LISA_PREFLIGHT_MODEL_OK"}
    words = {word for tree in parse_modules().values() for node in ast.walk(tree) for word in _words(node)}
    parts = {"LISA_", "LISA_AGENT_PROCESS_MATCH_", "LISA_SMOKE_L"}
    assert {word for word in words if word.startswith("LISA_")} - known - parts == set()


def _words(node: ast.AST) -> list[str]:
    whole = isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[A-Z_]+", node.value)
    return [str(node.value)] if isinstance(node, ast.Constant) and whole else []


def test_write_updates_stale_and_removes_old_pages(tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "reference"
    folder.mkdir(parents=True)
    (folder / "session-gone.md").write_text("x")
    assert "docs/reference/session-gone.md" in reference.find_stale(str(tmp_path))
    reference.write_pages(str(tmp_path))
    assert not (folder / "session-gone.md").exists()
    assert reference.find_stale(str(tmp_path)) == []
    (folder / "errors.md").write_text("x")
    assert reference.find_stale(str(tmp_path)) == ["docs/reference/errors.md"]


def test_check_reports_stale_pages_and_fails() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "lisa_py.cli.reference", "--check"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode == 0) == (reference.find_stale() == [])
