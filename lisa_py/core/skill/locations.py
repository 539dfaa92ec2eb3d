"""Resolve source and destination of a skill from the flags."""

from __future__ import annotations

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.skill import installer
from lisa_py.host import files


def install_source(ctx: Context, repo_root: str) -> str:
    """Return the named source tree, else the bundled skill."""
    return (
        installer.skill_path(files.canonical_path(repo_root))
        if "repo_root" in ctx.given_fields
        else installer.bundled_path()
    )


def sync_source(ctx: Context, word: str, path: str) -> str:
    """Return the source. Raise LisaError(skills_source_resolve_failed)."""
    name = word.strip().lower()
    code = "skills_source_resolve_failed"
    if name == "path":
        if not path.strip():
            raise LisaError(code, "--from path needs --path")
        return files.absolute_path(path.strip())
    found = installer.agent_skill_path(ctx, name)
    if not found:
        raise LisaError(code, f"invalid --from: {word} (expected {'|'.join([*installer.agent_homes(ctx), 'path'])})")
    return found


def destinations(ctx: Context, to: str, path: str, project_path: str) -> list[str]:
    """Return the destinations in order. Raise LisaError(skills_destination_resolve_failed)."""
    if path.strip():
        return [files.absolute_path(path.strip())]
    if to.strip():
        return [_destination(ctx, to.strip().lower(), project_path)]
    code = "skills_destination_resolve_failed"
    found = [installer.skill_path(home) for home in installer.agent_homes(ctx).values() if files.is_dir(home)]
    if not found:
        looked = " nor ".join(installer.agent_homes(ctx).values())
        raise LisaError(code, f"neither {looked} exists; give --to or --path")
    return found


def _destination(ctx: Context, to: str, project_path: str) -> str:
    code = "skills_destination_resolve_failed"
    if to == installer.PROJECT:
        if not project_path.strip():
            raise LisaError(code, "--to project needs --project-path")
        return installer.skill_path(files.absolute_path(project_path.strip()))
    found = installer.agent_skill_path(ctx, to)
    if not found:
        raise LisaError(
            code, f"invalid --to: {to} (expected {'|'.join([*installer.agent_homes(ctx), installer.PROJECT])})"
        )
    return found
