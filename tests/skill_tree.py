"""A source tree with a skill in it that is up to date with the program as it stands."""

from __future__ import annotations

import shutil
from pathlib import Path

from lisa_py.cli import skill_index
from lisa_py.core.relay.skill import copying


def skill_tree(root: Path) -> Path:
    """Make it; returns its skills/lisa."""
    folder = root / "skills" / "lisa"
    shutil.copytree(copying.bundled(), folder)
    (folder / "data" / "commands.md").write_text(skill_index.text())
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, (path, old)
    path.write_text(text.replace(old, new))
