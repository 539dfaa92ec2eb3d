"""Copy an edited skill from an agent back into a source tree."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.skill import installer, locations
from lisa_py.host import files, folder_copy

FAILURE_CODE = "skills_sync_failed"


class Args(Struct, kw_only=True):
    from_: Annotated[str, Flag(help="source: an agent, or path for the one at --path", metavar="AGENT|path")] = (
        agents.DEFAULT_NESTED
    )
    path: Annotated[str, Flag(help="skill folder of --from path", metavar="PATH")] = ""
    repo_root: Annotated[
        str, Flag(help="tree whose skills/lisa is replaced; default: current folder", metavar="PATH")
    ] = ""
    deep: Annotated[bool, Flag(help="content hash and comparison in the answer")] = False
    force: Annotated[bool, Flag(help="replacement of a destination that is not lisa's skill")] = False


class SkillsSyncResult(Answer):
    source: str
    destination: str
    files: int
    directories: int
    symlinks: int
    noop: bool | UnsetType = UNSET
    content_hash: str | UnsetType = UNSET
    drifted: bool | UnsetType = UNSET
    """With --deep: True if the content of the destination differed before."""


def run(args: Args, ctx: Context) -> SkillsSyncResult:
    source = locations.sync_source(ctx, args.from_, args.path)
    destination = installer.skill_path(files.canonical_path(args.repo_root or ctx.cwd))
    before = _hash_folder(destination) if args.deep else ""
    copy = installer.copy_skill(ctx, source, destination, code=FAILURE_CODE, force=args.force)
    after = _hash_folder(destination) if args.deep else ""
    drifted = before != after if args.deep else UNSET
    return copy_fields(copy, SkillsSyncResult, content_hash=after or UNSET, drifted=drifted)


def _hash_folder(folder: str) -> str:
    return folder_copy.content_hash(folder) if files.is_dir(folder) else ""


def text(answer: SkillsSyncResult, args: Args) -> str:
    count = "same folder" if answer.noop else f"{answer.files} files"
    return f"skills sync ok: {answer.source} -> {answer.destination} ({count})"


COMMAND = Command(
    group="skill",
    args=Args,
    answer=SkillsSyncResult,
    run=run,
    text=text,
    errors=(
        *installer.ERRORS,
        FAILURE_CODE,
    ),
    example="lisa skills sync --from path --path /tmp/edited-skill --repo-root .",
)
