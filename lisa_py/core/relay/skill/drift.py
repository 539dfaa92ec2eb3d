"""How far the installed skills are from the one of this lisa, and bringing them up to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import LisaError
from lisa_py.contract.surface import Surface
from lisa_py.core.context import Context
from lisa_py.core.relay.skill import copying, page
from lisa_py.host import files, trees

PRIORITIES = {"missing": 3, "outdated": 2}
AGREES = ("up_to_date", "missing", "newer")
"""What is no reason to fail: a newer skill is a reason to update lisa, not the skill."""


class Target(Struct, frozen=True, kw_only=True, rename="camel"):
    """One place where an agent looks for the skill."""

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


class Step(Struct, frozen=True, kw_only=True):
    """One thing to do about it."""

    target: str
    status: str
    path: str
    command: str
    reason: str
    priority: int


class Model(Struct, frozen=True, kw_only=True):
    """What the installed skills are compared with."""

    path: str
    version: str
    surface: Surface
    flags: bool = False
    """Compare flags too."""
    content: str = ""
    """Content hash; empty when contents are not compared."""
    repo_root: str = ""
    """The tree it lies in, where the caller named one."""


def model(path: str, surface: Surface, *, flags: bool, deep: bool, repo_root: str = "") -> Model:
    """Raises LisaError(skills_doctor_repo_path_failed | skills_doctor_repo_read_failed | ..._hash_failed)."""
    if not files.is_dir(path):
        raise LisaError("skills_doctor_repo_path_failed", f"no skill at {path}; --repo-root names another tree")
    try:
        found = page.manifest(path)
    except OSError as problem:
        raise LisaError("skills_doctor_repo_read_failed", f"cannot read {path}: {problem.strerror}") from problem
    if found is None or not found.version:
        raise LisaError(
            "skills_doctor_repo_read_failed", f"version field not found in the front matter of {path}/{page.MAIN}"
        )
    try:
        content = trees.content_hash(path) if deep else ""
    except OSError as problem:
        raise LisaError("skills_doctor_repo_hash_failed", f"cannot read {path}: {problem.strerror}") from problem
    shown = tuple(entry for entry in surface if not entry.command.hidden)
    return Model(path=path, version=found.version, surface=shown, flags=flags, content=content, repo_root=repo_root)


def targets(ctx: Context, wanted: Model) -> list[Target]:
    """Every agent's skill, judged."""
    return [inspect(name, copying.in_tree(home), wanted) for name, home in copying.homes(ctx).items()]


def inspect(name: str, path: str, wanted: Model) -> Target:
    if not files.exists(path):
        return Target(target=name, path=path, exists=False, status="missing", detail="skill directory not found")
    try:
        found = page.manifest(path)
        content = trees.content_hash(path) if wanted.content else ""
    except OSError as problem:
        return Target(target=name, path=path, exists=True, status="error", detail=f"cannot read it: {problem.strerror}")
    if found is None:
        detail = f"no {page.MAIN} with front matter there"
        return Target(target=name, path=path, exists=True, status="error", detail=detail)
    return _compare(name, path, wanted, found.version, content)


def _compare(name: str, path: str, wanted: Model, version: str, content: str) -> Target:
    index = page.index(path) or page.read_index("")
    commands = [entry.name for entry in wanted.surface if index.lacks(entry)]
    flags = [f"{entry.name}:{flag}" for entry in wanted.surface for flag in index.missing_flags(entry)]
    flags = flags if wanted.flags else []
    later = page.newer(version, wanted.version)
    parts = {
        f"version drift: repo={wanted.version} installed={version or 'none'}": version != wanted.version,
        "command contract drift": bool(commands),
        "flag surface drift": bool(flags),
        "content drift": content != wanted.content,
    }
    detail = "; ".join(text for text, differs in parts.items() if differs)
    return Target(
        target=name,
        path=path,
        exists=True,
        status="newer" if later else "outdated" if detail else "up_to_date",
        version=version or UNSET,
        content_hash=content or UNSET,
        repo_content_hash=wanted.content or UNSET,
        missing_commands=commands or UNSET,
        missing_flags=flags or UNSET,
        detail=detail or UNSET,
    )


def install_command(target: str, wanted: Model) -> str:
    where = f" --repo-root {_quoted(wanted.repo_root)}" if wanted.repo_root else ""
    return f"lisa skills install --to {target}{where} --json"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


def explained(found: Target, wanted: Model) -> Target:
    """With what to do about it."""
    install = install_command(found.target, wanted)
    hints = {
        "missing": [install, "lisa skills doctor --json shows whether it worked"],
        "error": [f"look at {found.path}: it is not a readable skill", install],
        "newer": ["update lisa: the installed skill is of a later version", install + "  # takes the older one back"],
        "outdated": _outdated(found, install),
    }.get(found.status, [])
    return msgspec.structs.replace(found, remediation=hints) if hints else found


def _outdated(found: Target, install: str) -> list[str]:
    hints = [install]
    if found.missing_commands:
        hints.append("commands are missing from its data/commands.md: installing brings them")
    if found.missing_flags:
        hints.append("flags are missing from its data/commands.md: installing brings them")
    hints.append(f"keep what was edited there first: lisa skills sync --from {found.target} --repo-root TREE")
    if found.content_hash is UNSET:
        hints.append("lisa skills doctor --deep compares the contents too")
    return hints


def plan(found: Sequence[Target], wanted: Model) -> list[Step]:
    """What to do, most urgent first."""
    steps = [
        Step(
            target=target.target,
            status=target.status,
            path=target.path,
            command=install_command(target.target, wanted),
            reason=target.detail or target.status,
            priority=PRIORITIES.get(target.status, 1),
        )
        for target in found
        if target.status not in ("up_to_date", "newer")
    ]
    return sorted(steps, key=lambda step: (-step.priority, step.target))


def fix(ctx: Context, found: Sequence[Target], wanted: Model, *, to: str = "", force: bool = False) -> list[Target]:
    """Install where a skill is missing, outdated or broken: for agents that are here, or for the one named."""
    homes = copying.homes(ctx)
    if to and to not in homes:
        raise LisaError("skills_destination_resolve_failed", f"invalid --to: {to} (expected {'|'.join(homes)})")
    return [_fixed(ctx, target, wanted, homes, to, force) for target in found]


def _fixed(ctx: Context, target: Target, wanted: Model, homes: Mapping[str, str], to: str, force: bool) -> Target:
    chosen = target.target == to if to else files.is_dir(homes[target.target])
    if not chosen or target.status in ("up_to_date", "newer"):
        return target
    try:
        copying.copy(ctx, wanted.path, target.path, code="skills_install_failed", force=force)
    except LisaError as problem:
        detail = "; ".join(part for part in (target.detail, "auto-fix install failed") if part)
        return msgspec.structs.replace(target, status="error", detail=detail, fix_error=problem.message)
    return msgspec.structs.replace(inspect(target.target, target.path, wanted), fixed=True)
