"""Copy a skill: only a skill is copied, and it only replaces a skill or an empty location."""

from __future__ import annotations

import os

from msgspec import UNSET, Struct, UnsetType

import lisa_py
from lisa_py import agents
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.skill import page
from lisa_py.host import files, folder_copy

NOT_A_SKILL = "skills_destination_not_a_skill"
ERRORS = (
    NOT_A_SKILL,
    "skills_destination_refused",
    "skills_destination_resolve_failed",
    "skills_source_resolve_failed",
)
PROJECT = "project"


class SkillCopyResult(Struct, frozen=True, kw_only=True):
    """One copy."""

    source: str
    destination: str
    files: int = 0
    directories: int = 0
    symlinks: int = 0
    noop: bool | UnsetType = UNSET
    """Source and destination are the same folder."""


def bundled_path() -> str:
    """Return the bundled skill."""
    return os.path.join(os.path.dirname(os.path.abspath(lisa_py.__file__)), "skill")


def package_root() -> str:
    """Return the folder of the program: the root of a checkout, or where packages are installed."""
    return os.path.dirname(os.path.dirname(bundled_path()))


def skill_path(root: str) -> str:
    """Return the skill location in a source tree or project."""
    return os.path.join(root, "skills", page.NAME)


def agent_homes(ctx: Context) -> dict[str, str]:
    """Return every agent that reads skills with its configuration folder; the one with a sandbox first."""
    offered = [agents.get(name) for name in agents.names()]
    found = {agent.name: agent.home(ctx.settings.environ) for agent in offered if not agent.hidden}
    return {name: found[name] for name in sorted(found, key=lambda name: name != agents.DEFAULT_NESTED) if found[name]}


def agent_skill_path(ctx: Context, name: str) -> str:
    """Return the location of the skill for this agent; empty for an unknown agent."""
    home = agent_homes(ctx).get(name, "")
    return skill_path(home) if home else ""


def copy_skill(ctx: Context, source: str, destination: str, *, code: str, force: bool = False) -> SkillCopyResult:
    """Replace the destination by the source. Raise LisaError(code) or one of ERRORS; then nothing was changed."""
    real, target = os.path.realpath(source), files.absolute_path(destination)
    if os.path.realpath(target) == real:
        return SkillCopyResult(source=source, destination=destination, noop=True)
    _check_source(source, code)
    _check_no_overlap(real, os.path.realpath(target), code)
    _check_destination(ctx, target, force)
    lock = os.path.join(files.ensure_private_dir(ctx.settings.state_dir), "skills.lock")
    with files.lock(lock, timeout_ms=ctx.settings.state_lock_timeout_ms):
        try:
            counts = folder_copy.replace_folder(real, target, ctx.clock.now())
        except OSError as problem:
            raise LisaError(code, f"cannot copy {source} to {target}: {problem.strerror or problem}") from problem
        except LisaError as problem:
            raise LisaError(code, f"cannot copy {source} to {target}: {problem.message}") from problem
    return SkillCopyResult(
        source=source,
        destination=destination,
        files=counts.files,
        directories=counts.directories,
        symlinks=counts.symlinks,
    )


def _check_source(source: str, code: str) -> None:
    if not files.is_dir(source):
        raise LisaError(code, f"{source} is not a folder; nothing was copied")
    if not page.is_skill(source):
        raise LisaError(code, f"{source} holds no {page.MAIN} with `name: {page.NAME}`; nothing was copied")


def _check_no_overlap(source: str, target: str, code: str) -> None:
    if f"{target}{os.sep}".startswith(f"{source}{os.sep}") or f"{source}{os.sep}".startswith(f"{target}{os.sep}"):
        raise LisaError(code, f"{target} and {source} overlap; nothing was copied")


def _check_destination(ctx: Context, target: str, force: bool) -> None:
    home = files.canonical_path(ctx.settings.home)
    real = os.path.realpath(target)
    tops = {"/", home, files.canonical_path(ctx.cwd), *(os.path.realpath(path) for path in agent_homes(ctx).values())}
    tree = files.exists(os.path.join(real, ".git")) and not os.path.islink(target)
    if tree or any(f"{top.rstrip('/')}/".startswith(f"{real.rstrip('/')}/") for top in tops):
        raise LisaError(
            "skills_destination_refused", f"{target} is not a skill folder: it would be replaced completely"
        )
    if os.path.lexists(target) and not force and not _is_replaceable(target):
        raise LisaError(
            NOT_A_SKILL, f"{target} exists and is not lisa's skill; use another --path, or --force to replace it"
        )


def _is_replaceable(target: str) -> bool:
    return files.is_dir(target) and (not files.list_names(target) or page.is_skill(target))
