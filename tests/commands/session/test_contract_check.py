"""session contract-check."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lisa_py.cli import reference
from tests.lisa_host import CallResult, LisaHost
from tests.skill_tree import make_skill_tree, replace_in_file

PATH = ("session", "contract-check")
PROMISED = [
    "schema_coverage",
    "skill_commands_doc_read",
    "skill_command_index_coverage",
    "skill_flag_surface_coverage",
    "skill_flags_per_command",
    "skill_front_matter",
    "skill_examples",
]


@pytest.fixture
def skill(machine: LisaHost) -> Path:
    return make_skill_tree(machine.project)


def check(machine: LisaHost, *words: str) -> CallResult:
    return machine.lisa(*PATH, "--project-root", str(machine.project), *words, "--json")


def failed(machine: LisaHost) -> dict[str, dict[str, Any]]:
    answer = check(machine)
    found = {each["name"]: each for each in answer.json["checks"] if not each["ok"]}
    assert answer.code == (1 if found else 0)
    assert answer.json.get("errorCode") == ("session_contract_check_failed" if found else None)
    return found


def test_correct_skill_passes_every_check(machine: LisaHost, skill: Path) -> None:
    answer = check(machine)
    assert (answer.code, answer.json["ok"], answer.json["skillPath"]) == (0, True, str(skill))
    assert [each["name"] for each in answer.json["checks"]] == PROMISED
    counts = {each["name"]: each.get("checked", 0) for each in answer.json["checks"]}
    assert counts["schema_coverage"] >= 50 and counts["skill_flag_surface_coverage"] > 400
    assert counts["skill_examples"] > 25


def test_each_wrong_statement_is_located(machine: LisaHost, skill: Path) -> None:
    """B25: compared per command, not by looking for words anywhere."""
    index = skill / "data" / "commands.md"
    replace_in_file(index, "## doctor\n", "## doktor\n")
    assert failed(machine)["skill_command_index_coverage"]["detail"] == "missing commands: doctor"
    replace_in_file(index, "## doktor\n", "## doctor\n")
    replace_in_file(index, "    lisa session exists ", "    lisa session exists [--lane NAME] ")
    found = failed(machine)
    assert list(found) == ["skill_flags_per_command"]
    assert found["skill_flags_per_command"]["detail"] == "session exists:--lane does not exist"
    replace_in_file(index, " [--lane NAME] --session NAME ", " ")
    assert "session exists:--session is missing" in failed(machine)["skill_flags_per_command"]["detail"]


def test_the_line_of_all_flags_must_hold_all_flags(machine: LisaHost, skill: Path) -> None:
    replace_in_file(skill / "data" / "commands.md", " --until-marker --until-state ", " ")
    found = failed(machine)["skill_flag_surface_coverage"]
    assert "session monitor:--until-marker" in found["detail"] and found["failed"] >= 2


def test_invalid_example_is_found(machine: LisaHost, skill: Path) -> None:
    replace_in_file(skill / "data" / "recipes.md", "lisa session turn --session", "lisa session turn --sesion")
    found = failed(machine)
    assert found["skill_examples"]["detail"] == "data/recipes.md: session turn has no --sesion"
    replace_in_file(skill / "data" / "recipes.md", "lisa session turn --sesion", "lisa session turns --session")
    assert "no command `session turns`" in failed(machine)["skill_examples"]["detail"]


def test_front_matter_must_describe_the_skill(machine: LisaHost, skill: Path) -> None:
    replace_in_file(skill / "SKILL.md", "name: lisa", "name: mona")
    assert failed(machine)["skill_front_matter"]["detail"] == "name is mona"


def test_existing_reference_pages_are_compared(machine: LisaHost, skill: Path) -> None:
    (machine.project / "docs" / "reference").mkdir(parents=True)
    reference.write_pages(str(machine.project))
    assert "docs_reference_coverage" in {each["name"] for each in check(machine).json["checks"]}
    page = machine.project / "docs" / "reference" / "session-exists.md"
    replace_in_file(page, "`--session`", "`--sess`")
    assert failed(machine)["docs_reference_coverage"]["detail"] == "missing: session exists:--session"
    page.unlink()
    assert "session exists has no page" in failed(machine)["docs_reference_coverage"]["detail"]


def test_a_missing_index_ends_the_comparison(machine: LisaHost, skill: Path) -> None:
    (skill / "data" / "commands.md").unlink()
    assert [each["name"] for each in check(machine).json["checks"]] == PROMISED[:2]
    shutil.rmtree(skill)
    assert list(failed(machine)) == ["skill_commands_doc_read"]


def test_checks_the_bundled_skill_without_a_project(machine: LisaHost) -> None:
    answer = machine.lisa(*PATH, "--json").json
    assert answer["skillPath"].endswith("/lisa_py/skill")
    assert len(answer["checks"]) == len(PROMISED)


def test_handwritten_index_is_compared_by_its_words(machine: LisaHost, skill: Path) -> None:
    """One line per command and one line of flags, as earlier skills have them."""
    index = skill / "data" / "commands.md"
    text = index.read_text()
    names = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    flags = next(line for line in text.splitlines() if line.startswith("`--"))
    index.write_text("\n".join([*(f"- `{name}`" for name in names), "Canonical flag surface mirror:", "", flags]))
    assert not failed(machine)


def test_text_has_a_line_per_check(machine: LisaHost, skill: Path) -> None:
    out = machine.lisa(*PATH).out
    assert "schema_coverage: ok\n" in out
    (skill / "data" / "commands.md").unlink()
    assert "skill_commands_doc_read: fail (cannot read " in machine.lisa(*PATH).out
