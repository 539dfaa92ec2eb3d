"""Install lisa's skill where agents find it; it comes with lisa, so no network and no checkout are needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.command import Command, Flag
from lisa_py.core.context import Context
from lisa_py.core.relay.skill import copying, places
from lisa_py.core.relay.skill.copying import Copied

FAILED = "skills_install_failed"


class Args(Struct, kw_only=True):
    to: Annotated[
        str, Flag(help="an agent, or project; default: every agent whose folder is here", metavar="AGENT|project")
    ] = ""
    project_path: Annotated[str, Flag(help="the project of --to project", metavar="PATH")] = ""
    path: Annotated[str, Flag(help="this folder instead of --to", metavar="PATH")] = ""
    repo_root: Annotated[
        str, Flag(help="install skills/lisa of this tree instead of the skill that comes with lisa", metavar="PATH")
    ] = ""
    force: Annotated[bool, Flag(help="replace the destination although it is not lisa's skill")] = False


class Installed(Struct, frozen=True, kw_only=True):
    """One copy lies flat; several are in `installs`."""

    source: str | UnsetType = UNSET
    destination: str | UnsetType = UNSET
    files: int | UnsetType = UNSET
    directories: int | UnsetType = UNSET
    symlinks: int | UnsetType = UNSET
    noop: bool | UnsetType = UNSET
    installs: Sequence[Copied] | UnsetType = UNSET


def run(args: Args, ctx: Context) -> Installed:
    source = places.source_of_install(ctx, args.repo_root)
    wanted = places.destinations(ctx, args.to, args.path, args.project_path)
    done = [copying.copy(ctx, source, place, code=FAILED, force=args.force) for place in wanted]
    if len(done) > 1:
        return Installed(installs=done)
    one = done[0]
    return Installed(
        source=one.source,
        destination=one.destination,
        files=one.files,
        directories=one.directories,
        symlinks=one.symlinks,
        noop=one.noop,
    )


def text(answer: Installed, args: Args) -> str:
    done: Sequence[Copied | Installed] = answer.installs or [answer]
    return "\n".join(
        f"skills install ok: {one.source} -> {one.destination} ({'same folder' if one.noop else f'{one.files} files'})"
        for one in done
    )


COMMAND = Command(
    args=Args,
    answer=Installed,
    run=run,
    text=text,
    errors={**copying.ERRORS, FAILED: "the copy failed; what was there is still there"},
    exits={
        0: "installed everywhere it should be",
        1: "not installed, or not everywhere; the message says what stopped",
    },
    example="lisa skills install --to claude",
    notes="Only a skill named lisa, an empty folder or nothing is replaced; --force replaces another folder.",
)
