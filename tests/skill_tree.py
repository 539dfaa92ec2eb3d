"""A source tree with a skill that matches the program."""

from __future__ import annotations

import shutil
from pathlib import Path

from lisa_py.cli import skill_index
from lisa_py.core.skill import installer


def make_skill_tree(root: Path) -> Path:
    """Create the tree; return its skills/lisa folder."""
    folder = root / "skills" / "lisa"
    shutil.copytree(installer.bundled_path(), folder)
    (folder / "data" / "commands.md").write_text(skill_index.format_index())
    return folder


def replace_in_file(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, (path, old)
    path.write_text(text.replace(old, new))
