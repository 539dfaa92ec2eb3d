"""The bundled skill."""

from __future__ import annotations

from pathlib import Path

from lisa_py import __version__
from lisa_py.cli import skill_index
from lisa_py.contract.status import SESSION_STATES
from lisa_py.core.skill import installer, page
from tests.house.sources import TREE


def test_package_skill_is_the_skill_of_the_tree() -> None:
    bundled, ours = Path(installer.bundled_path()), TREE / skill_index.FOLDER
    own = {path.relative_to(bundled): path.read_text() for path in bundled.rglob("*.md")}
    assert own == {path.relative_to(ours): path.read_text() for path in ours.rglob("*.md")}
    assert len(own) == 4


def test_skill_version_equals_program_version() -> None:
    found = page.read_manifest(installer.bundled_path())
    assert found is not None and (found.name, found.version) == ("lisa", __version__)
    assert {"author", "date", "tags"} <= set(found.fields)
    assert found.description.startswith("Use when")


def test_skill_page_has_fewer_than_120_lines() -> None:
    assert len((TREE / "lisa_py/skill/SKILL.md").read_text().splitlines()) < 120


def test_runtime_page_names_every_session_state() -> None:
    text = (TREE / "lisa_py/skill/data/runtime.md").read_text()
    assert not [state for state in SESSION_STATES if f"`{state}`" not in text]


def test_skill_warns_about_skipped_permissions() -> None:
    text = (
        "".join(path.read_text() for path in (TREE / "lisa_py/skill").glob("*.md"))
        + (TREE / "lisa_py/skill/data/recipes.md").read_text()
    )
    assert "--dangerously" not in text and "may do anything this user may" in text
