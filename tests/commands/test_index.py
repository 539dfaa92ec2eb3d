"""Commands and groups are the files and folders of the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from lisa_py import commands
from lisa_py.cli import parse


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of commands with a group within a group."""
    for path in ("outer/__init__.py", "outer/inner/__init__.py", "outer/inner/show_all.py", "outer/own.py", "top.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    monkeypatch.setattr(commands, "ROOT", str(tmp_path))
    return tmp_path


def test_groups_may_be_nested(tree: Path) -> None:
    assert commands.paths() == [("top",), ("outer", "own"), ("outer", "inner", "show-all")]
    assert commands.paths(("outer", "inner")) == [("outer", "inner", "show-all")]
    assert commands.groups() == ["outer"] and commands.groups(("outer",)) == ["inner"]
    assert commands.find_group(["outer", "inner", "show-all"]) == ("outer", "inner")
    assert commands.find_group(["top", "outer"]) == () == commands.find_group(["--help"])


def test_call_is_split_after_its_groups(tree: Path) -> None:
    assert parse.split_command(["outer", "inner", "show-all", "--x"]) == (("outer", "inner", "show-all"), ["--x"])
    assert parse.split_command(["--json", "outer", "own"]) == (("outer", "own"), ["--json"])
    assert parse.split_command(["outer", "inner"]) == (("outer", "inner"), [])
    assert parse.split_command(["outer"]) == (("outer",), [])
