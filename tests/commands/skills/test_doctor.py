"""skills doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lisa_host import CallResult, LisaHost
from tests.skill_tree import make_skill_tree, replace_in_file

PATH = ("skills", "doctor")


class Shop:
    """A machine with a tree whose skill is up to date, and the folders of agents."""

    def __init__(self, machine: LisaHost) -> None:
        self.machine = machine
        self.tree = machine.folder / "tree"
        self.model = make_skill_tree(self.tree)

    def home(self, agent: str) -> Path:
        path = self.machine.home / f".{agent}"
        path.mkdir(exist_ok=True)
        return path

    def installed(self, agent: str) -> Path:
        self.home(agent)
        answer = self.machine.lisa("skills", "install", "--to", agent, "--repo-root", str(self.tree))
        assert answer.code == 0, answer
        return self.home(agent) / "skills" / "lisa"

    def doctor(self, *words: str) -> CallResult:
        return self.machine.lisa(*PATH, "--repo-root", str(self.tree), *words, "--json")

    def target(self, agent: str, *words: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = self.doctor(*words).json["targets"]
        return next(target for target in found if target["target"] == agent)


@pytest.fixture
def shop(machine: LisaHost) -> Shop:
    return Shop(machine)


def test_no_installed_skill_is_a_failure(shop: Shop) -> None:
    answer = shop.doctor()
    assert (answer.code, answer.json["ok"], answer.json["errorCode"]) == (1, False, "skills_not_installed")
    assert [(each["target"], each["status"]) for each in answer.json["targets"]] == [
        ("codex", "missing"),
        ("claude", "missing"),
    ]
    assert len(answer.json["capabilityHash"]) == 12
    assert answer.json["repoSkillPath"] == str(shop.model)


def test_installed_skill_is_up_to_date(shop: Shop) -> None:
    shop.installed("claude")
    target = shop.target("claude", "--deep", "--contract-check")
    assert (target["status"], target["contentHash"]) == ("up_to_date", target["repoContentHash"])


def test_deep_detects_changed_content_of_same_version(shop: Shop) -> None:
    replace_in_file(shop.installed("claude") / "SKILL.md", "## Always", "## Never")
    assert shop.target("claude")["status"] == "up_to_date"
    target = shop.target("claude", "--deep")
    assert (target["status"], target["detail"]) == ("outdated", "content drift")
    assert shop.doctor("--deep").json["errorCode"] == "skills_doctor_drift_detected"


def test_undocumented_command_or_flag_is_reported(shop: Shop) -> None:
    """B25: per command; the flag of another command does not count."""
    index = shop.installed("claude") / "data" / "commands.md"
    replace_in_file(index, "## session exists\n", "## session was\n")
    target = shop.target("claude")
    assert target["missingCommands"] == ["session exists"] and target["detail"] == "command contract drift"
    replace_in_file(index, "## session was\n", "## session exists\n")
    replace_in_file(index, "    lisa session name ", "    lisa session name [--project-root] <!-- ")
    assert shop.target("claude")["status"] == "up_to_date"
    replace_in_file(index, "[--tag ", "[-tag ")
    target = shop.target("claude", "--contract-check")
    assert target["missingFlags"] == ["session name:--tag"] and target["detail"] == "flag surface drift"


def test_prose_is_not_parsed_as_commands(shop: Shop) -> None:
    """B25: an index of another make is searched for whole commands, not for parts of words."""
    index = shop.installed("claude") / "data" / "commands.md"
    index.write_text("conversion and doctorate; `session listing`\n")
    missing = shop.target("claude")["missingCommands"]
    assert {"version", "doctor", "session list"} <= set(missing)


def test_newer_skill_is_reported_and_kept(shop: Shop) -> None:
    """B26."""
    replace_in_file(shop.installed("claude") / "SKILL.md", "version: 0.", "version: 10.")
    target = shop.target("claude", "--fix", "--explain-drift")
    assert (target["status"], "fixed" in target) == ("newer", False)
    assert shop.doctor().code == 0


def test_version_is_read_from_the_front_matter(shop: Shop) -> None:
    """B26: a line above it, or in a code block, is not it."""
    main = shop.installed("claude") / "SKILL.md"
    replace_in_file(main, "# lisa:", "```\nversion: 99\n```\n# lisa:")
    assert shop.target("claude")["version"] != "99"
    main.write_text("version: 99\n" + main.read_text())
    target = shop.target("claude")
    assert (target["status"], "version" in target) == ("error", False)


def test_fix_installs_for_present_agents_only(shop: Shop) -> None:
    """B26: it created ~/.codex and ~/.claude on machines without them."""
    shop.doctor("--fix")
    assert not (shop.machine.home / ".claude").exists() and not (shop.machine.home / ".codex").exists()
    shop.home("claude")
    assert shop.target("claude", "--fix") | {"path": ""} == {
        "exists": True, "fixed": True, "path": "", "status": "up_to_date", "target": "claude",
        "version": shop.doctor().json["repoVersion"],
    }  # fmt: skip
    assert not (shop.machine.home / ".codex").exists()
    assert shop.target("codex", "--fix", "--to", "codex")["status"] == "up_to_date"
    assert shop.doctor("--fix", "--to", "nobody").json["errorCode"] == "skills_destination_resolve_failed"


def test_fix_repairs_skills_and_reports_failures(shop: Shop) -> None:
    replace_in_file(shop.installed("claude") / "SKILL.md", "version: 0.", "version: 0.0.")
    (shop.installed("codex") / "SKILL.md").unlink()
    assert shop.target("claude", "--fix")["fixed"] is True
    target = shop.target("codex", "--fix")
    assert target["status"] == "error" and "--force" in target["fixError"]
    assert shop.target("codex", "--fix", "--force")["fixed"] is True


def test_drift_is_explained_most_urgent_first(shop: Shop) -> None:
    replace_in_file(shop.installed("claude") / "SKILL.md", "version: 0.", "version: 0.0.")
    answer = shop.doctor("--explain-drift", "--sync-plan").json
    steps = [(step["target"], step["status"], step["priority"]) for step in answer["syncPlan"]]
    assert steps == [("codex", "missing", 3), ("claude", "outdated", 2)]
    for target, step in zip(answer["targets"], answer["syncPlan"], strict=True):
        assert target["remediation"][0] == step["command"]
    command = answer["syncPlan"][1]["command"]
    assert command == f"lisa skills install --to claude --repo-root '{shop.tree}' --json"
    assert "syncPlan" not in shop.doctor("--fix", "--to", "codex").json


def test_the_contract_check_of_the_tree_counts(shop: Shop) -> None:
    assert shop.doctor("--contract-check").json["contractChecks"][0]["name"] == "schema_coverage"
    replace_in_file(shop.model / "data" / "recipes.md", "lisa session turn", "lisa session twist")
    answer = shop.doctor("--contract-check")
    assert (answer.code, answer.json["errorCode"]) == (1, "skills_doctor_drift_detected")


def test_a_tree_without_a_skill_is_refused(shop: Shop) -> None:
    assert shop.machine.lisa(*PATH, "--repo-root", ".", "--json").json["errorCode"] == "skills_doctor_repo_path_failed"
    (shop.model / "SKILL.md").write_text("# no front matter\n")
    assert shop.doctor().json["errorCode"] == "skills_doctor_repo_read_failed"


def test_compares_with_the_bundled_skill_by_default(shop: Shop) -> None:
    answer = shop.machine.lisa(*PATH, "--json").json
    assert answer["repoSkillPath"].endswith("/lisa_py/skill") and answer["repoVersion"]


def test_text_has_a_line_per_target_and_its_findings(shop: Shop) -> None:
    replace_in_file(shop.installed("claude") / "SKILL.md", "version: 0.", "version: 0.0.")
    out = shop.machine.lisa(*PATH, "--repo-root", str(shop.tree), "--sync-plan", "--explain-drift").out
    assert "- claude status=outdated version=0.0.1.0 path=" in out
    assert "  detail: version drift" in out and "\nsync_plan:\n- lisa skills install" in out
