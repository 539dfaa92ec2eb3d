"""Bring a skill that was edited where an agent keeps it back into a source tree's skills/lisa."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.command import Command, Flag
from lisa_py.core.context import Context
from lisa_py.core.relay.skill import copying, places
from lisa_py.host import files, trees

FAILED = "skills_sync_failed"


class Args(Struct, kw_only=True):
    from_: Annotated[str, Flag(help="whose skill: an agent's, or the one at --path", metavar="AGENT|path")] = (
        agents.DEFAULT_NESTED
    )
    path: Annotated[str, Flag(help="the skill of --from path", metavar="PATH")] = ""
    repo_root: Annotated[
        str, Flag(help="the tree whose skills/lisa is replaced; default: the current folder", metavar="PATH")
    ] = ""
    deep: Annotated[bool, Flag(help="also answer the content hash and whether the content differed before")] = False
    force: Annotated[bool, Flag(help="replace the destination although it is not lisa's skill")] = False


class Synced(Struct, frozen=True, kw_only=True, rename="camel"):
    source: str
    destination: str
    files: int
    directories: int
    symlinks: int
    noop: bool | UnsetType = UNSET
    content_hash: str | UnsetType = UNSET
    drifted: bool | UnsetType = UNSET
    """With --deep: whether the destination was another one before."""


def run(args: Args, ctx: Context) -> Synced:
    source = places.source_of_sync(ctx, args.from_, args.path)
    destination = copying.in_tree(files.canonical(args.repo_root or ctx.cwd))
    before = _hash(destination) if args.deep else ""
    done = copying.copy(ctx, source, destination, code=FAILED, force=args.force)
    after = _hash(destination) if args.deep else ""
    return Synced(
        source=done.source,
        destination=done.destination,
        files=done.files,
        directories=done.directories,
        symlinks=done.symlinks,
        noop=done.noop,
        content_hash=after or UNSET,
        drifted=before != after if args.deep else UNSET,
    )


def _hash(folder: str) -> str:
    return trees.content_hash(folder) if files.is_dir(folder) else ""


def text(answer: Synced, args: Args) -> str:
    count = "same folder" if answer.noop else f"{answer.files} files"
    return f"skills sync ok: {answer.source} -> {answer.destination} ({count})"


COMMAND = Command(
    args=Args,
    answer=Synced,
    run=run,
    text=text,
    errors={**copying.ERRORS, FAILED: "the source is no skill, or the copy failed; what was there is still there"},
    example="lisa skills sync --from path --path /tmp/edited-skill --repo-root .",
)
