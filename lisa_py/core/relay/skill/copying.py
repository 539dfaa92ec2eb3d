"""Putting a skill somewhere: only a skill is copied, and only a skill or nothing is replaced by it."""

from __future__ import annotations

import os

from msgspec import UNSET, Struct, UnsetType

import lisa_py
from lisa_py import agents
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.relay.skill import page
from lisa_py.host import files, trees

NOT_A_SKILL = "skills_destination_not_a_skill"
ERRORS = {
    NOT_A_SKILL: "what lies at the destination is not lisa's skill; --force replaces it all the same",
    "skills_destination_refused": "the destination is a folder that must never be replaced, --force or not",
    "skills_destination_resolve_failed": "it cannot be said where the skill goes",
    "skills_source_resolve_failed": "it cannot be said where the skill comes from",
}
PROJECT = "project"


class Copied(Struct, frozen=True, kw_only=True):
    """One copy."""

    source: str
    destination: str
    files: int = 0
    directories: int = 0
    symlinks: int = 0
    noop: bool | UnsetType = UNSET
    """Source and destination are the same folder."""


def bundled() -> str:
    """The skill that comes with this lisa."""
    return os.path.join(os.path.dirname(os.path.abspath(lisa_py.__file__)), "skill")


def package_root() -> str:
    """The folder that the program lies in: a checkout's top, or where packages are installed."""
    return os.path.dirname(os.path.dirname(bundled()))


def in_tree(root: str) -> str:
    """Where a source tree or a project keeps the skill."""
    return os.path.join(root, "skills", page.NAME)


def homes(ctx: Context) -> dict[str, str]:
    """Every agent that reads skills and its configuration folder; the one with a sandbox first."""
    offered = [agents.get(name) for name in agents.names()]
    found = {agent.name: agent.home(ctx.settings.environ) for agent in offered if not agent.hidden}
    return {name: found[name] for name in sorted(found, key=lambda name: name != agents.DEFAULT_NESTED) if found[name]}


def of_agent(ctx: Context, name: str) -> str:
    """Where this agent looks for lisa's skill; empty for an agent that is not known."""
    home = homes(ctx).get(name, "")
    return in_tree(home) if home else ""


def copy(ctx: Context, source: str, destination: str, *, code: str, force: bool = False) -> Copied:
    """Replace the destination by the source. Raises LisaError(code) or one of ERRORS; then nothing has changed."""
    real, place = os.path.realpath(source), files.absolute(destination)
    if os.path.realpath(place) == real:
        return Copied(source=source, destination=destination, noop=True)
    _check_source(source, code)
    _check_apart(real, os.path.realpath(place), code)
    _check_place(ctx, place, force)
    lock = os.path.join(files.private_dir(ctx.settings.state_dir), "skills.lock")
    with files.lock(lock, timeout_ms=ctx.settings.state_lock_timeout_ms):
        try:
            counts = trees.put(real, place, ctx.clock.now())
        except OSError as problem:
            raise LisaError(code, f"cannot copy {source} to {place}: {problem.strerror or problem}") from problem
        except LisaError as problem:
            raise LisaError(code, f"cannot copy {source} to {place}: {problem.message}") from problem
    return Copied(
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


def _check_apart(source: str, place: str, code: str) -> None:
    if f"{place}{os.sep}".startswith(f"{source}{os.sep}") or f"{source}{os.sep}".startswith(f"{place}{os.sep}"):
        raise LisaError(code, f"{place} and {source} lie in each other; nothing was copied")


def _check_place(ctx: Context, place: str, force: bool) -> None:
    home = files.canonical(ctx.settings.home)
    real = os.path.realpath(place)
    tops = {"/", home, files.canonical(ctx.cwd), *(os.path.realpath(path) for path in homes(ctx).values())}
    tree = files.exists(os.path.join(real, ".git")) and not os.path.islink(place)
    if tree or any(f"{top.rstrip('/')}/".startswith(f"{real.rstrip('/')}/") for top in tops):
        raise LisaError(
            "skills_destination_refused", f"{place} is no place for a skill: it would be replaced as a whole"
        )
    if os.path.lexists(place) and not force and not _replaceable(place):
        raise LisaError(
            NOT_A_SKILL, f"{place} is there and is not lisa's skill; give another --path, or --force to replace it"
        )


def _replaceable(place: str) -> bool:
    return files.is_dir(place) and (not files.names(place) or page.is_skill(place))
