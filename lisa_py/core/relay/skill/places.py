"""Where a skill comes from and goes to, from the words of the call."""

from __future__ import annotations

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.relay.skill import copying
from lisa_py.host import files


def source_of_install(ctx: Context, repo_root: str) -> str:
    """The tree the caller names, else what comes with lisa: no network, no checkout."""
    return copying.in_tree(files.canonical(repo_root)) if "repo_root" in ctx.given else copying.bundled()


def source_of_sync(ctx: Context, word: str, path: str) -> str:
    """Raises LisaError(skills_source_resolve_failed)."""
    name = word.strip().lower()
    code = "skills_source_resolve_failed"
    if name == "path":
        if not path.strip():
            raise LisaError(code, "--from path needs --path")
        return files.absolute(path.strip())
    found = copying.of_agent(ctx, name)
    if not found:
        raise LisaError(code, f"invalid --from: {word} (expected {'|'.join([*copying.homes(ctx), 'path'])})")
    return found


def destinations(ctx: Context, to: str, path: str, project_path: str) -> list[str]:
    """Where to install, in order. Raises LisaError(skills_destination_resolve_failed)."""
    if path.strip():
        return [files.absolute(path.strip())]
    if to.strip():
        return [_destination(ctx, to.strip().lower(), project_path)]
    code = "skills_destination_resolve_failed"
    found = [copying.in_tree(home) for home in copying.homes(ctx).values() if files.is_dir(home)]
    if not found:
        looked = " nor ".join(copying.homes(ctx).values())
        raise LisaError(code, f"neither {looked} is there; say where with --to or --path")
    return found


def _destination(ctx: Context, to: str, project_path: str) -> str:
    code = "skills_destination_resolve_failed"
    if to == copying.PROJECT:
        if not project_path.strip():
            raise LisaError(code, "--to project needs --project-path")
        return copying.in_tree(files.absolute(project_path.strip()))
    found = copying.of_agent(ctx, to)
    if not found:
        raise LisaError(code, f"invalid --to: {to} (expected {'|'.join([*copying.homes(ctx), copying.PROJECT])})")
    return found
