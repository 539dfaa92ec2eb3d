"""Make a git worktree for a session: its own branch in its own folder next to the repository."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.contract import digests
from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionWorktree
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import worktree_start
from lisa_py.core.lifecycle.worktree_request import WorktreeRequest
from lisa_py.core.lifecycle.worktree_start import WorktreeStart
from lisa_py.host import files, folder_copy
from lisa_py.host.git import MISSING, GitFolder, describe_failure
from lisa_py.host.run import run_program

BRANCH_PREFIX = "lisa/"
INCLUDE_FILE = ".worktreeinclude"
"""List of patterns, as in .gitignore: ignored files that a new worktree gets, too."""
SETUP_FILE = ".lisa/worktree-setup"
"""Program of the repository that prepares a new worktree, if the caller agrees to exactly this content."""
SETUP_SECONDS = 600.0
_SHOWN_DIGITS = 16


class WorktreePlan(Struct, frozen=True, kw_only=True):
    """A checked worktree that does not exist yet."""

    worktree: SessionWorktree
    folder: str
    """Working folder of the agent: the project's place in the worktree."""
    source: str
    """Checkout whose ignored files it may get; empty if there is none."""
    setup: str = ""
    """SHA-256 of the set-up program that the caller agrees to."""


def plan_worktree(ctx: Context, root: str, session: str, request: WorktreeRequest) -> WorktreePlan:
    """Check a worktree of the repository of a folder; create nothing.

    Raise LisaError: not_a_repository, invalid_worktree_name, invalid_base, worktree_exists, git_failed.
    """
    git = GitFolder(root, ctx.settings.environ)
    common = _find_repository(git)
    name = request.name or session
    branch = f"{BRANCH_PREFIX}{name}"
    if "/" in name or git.call("check-ref-format", "--branch", branch).code != 0:
        raise LisaError("invalid_worktree_name", f"invalid --worktree-name: {name} (expected a name for a branch)")
    source, prefix = git.ask("rev-parse", "--show-toplevel"), git.ask("rev-parse", "--show-prefix")
    base, commit = _find_base(git, request.base, prefix)
    path = os.path.join(_choose_place(ctx, git, common), name)
    made = SessionWorktree(path=path, branch=branch, base=base, base_commit=commit, repository=common)
    interrupted = worktree_start.find_interrupted(made)
    if interrupted is not None:
        _require_unused(git, interrupted)
    elif git.call("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}").code == 0:
        raise _make_exists_error(branch, f"branch {branch} exists")
    elif os.path.lexists(path) and not files.is_empty_folder(path):
        raise _make_exists_error(branch, f"{path} exists")
    setup = _check_setup(git, commit, request.setup)
    return WorktreePlan(worktree=made, folder=os.path.join(path, prefix).rstrip("/"), source=source, setup=setup)


def _find_repository(git: GitFolder) -> str:
    """Return the folder of the repository, which all its worktrees share."""
    found = git.call("rev-parse", "--path-format=absolute", "--git-common-dir")
    if found.code == 0:
        return files.canonical_path(os.fsdecode(found.out).removesuffix("\n"))
    if found.code == MISSING:
        raise LisaError("git_failed", f"no worktree was made: {describe_failure(found)}")
    raise LisaError("not_a_repository", f"no worktree was made: {git.folder}: {describe_failure(found)}")


def _find_base(git: GitFolder, wanted: str, prefix: str) -> tuple[str, str]:
    """Return the full name of the base, empty for a commit, and its commit. Raise LisaError(invalid_base)."""
    word = wanted or "HEAD"
    commit = git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{word}^{{commit}}")
    if not commit:
        reason = "no commit of this name" if wanted else "the repository has no commit yet"
        raise LisaError("invalid_base", f"invalid --base: {word} ({reason}); give a branch or a commit")
    if prefix and git.call("cat-file", "-e", f"{commit}:{prefix.rstrip('/')}").code != 0:
        raise LisaError("invalid_base", f"invalid --base: {word} has no folder {prefix}, which is the project")
    name = git.ask("rev-parse", "--symbolic-full-name", "--end-of-options", word).rpartition("\n")[2]
    return ("" if name == "HEAD" else name if name.startswith("refs/") else ""), commit


def _check_setup(git: GitFolder, commit: str, agreed: str) -> str:
    """Return the hash of the set-up program if the caller agrees to it. Raise LisaError(invalid_worktree_setup)."""
    if not agreed:
        return ""
    found = git.call("cat-file", "blob", f"{commit}:{SETUP_FILE}")
    digest = _hash(found.out) if found.code == 0 else ""
    if len(agreed) < _SHOWN_DIGITS or not digest.startswith(agreed):
        expected = f"it is {digest[:_SHOWN_DIGITS]}" if digest else f"the base has no {SETUP_FILE}"
        raise LisaError("invalid_worktree_setup", f"invalid --worktree-setup: {agreed} ({expected}); read it first")
    return digest


def _hash(raw: bytes) -> str:
    return digests.sha256(raw).hexdigest()


def _run_setup(ctx: Context, made: SessionWorktree, agreed: str) -> tuple[str, ...]:
    """Run the set-up program if its content is the agreed one; a failure is a warning."""
    path = os.path.join(made.path, SETUP_FILE)
    linked = os.path.islink(os.path.dirname(path)) or os.path.islink(path)
    raw = None if linked else files.read(path)
    if raw is None:
        return ()
    digest = _hash(raw)
    if digest != agreed:
        return (f"{SETUP_FILE} was not run; read it, and --worktree-setup {digest[:_SHOWN_DIGITS]} runs it",)
    program = (path,) if os.access(path, os.X_OK) else ("/bin/sh", path)
    try:
        done = run_program(program, timeout=SETUP_SECONDS, env=ctx.settings.environ, cwd=made.path, group=True)
    except OSError as problem:
        return (f"{SETUP_FILE} failed: {problem.strerror}",)
    return () if done.code == 0 else (f"{SETUP_FILE} failed: {describe_failure(done)}",)


def _choose_place(ctx: Context, git: GitFolder, common: str) -> str:
    """Return the folder of all worktrees of the repository. Raise LisaError(git_failed)."""
    above = git.ask("rev-parse", "--show-superproject-working-tree")
    main = above or (os.path.dirname(common) if os.path.basename(common) == ".git" else common)
    chosen = ctx.settings.worktree_dir
    if not chosen:
        return f"{main}.lisa"
    place = os.path.join(files.canonical_path(os.path.join(main, os.path.expanduser(chosen))), os.path.basename(main))
    inside = os.path.commonpath((place, main)) == main and main != common
    if inside and git.at(main).call("check-ignore", "--quiet", place + "/").code != 0:
        raise LisaError(
            "git_failed", f"no worktree was made: LISA_WORKTREE_DIR is in the repository and not ignored: {place}"
        )
    return place


def _make_exists_error(branch: str, reason: str) -> LisaError:
    text = f"no worktree was made: {reason}; give another --worktree-name, or remove it"
    return LisaError("worktree_exists", text, branch=branch)


def create_worktree(ctx: Context, plan: WorktreePlan) -> tuple[str, ...]:
    """Create branch and folder, copy what .worktreeinclude lists, and check out submodules; return warnings.

    A failure leaves nothing. Raise LisaError: worktree_exists, git_failed.
    """
    made = plan.worktree
    with worktree_start.exclude_others(made):
        interrupted = worktree_start.find_interrupted(made)
        if interrupted is not None:
            _require_unused(GitFolder(made.repository, ctx.settings.environ), interrupted)
            undo_worktree(ctx, interrupted.worktree)
        return _create(ctx, plan)


def _require_unused(git: GitFolder, left: WorktreeStart) -> None:
    """Raise LisaError(worktree_exists) if the worktree of a killed start holds work of somebody."""
    made = left.worktree
    tip = git.ask("rev-parse", "--verify", "--quiet", f"refs/heads/{made.branch}")
    changed = left.is_checked_out and git.at(made.path).ask("status", "--porcelain")
    if changed or tip not in ("", made.base_commit):
        raise _make_exists_error(made.branch, f"{made.path} is left of a start that was killed, and has changes")


def _create(ctx: Context, plan: WorktreePlan) -> tuple[str, ...]:
    made = plan.worktree
    git = GitFolder(made.repository, ctx.settings.environ)
    try:
        files.make_dirs(os.path.dirname(made.path))
        _remove_empty(made.path)
        os.mkdir(made.path)
    except FileExistsError:
        raise _make_exists_error(made.branch, f"{made.path} exists") from None
    except OSError as problem:
        raise LisaError("git_failed", f"no worktree was made: {made.path}: {problem.strerror}") from None
    try:
        worktree_start.record(made)
        git.run("branch", "--no-track", made.branch, made.base_commit)
    except BaseException:
        _remove_empty(made.path)
        worktree_start.finish(made)
        raise
    try:
        git.run("worktree", "add", "--quiet", made.path, made.branch)
        copied = _copy_included(git.at(plan.source), made.path) if plan.source else ()
        submodules = _check_out_submodules(git.at(made.path))
        warnings = (*copied, *submodules, *_run_setup(ctx, made, plan.setup))
        worktree_start.record(made, is_checked_out=True)
    except BaseException:
        undo_worktree(ctx, made)
        raise
    return warnings


def undo_worktree(ctx: Context, made: SessionWorktree) -> None:
    """Remove a worktree of a failed start, and its branch unless it has commits of its own."""
    git = GitFolder(made.repository, ctx.settings.environ)
    git.call("worktree", "remove", "--force", "--force", made.path)
    if files.is_dir(made.path):
        files.remove_tree(made.path)
    git.call("worktree", "prune")
    delete_branch(git, made.branch, made.base_commit)
    _remove_empty(os.path.dirname(made.path))
    worktree_start.finish(made)


def delete_branch(git: GitFolder, branch: str, commit: str) -> bool:
    """Delete a branch if it still is at the commit; return True if it is gone."""
    deleted = git.call("update-ref", "-d", f"refs/heads/{branch}", commit).code == 0
    if deleted:
        git.call("config", "--remove-section", f"branch.{branch}")
    return deleted


def _remove_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        return


def remove_place(made: SessionWorktree) -> None:
    """Remove the folder of the worktrees of a repository if it is empty."""
    _remove_empty(os.path.dirname(made.path))


def _copy_included(git: GitFolder, target: str) -> tuple[str, ...]:
    """Copy the ignored files that .worktreeinclude lists; links are left out, and nothing is overwritten."""
    include = os.path.join(git.folder, INCLUDE_FILE)
    if not files.is_own_file(include):
        return ()
    listed = git.list_paths("ls-files", "-z", "--others", "--ignored", f"--exclude-from={include}")
    wanted = [path for path in listed if not path.endswith("/")]  # such a path is another repository
    if not wanted:
        return ()
    ignored = git.call("check-ignore", "-z", "--stdin", stdin=b"\0".join(os.fsencode(path) for path in wanted))
    links, failures = 0, []
    for name in filter(None, os.fsdecode(ignored.out).split("\0")):
        try:
            links += not folder_copy.copy_new_file(git.folder, target, name)
        except OSError as problem:
            failures.append(f"{name} ({problem.strerror})")
    left_out = (f"{INCLUDE_FILE}: {links} files were left out (links, or they exist)",) if links else ()
    failed = (f"{INCLUDE_FILE}: {len(failures)} files were not copied, first {failures[0]}",) if failures else ()
    return left_out + failed


def _check_out_submodules(git: GitFolder) -> tuple[str, ...]:
    if not files.exists(os.path.join(git.folder, ".gitmodules")):
        return ()
    found = git.call("submodule", "--quiet", "update", "--init", "--recursive")
    return () if found.code == 0 else (f"submodules are not complete: {describe_failure(found)}",)
