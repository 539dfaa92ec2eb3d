"""End the worktree of a killed session: remove it only if nothing can be lost."""

from __future__ import annotations

import os
from collections.abc import Iterator

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import command_line
from lisa_py.contract.answer import Answer
from lisa_py.contract.quoting import quote
from lisa_py.contract.records import SessionMeta, SessionWorktree
from lisa_py.core import session_panes
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import worktree
from lisa_py.host import files, processes
from lisa_py.host.git import GitFolder, describe_failure

_OPERATIONS = (
    *("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG"),
    *("rebase-merge", "rebase-apply", "sequencer"),
)
"""Files of a git operation that has not ended."""
_SUBMODULE = "160000 "
_SKIPPED = "Would skip repository "


class EndedWorktree(Answer):
    """Fate of the worktree of a killed session."""

    path: str
    branch: str
    removed: bool
    branch_removed: bool
    """True if the branch had no commits of its own."""
    reason: str | UnsetType = UNSET
    """Reason why the worktree stays."""
    command: str | UnsetType = UNSET
    """Command that continues from there."""


class _Obstacle(Struct, frozen=True):
    """A reason to keep a worktree, and the command that continues from there."""

    reason: str
    command: str


def end_worktree(ctx: Context, meta: SessionMeta, policy: str, *, merged: str = "") -> EndedWorktree | None:
    """Remove the worktree of an ended session by a policy (remove, keep or discard); None if it has none.

    `discard` gives up changes that are not committed. A commit is never lost. `merged` is a commit whose changes are
    in the base.
    """
    made = meta.worktree
    if made is None:
        return None
    git = GitFolder(made.repository, ctx.settings.environ)
    obstacle = _find_obstacle(git, meta, made, policy, merged)
    if obstacle is None and files.is_dir(made.path):
        force = ("--force",) if policy == "discard" or _has_submodules(git.at(made.path)) else ()
        done = git.call("worktree", "remove", *force, made.path)
        if done.code != 0:
            obstacle = _Obstacle(describe_failure(done), _build_removal(made, force=bool(force)))
    if obstacle is not None:
        return EndedWorktree(
            path=made.path,
            branch=made.branch,
            removed=False,
            branch_removed=False,
            reason=obstacle.reason,
            command=obstacle.command or UNSET,
        )
    worktree.remove_place(made)
    return EndedWorktree(
        path=made.path, branch=made.branch, removed=True, branch_removed=_delete_merged_branch(git, made, merged)
    )


def describe_kept(ended: EndedWorktree) -> str:
    """Return the line that says why a worktree stays."""
    return f"worktree {ended.path} stays: {ended.reason}" + (f"; {ended.command}" if ended.command else "")


def _find_obstacle(
    git: GitFolder, meta: SessionMeta, made: SessionWorktree, policy: str, merged: str
) -> _Obstacle | None:
    """Return the first reason to keep the worktree."""
    inside = git.at(made.path)
    removal = _build_removal(made, force=_has_submodules(inside))
    if policy == "keep":
        return _Obstacle("it is to be kept", removal)
    if not files.is_dir(made.path):
        if f"worktree {made.path}" not in git.ask("worktree", "list", "--porcelain").splitlines():
            return None  # session merge, or a person, has removed it
        return _Obstacle("its folder does not exist", f"git -C {quote(made.repository)} worktree prune")
    folder = inside.ask("rev-parse", "--path-format=absolute", "--git-dir")
    if os.path.dirname(folder) != os.path.join(made.repository, "worktrees"):
        return _Obstacle(f"it is no worktree of {made.repository} any more", "")
    if files.exists(os.path.join(folder, "locked")):
        return _Obstacle("it is locked", f"git -C {quote(made.repository)} worktree unlock {quote(made.path)}")
    running = processes.find_by_working_folder(made.path, {processes.own_pid(), meta.server_pid})
    if running is not None:
        is_own = (
            processes.carries(running, f"LISA_RUN_ID={meta.run_id}") and session_panes.find_supervisor(meta) is not None
        )
        if is_own:  # its folder is not taken from a living agent
            kill = command_line.build("session kill", session=meta.session, project_root=meta.project_root)
            return _Obstacle(f"its session still works in it (process {running.pid}, {running.name})", str(kill))
        return _Obstacle(f"process {running.pid} ({running.name}) works in it", removal)
    if policy != "discard":
        changes = describe_changes(inside)
        if changes:
            return _Obstacle(changes, _build_removal(made, force=True))
    elif nested := _find_untracked_repository(inside) or _find_ignored_repository(inside):
        return _Obstacle(nested, _build_removal(made, force=True))
    return _find_commits(git, inside, made, policy, merged)


def describe_changes(inside: GitFolder, *, untracked: bool = True) -> str:
    """Return what is not committed; empty if nothing."""
    folder = inside.ask("rev-parse", "--path-format=absolute", "--git-dir")
    for name in _OPERATIONS:
        if files.exists(os.path.join(folder, name)):
            return f"a git operation has not ended ({name})"
    status = inside.call(
        "status", "--porcelain", "-z", f"--untracked-files={'all' if untracked else 'no'}", "--ignore-submodules=none"
    )
    if status.code != 0:
        return f"its state is unknown: {describe_failure(status)}"
    count = status.out.count(b"\0")
    if count:
        return f"{count} {'file is' if count == 1 else 'files are'} not committed"
    return _find_ignored_repository(inside) if untracked else ""


def _find_ignored_repository(inside: GitFolder) -> str:
    """Return that there is a repository in an ignored folder; empty if not."""
    nested = inside.call("clean", "-ndX")  # removes nothing; it names repositories
    lines = [line for line in nested.text.splitlines() if line.startswith(_SKIPPED)]
    return f"it has a repository in an ignored folder ({lines[0].removeprefix(_SKIPPED)})" if lines else ""


def _find_untracked_repository(inside: GitFolder) -> str:
    """Return that there is a repository in an untracked folder; empty if not."""
    found = inside.call("ls-files", "-z", "--others", "--exclude-standard").text.split("\0")
    nested = [path for path in found if path.endswith("/")]  # git does not look into another repository
    return f"it has a repository in an untracked folder ({nested[0].rstrip('/')})" if nested else ""


def _find_commits(
    git: GitFolder, inside: GitFolder, made: SessionWorktree, policy: str, merged: str
) -> _Obstacle | None:
    """Return the commits that would be lost; with `remove` also those that are neither in the base nor pushed."""
    head = ("HEAD", *list_existing(git, f"refs/heads/{made.branch}"))
    bases = (made.base_commit, *list_existing(git, made.base, merged))
    known = ("--branches", "--tags", "--remotes") if policy == "discard" else (*bases, "--remotes")
    found = inside.call("rev-list", "--max-count=1", *(head if policy != "discard" else ("HEAD",)), "--not", *known)
    if found.code != 0:
        return _Obstacle(f"its commits are unknown: {describe_failure(found)}", "")
    if found.out.strip():
        if policy == "discard":
            return _Obstacle(
                "its commits are on no branch", f"git -C {quote(made.path)} branch {quote(made.branch + '-kept')}"
            )
        base = made.base.removeprefix("refs/heads/") or made.base_commit[:12]
        removal = _build_removal(made, force=_has_submodules(inside))
        return _Obstacle(f"commits are neither in {base} nor pushed", removal)
    for module in _list_modules(git, made):
        stash = list_existing(git.at(module), "refs/stash")
        own = git.at(module).call("rev-list", "--max-count=1", "HEAD", "--branches", *stash, "--not", "--remotes")
        if own.code != 0 or own.out.strip():
            push = f"git -C {quote(made.path)} submodule foreach --recursive git push"
            return _Obstacle("a submodule has commits that are not pushed", push)
    return None


def list_existing(git: GitFolder, *names: str) -> tuple[str, ...]:
    """Return the full names that name a commit."""
    return tuple(
        name for name in names if name and git.call("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").code == 0
    )


def _has_submodules(inside: GitFolder) -> bool:
    """Return True if git (2.39) removes the worktree with --force only, as it does also for empty submodules."""
    folder = inside.ask("rev-parse", "--path-format=absolute", "--git-dir")
    if folder and files.is_dir(os.path.join(folder, "modules")):
        return True
    return any(line.startswith(_SUBMODULE) for line in inside.call("ls-files", "--stage", "-z").text.split("\0"))


def _list_modules(git: GitFolder, made: SessionWorktree) -> list[str]:
    """Return the repositories of the submodules that were checked out in the worktree."""
    folder = git.at(made.path).ask("rev-parse", "--path-format=absolute", "--git-dir")
    return list(_find_repositories(os.path.join(folder, "modules"))) if folder else []


def _find_repositories(folder: str) -> Iterator[str]:
    for name in files.list_names(folder):
        path = os.path.join(folder, name)
        if not files.is_dir(path):
            continue
        is_repository = files.is_file(os.path.join(path, "HEAD")) and files.is_dir(os.path.join(path, "objects"))
        if is_repository:
            yield path
        yield from _find_repositories(os.path.join(path, "modules") if is_repository else path)


def _delete_merged_branch(git: GitFolder, made: SessionWorktree, merged: str) -> bool:
    """Delete the branch if all its commits are in the base; return True if it is gone."""
    name = f"refs/heads/{made.branch}"
    tip = git.ask("rev-parse", "--verify", "--quiet", name)
    if not tip:
        return True
    for base in (made.base_commit, *list_existing(git, made.base, merged)):
        if git.call("merge-base", "--is-ancestor", tip, base).code == 0:
            return worktree.delete_branch(git, made.branch, tip)
    return False


def _build_removal(made: SessionWorktree, *, force: bool = False) -> str:
    option = " --force" if force else ""
    return f"git -C {quote(made.repository)} worktree remove{option} {quote(made.path)}"
