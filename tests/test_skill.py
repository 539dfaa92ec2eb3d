"""The bundled skill."""

from __future__ import annotations

from lisa_py import __version__
from lisa_py.cli import reference, skill_index
from lisa_py.contract.status import SESSION_STATES
from lisa_py.core.skill import installer, page
from tests.house.sources import TREE


def test_the_copy_at_the_top_of_the_tree_is_the_same() -> None:
    """When this fails: python -m lisa_py.cli.reference"""
    own = {
        path.relative_to(installer.bundled_path()): path.read_text() for path in (TREE / "lisa_py/skill").rglob("*.md")
    }
    copy = {path.relative_to(TREE / "skills/lisa"): path.read_text() for path in (TREE / "skills/lisa").rglob("*.md")}
    assert own == copy and len(own) == 4


def test_what_is_removed_from_the_skill_is_removed_from_the_copy() -> None:
    assert [path for path in reference.find_stale() if path.startswith(skill_index.COPY)] == []
    extra = TREE / "skills" / "lisa" / "extra.md"
    extra.write_text("x")
    try:
        assert reference.find_stale() == ["skills/lisa/extra.md"]
    finally:
        extra.unlink()


def test_its_version_is_the_programs() -> None:
    found = page.read_manifest(installer.bundled_path())
    assert found is not None and (found.name, found.version) == ("lisa", __version__)
    assert {"author", "date", "tags"} <= set(found.fields)
    assert found.description.startswith("Use when")


def test_it_is_short_enough_to_be_read_whole() -> None:
    assert len((TREE / "lisa_py/skill/SKILL.md").read_text().splitlines()) < 120


def test_it_names_every_state_a_session_can_have() -> None:
    text = (TREE / "lisa_py/skill/data/runtime.md").read_text()
    assert not [state for state in SESSION_STATES if f"`{state}`" not in text]


def test_skipped_permissions_come_with_a_warning() -> None:
    text = (
        "".join(path.read_text() for path in (TREE / "lisa_py/skill").glob("*.md"))
        + (TREE / "lisa_py/skill/data/recipes.md").read_text()
    )
    assert "--dangerously" not in text and "may do anything this user may" in text
