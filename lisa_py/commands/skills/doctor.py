"""Compare installed skills with this version; repair them with --fix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import commands
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.core.context import Context
from lisa_py.core.skill import contract_check as skill_contract_check
from lisa_py.core.skill import drift, installer, page
from lisa_py.host import files


class Args(Struct, kw_only=True):
    repo_root: Annotated[str, Flag(help="source tree to compare with; default: the bundled skill", metavar="PATH")] = ""
    deep: Annotated[bool, Flag(help="content comparison")] = False
    explain_drift: Annotated[bool, Flag(help="remedy for each finding")] = False
    fix: Annotated[bool, Flag(help="installation for present agents where missing or outdated")] = False
    to: Annotated[str, Flag(help="with --fix: only this agent, even without its folder", metavar="AGENT")] = ""
    force: Annotated[bool, Flag(help="with --fix: replacement of a foreign skill")] = False
    contract_check: Annotated[bool, Flag(help="comparison of every command and flag with the program")] = False
    sync_plan: Annotated[bool, Flag(help="commands to run, most urgent first")] = False


class SkillsDoctorResult(Answer):
    ok: bool
    repo_root: str
    repo_skill_path: str
    repo_version: str
    capability_hash: str
    targets: Sequence[drift.SkillTarget]
    deep: bool | UnsetType = UNSET
    fix: bool | UnsetType = UNSET
    sync_plan: Sequence[drift.SkillSyncStep] | UnsetType = UNSET
    contract_check: bool | UnsetType = UNSET
    contract_checks: Sequence[skill_contract_check.SkillCheck] | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> SkillsDoctorResult:
    index = commands.build_index()
    root = files.canonical_path(args.repo_root) if "repo_root" in ctx.given_fields else ""
    skill = installer.skill_path(root) if root else installer.bundled_path()
    expected = drift.load_reference(skill, index, flags=args.contract_check, deep=args.deep, repo_root=root)
    targets = drift.inspect_all(ctx, expected)
    targets = drift.fix(ctx, targets, expected, to=args.to.strip().lower(), force=args.force) if args.fix else targets
    targets = [drift.add_remediation(target, expected) for target in targets] if args.explain_drift else targets
    checks = (
        skill_contract_check.run_checks(root or installer.package_root(), skill, index) if args.contract_check else []
    )
    agrees = all(target.status in drift.ACCEPTED_STATUSES for target in targets) and all(check.ok for check in checks)
    is_installed = any(target.status != "missing" for target in targets)
    passed = agrees and is_installed
    return SkillsDoctorResult(
        ok=passed,
        repo_root=root or installer.package_root(),
        repo_skill_path=skill,
        repo_version=expected.version,
        capability_hash=page.capability_hash(index),
        targets=targets,
        deep=args.deep or UNSET,
        fix=args.fix or UNSET,
        sync_plan=(drift.plan(targets, expected) or UNSET) if args.sync_plan else UNSET,
        contract_check=args.contract_check or UNSET,
        contract_checks=checks or UNSET,
        error_code=UNSET if passed else "skills_not_installed" if agrees else "skills_doctor_drift_detected",
    )


def text(answer: SkillsDoctorResult, args: Args) -> str:
    passed = "true" if answer.ok else "false"
    head = f"repo_version={answer.repo_version} capability_hash={answer.capability_hash} ok={passed}"
    lines = [head, *(line for target in answer.targets for line in _format_target(target))]
    for check in answer.contract_checks or ():
        lines.append(f"{'ok' if check.ok else 'fail':<4} {check.name}{f' ({check.detail})' if check.detail else ''}")
    steps = [f"- {step.command}" for step in answer.sync_plan or ()]
    return "\n".join([*lines, *(["sync_plan:", *steps] if steps else [])])


def _format_target(target: drift.SkillTarget) -> Iterator[str]:
    yield f"- {target.target} status={target.status} version={target.version or ''} path={target.path}"
    if target.content_hash:
        yield f"  content_hash={target.content_hash} repo_content_hash={target.repo_content_hash or ''}"
    if target.detail:
        yield f"  detail: {target.detail}"
    if target.fix_error:
        yield f"  fix failed: {target.fix_error}"
    for title, rows in (
        ("missing", [*(target.missing_commands or ()), *(target.missing_flags or ())]),
        ("remediation", target.remediation or ()),
    ):
        for row in rows:
            yield f"  {title}: {row}"


COMMAND = Command(
    group="skill",
    args=Args,
    answer=SkillsDoctorResult,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.ok else 1,
    errors=(
        "skills_not_installed",
        "skills_doctor_drift_detected",
        "skills_doctor_repo_path_failed",
        "skills_doctor_repo_read_failed",
        "skills_doctor_repo_hash_failed",
        "skills_destination_resolve_failed",
    ),
    exits={0: "the installed ones are up to date or newer", 1: "none is installed, or one differs; see errorCode"},
    example="lisa skills doctor --deep --explain-drift",
    notes="Nothing is installed for an agent without its own folder, unless --to names it.",
)
