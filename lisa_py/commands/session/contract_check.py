"""Compare the skill and the reference pages with the commands."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py import commands
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.flags import ProjectRoot
from lisa_py.core.context import Context
from lisa_py.core.skill import contract_check, installer
from lisa_py.host import files


class Args(Struct, kw_only=True):
    project_root: ProjectRoot = ""


class ContractCheckResult(Answer):
    ok: bool
    project_root: str
    skill_path: str
    """The checked skill: that of the project, else the bundled one."""
    checks: Sequence[contract_check.SkillCheck]
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> ContractCheckResult:
    root = ctx.existing_project(args.project_root).root
    project_skill = installer.skill_path(root)
    skill = (
        project_skill if files.is_dir(project_skill) or "project_root" in ctx.given_fields else installer.bundled_path()
    )
    checks = contract_check.run_checks(root, skill, commands.build_index())
    passed = all(check.ok for check in checks)
    return ContractCheckResult(
        ok=passed,
        project_root=root,
        skill_path=skill,
        checks=checks,
        error_code=UNSET if passed else "session_contract_check_failed",
    )


def text(answer: ContractCheckResult, args: Args) -> str:
    return "\n".join(f"{check.name}: {'ok' if check.ok else f'fail ({check.detail})'}" for check in answer.checks)


COMMAND = Command(
    group="skill",
    args=Args,
    answer=ContractCheckResult,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.ok else 1,
    errors=("session_contract_check_failed",),
    exits={0: "all of them agree", 1: "a page is wrong or incomplete"},
    example="lisa session contract-check --project-root .",
)
