"""Install the bundled skill where agents find it, without network access."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.skill import installer, locations
from lisa_py.core.skill.installer import SkillCopyResult

FAILURE_CODE = "skills_install_failed"


class Args(Struct, kw_only=True):
    to: Annotated[str, Flag(help="agent or project; default: every agent with a folder", metavar="AGENT|project")] = ""
    project_path: Annotated[str, Flag(help="project folder of --to project", metavar="PATH")] = ""
    path: Annotated[str, Flag(help="folder instead of --to", metavar="PATH")] = ""
    repo_root: Annotated[str, Flag(help="source tree instead of the bundled skill", metavar="PATH")] = ""
    force: Annotated[bool, Flag(help="replacement of a destination that is not lisa's skill")] = False


class SkillsInstallResult(Struct, frozen=True, kw_only=True):
    """A single copy is at the top level; several are in `installs`."""

    source: str | UnsetType = UNSET
    destination: str | UnsetType = UNSET
    files: int | UnsetType = UNSET
    directories: int | UnsetType = UNSET
    symlinks: int | UnsetType = UNSET
    noop: bool | UnsetType = UNSET
    installs: Sequence[SkillCopyResult] | UnsetType = UNSET


def run(args: Args, ctx: Context) -> SkillsInstallResult:
    source = locations.install_source(ctx, args.repo_root)
    destinations = locations.destinations(ctx, args.to, args.path, args.project_path)
    copies = [
        installer.copy_skill(ctx, source, destination, code=FAILURE_CODE, force=args.force)
        for destination in destinations
    ]
    if len(copies) > 1:
        return SkillsInstallResult(installs=copies)
    return copy_fields(copies[0], SkillsInstallResult)


def text(answer: SkillsInstallResult, args: Args) -> str:
    copies: Sequence[SkillCopyResult | SkillsInstallResult] = answer.installs or [answer]
    return "\n".join(
        f"skills install ok: {copy.source} -> {copy.destination} "
        f"({'same folder' if copy.noop else f'{copy.files} files'})"
        for copy in copies
    )


COMMAND = Command(
    group="skill",
    args=Args,
    answer=SkillsInstallResult,
    run=run,
    text=text,
    errors=(
        *installer.ERRORS,
        FAILURE_CODE,
    ),
    exits={
        0: "installed everywhere",
        1: "not installed, or not everywhere; the message names the cause",
    },
    example="lisa skills install --to claude",
    notes="Only a skill named lisa, an empty folder or nothing is replaced; --force replaces another folder.",
)
