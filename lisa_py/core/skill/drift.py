"""Compare the installed skills with the bundled one, and update them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import command_line
from lisa_py.contract.answer import Answer
from lisa_py.contract.command_index import CommandIndex
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.skill import installer, page
from lisa_py.host import files, folder_copy

PRIORITIES = {"missing": 3, "outdated": 2}
ACCEPTED_STATUSES = ("up_to_date", "missing", "newer")
"""States that are not failures: a newer skill requires an update of lisa, not of the skill."""


class SkillTarget(Answer):
    """One location where an agent expects the skill."""

    target: str
    path: str
    exists: bool
    status: str
    """up_to_date, outdated, newer, missing or error."""
    version: str | UnsetType = UNSET
    content_hash: str | UnsetType = UNSET
    repo_content_hash: str | UnsetType = UNSET
    missing_commands: Sequence[str] | UnsetType = UNSET
    missing_flags: Sequence[str] | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    remediation: Sequence[str] | UnsetType = UNSET
    fixed: bool | UnsetType = UNSET
    fix_error: str | UnsetType = UNSET


class SkillSyncStep(Struct, frozen=True, kw_only=True):
    """One recommended action."""

    target: str
    status: str
    path: str
    command: str
    reason: str
    priority: int


class ReferenceSkill(Struct, frozen=True, kw_only=True):
    """Reference for the comparison."""

    path: str
    version: str
    surface: CommandIndex
    flags: bool = False
    """True to compare flags, too."""
    content: str = ""
    """Content hash; empty if contents are not compared."""
    repo_root: str = ""
    """Source tree, if the caller named one."""


def load_reference(path: str, surface: CommandIndex, *, flags: bool, deep: bool, repo_root: str = "") -> ReferenceSkill:
    """Load the reference. Raise LisaError(skills_doctor_repo_path_failed | skills_doctor_repo_read_failed |
    ..._hash_failed)."""
    if not files.is_dir(path):
        raise LisaError("skills_doctor_repo_path_failed", f"no skill at {path}; --repo-root names another tree")
    try:
        found = page.read_manifest(path)
    except OSError as problem:
        raise LisaError("skills_doctor_repo_read_failed", f"cannot read {path}: {problem.strerror}") from problem
    if found is None or not found.version:
        raise LisaError(
            "skills_doctor_repo_read_failed", f"version field not found in the front matter of {path}/{page.MAIN}"
        )
    try:
        content = folder_copy.content_hash(path) if deep else ""
    except OSError as problem:
        raise LisaError("skills_doctor_repo_hash_failed", f"cannot read {path}: {problem.strerror}") from problem
    visible = tuple(entry for entry in surface if not entry.command.hidden)
    return ReferenceSkill(
        path=path, version=found.version, surface=visible, flags=flags, content=content, repo_root=repo_root
    )


def inspect_all(ctx: Context, reference: ReferenceSkill) -> list[SkillTarget]:
    """Check the skill of every agent."""
    return [inspect(name, installer.skill_path(home), reference) for name, home in installer.agent_homes(ctx).items()]


def inspect(name: str, path: str, reference: ReferenceSkill) -> SkillTarget:
    if not files.exists(path):
        return SkillTarget(target=name, path=path, exists=False, status="missing", detail="skill directory not found")
    try:
        found = page.read_manifest(path)
        content = folder_copy.content_hash(path) if reference.content else ""
    except OSError as problem:
        return SkillTarget(
            target=name, path=path, exists=True, status="error", detail=f"cannot read it: {problem.strerror}"
        )
    if found is None:
        detail = f"no {page.MAIN} with front matter there"
        return SkillTarget(target=name, path=path, exists=True, status="error", detail=detail)
    return _compare(name, path, reference, found.version, content)


def _compare(name: str, path: str, reference: ReferenceSkill, version: str, content: str) -> SkillTarget:
    index = page.load_index(path) or page.parse_index("")
    commands = [entry.name for entry in reference.surface if index.lacks(entry)]
    flags = [f"{entry.name}:{flag}" for entry in reference.surface for flag in index.missing_flags(entry)]
    flags = flags if reference.flags else []
    is_newer = page.is_newer(version, reference.version)
    parts = {
        f"version drift: repo={reference.version} installed={version or 'none'}": version != reference.version,
        "command contract drift": bool(commands),
        "flag surface drift": bool(flags),
        "content drift": content != reference.content,
    }
    detail = "; ".join(text for text, differs in parts.items() if differs)
    return SkillTarget(
        target=name,
        path=path,
        exists=True,
        status="newer" if is_newer else "outdated" if detail else "up_to_date",
        version=version or UNSET,
        content_hash=content or UNSET,
        repo_content_hash=reference.content or UNSET,
        missing_commands=commands or UNSET,
        missing_flags=flags or UNSET,
        detail=detail or UNSET,
    )


def install_command(target: str, reference: ReferenceSkill) -> str:
    return str(command_line.build("skills install", to=target, repo_root=reference.repo_root, json=True))


def add_remediation(found: SkillTarget, reference: ReferenceSkill) -> SkillTarget:
    """Add the recommended actions."""
    install = install_command(found.target, reference)
    hints = {
        "missing": [install, "lisa skills doctor --json shows whether it worked"],
        "error": [f"look at {found.path}: not a readable skill", install],
        "newer": ["update lisa: the installed skill is of a later version", install + "  # restores the older version"],
        "outdated": _outdated_hints(found, install),
    }.get(found.status, [])
    return msgspec.structs.replace(found, remediation=hints) if hints else found


def _outdated_hints(found: SkillTarget, install: str) -> list[str]:
    hints = [install]
    if found.missing_commands:
        hints.append("commands are missing from its data/commands.md; install the skill")
    if found.missing_flags:
        hints.append("flags are missing from its data/commands.md; install the skill")
    hints.append(f"save edits first: {command_line.build('skills sync', from_=found.target, repo_root='TREE')}")
    if found.content_hash is UNSET:
        hints.append("lisa skills doctor --deep compares the contents too")
    return hints


def plan(found: Sequence[SkillTarget], reference: ReferenceSkill) -> list[SkillSyncStep]:
    """Return the recommended actions, most urgent first."""
    steps = [
        SkillSyncStep(
            target=target.target,
            status=target.status,
            path=target.path,
            command=install_command(target.target, reference),
            reason=target.detail or target.status,
            priority=PRIORITIES.get(target.status, 1),
        )
        for target in found
        if target.status not in ("up_to_date", "newer")
    ]
    return sorted(steps, key=lambda step: (-step.priority, step.target))


def fix(
    ctx: Context, found: Sequence[SkillTarget], reference: ReferenceSkill, *, to: str = "", force: bool = False
) -> list[SkillTarget]:
    """Install where a skill is missing, outdated or broken: for present agents, or for the named one."""
    homes = installer.agent_homes(ctx)
    if to and to not in homes:
        raise LisaError("skills_destination_resolve_failed", f"invalid --to: {to} (expected {'|'.join(homes)})")
    return [_fix_target(ctx, target, reference, homes, to, force) for target in found]


def _fix_target(
    ctx: Context, target: SkillTarget, reference: ReferenceSkill, homes: Mapping[str, str], to: str, force: bool
) -> SkillTarget:
    chosen = target.target == to if to else files.is_dir(homes[target.target])
    if not chosen or target.status in ("up_to_date", "newer"):
        return target
    try:
        installer.copy_skill(ctx, reference.path, target.path, code="skills_install_failed", force=force)
    except LisaError as problem:
        detail = "; ".join(part for part in (target.detail, "auto-fix install failed") if part)
        return msgspec.structs.replace(target, status="error", detail=detail, fix_error=problem.message)
    return msgspec.structs.replace(inspect(target.target, target.path, reference), fixed=True)
