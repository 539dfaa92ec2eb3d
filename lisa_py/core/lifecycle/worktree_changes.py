"""Compare the worktree of a session with its base, and merge its branch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.commit_line import build_commit_line
from lisa_py.contract.errors import LisaError, session_not_found
from lisa_py.contract.records import SessionMeta, SessionWorktree
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import worktree_end
from lisa_py.core.lifecycle.worktree_end import EndedWorktree
from lisa_py.host import files
from lisa_py.host.git import GitFolder, describe_failure
from lisa_py.store import session_index
from lisa_py.store.paths import SessionRef

_DIFF = ("diff", "--cached", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames")
_HEADS = "refs/heads/"
_SOME_NOT_ADDED = 1
"""Code of `git add --ignore-errors` (2.39) if a file cannot be read, or a nested repository has no commit."""


class ChangedFile(Answer):
    """One file that differs from the base."""

    path: str
    added: int | UnsetType = UNSET
    """Number of lines; absent for a binary file."""
    removed: int | UnsetType = UNSET


class DiffSummary(Answer):
    """All changes of a session since its base: committed, uncommitted and untracked."""

    session: str
    path: str
    branch: str
    base: str
    merge_base: str
    """Newest common commit of base and worktree, with which it is compared."""
    commits: int
    """Number of commits that the base has not."""
    changed: int
    """Number of files."""
    added: int
    removed: int
    files: tuple[ChangedFile, ...]
    patch: str | UnsetType = UNSET
    warnings: tuple[str, ...] | UnsetType = UNSET
    """Files that git cannot read, which are left out."""


class MergeSummary(Answer):
    """A merged branch, and the fate of its worktree."""

    session: str
    branch: str
    into: str
    commits: int
    """Number of commits that the target had not."""
    commit: str
    """Newest commit of the target."""
    worktree: EndedWorktree


class MergeRequest(Struct, frozen=True, kw_only=True):
    """A requested merge."""

    into: str = ""
    """Target branch; empty: the base."""
    squash: bool = False
    keep: bool = False


def compare_worktree(
    ctx: Context, ref: SessionRef, *, patch: bool = False, deadline: float | None = None
) -> DiffSummary:
    """Return the changes; the index of the worktree stays as it is.

    No call of git ends after `deadline`, a time of the monotonic clock. Raise LisaError: session_not_found,
    no_worktree, git_failed.
    """
    meta, made = _read_worktree(ctx, ref)
    git = GitFolder(made.path, ctx.settings.environ, deadline=deadline)
    base = worktree_end.list_existing(git, made.base)[:1] or (made.base_commit,)
    fork = git.run("merge-base", base[0], "HEAD").strip()
    with _stage_all(ctx, git) as (env, warnings):
        numbers = git.run(*_DIFF, "--numstat", "-z", fork, env=env)
        text = git.run(*_DIFF, "--patch", fork, env=env) if patch else ""
    changed = tuple(_parse_numbers(line) for line in numbers.split("\0") if line)
    return DiffSummary(
        session=meta.session,
        path=made.path,
        branch=made.branch,
        base=made.base.removeprefix(_HEADS) or made.base_commit,
        merge_base=fork,
        commits=int(git.run("rev-list", "--count", f"{base[0]}..HEAD")),
        changed=len(changed),
        added=sum(each.added or 0 for each in changed),
        removed=sum(each.removed or 0 for each in changed),
        files=changed,
        patch=_printable(text) if patch else UNSET,
        warnings=warnings or UNSET,
    )


@contextmanager
def _stage_all(ctx: Context, git: GitFolder) -> Iterator[tuple[dict[str, str], tuple[str, ...]]]:
    """Yield the environment of git with a temporary index that has every file, and what could not be added.

    The objects are temporary, too: nothing is written in the repository.
    """
    index = git.run("rev-parse", "--path-format=absolute", "--git-path", "index").removesuffix("\n")
    objects = git.run("rev-parse", "--path-format=absolute", "--git-path", "objects").removesuffix("\n")
    folder = files.make_temporary_dir(os.path.join(ctx.settings.temp_dir, "lisa-diff-"))
    try:
        env = {"GIT_INDEX_FILE": os.path.join(folder, "index"), "GIT_OBJECT_DIRECTORY": os.path.join(folder, "objects")}
        quoted = objects.replace("\\", "\\\\").replace('"', '\\"')  # git splits the list at colons outside of quotes
        env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = f'"{quoted}"'
        files.make_dirs(env["GIT_OBJECT_DIRECTORY"])
        if files.exists(index):
            files.write(env["GIT_INDEX_FILE"], files.read(index) or b"")
        added = git.call("add", "--all", "--ignore-errors", env=env)
        if added.code not in (0, _SOME_NOT_ADDED):
            raise LisaError("git_failed", f"git add failed in {git.folder}: {describe_failure(added)}")
        lines = added.error_text.splitlines() if added.code else []
        yield env, tuple(_printable(line) for line in lines if line.startswith("error: "))
    finally:
        files.remove_tree(folder)


def _parse_numbers(line: str) -> ChangedFile:
    added, removed, path = line.split("\t", 2)
    is_text = added != "-"
    return ChangedFile(
        path=_printable(path),
        added=int(added) if is_text else UNSET,
        removed=int(removed) if is_text else UNSET,
    )


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _read_worktree(ctx: Context, ref: SessionRef) -> tuple[SessionMeta, SessionWorktree]:
    """Return the worktree of a session, or the one that stayed after it. Raise LisaError."""
    meta = ctx.read_meta(ref)
    if meta is None:
        raise session_not_found(ref.session, ref.project.root)
    if meta.worktree is None:
        raise LisaError("no_worktree", f"{ref.session} was not started with --worktree", session=ref.session)
    if not files.is_dir(meta.worktree.path):
        raise LisaError("no_worktree", f"the worktree {meta.worktree.path} does not exist", session=ref.session)
    if ref.archive:
        _check_owner(ref, meta.worktree)
    return meta, meta.worktree


def _check_owner(ref: SessionRef, made: SessionWorktree) -> None:
    """Raise LisaError(no_worktree) if another session has made the worktree again at this place."""
    for known in session_index.index_project(ref.project).sessions:
        if known.meta.worktree is not None and known.meta.worktree.path == made.path:
            text = f"the worktree {made.path} is that of the session {known.ref.session} now"
            raise LisaError("no_worktree", text, session=ref.session)


def merge_worktree(ctx: Context, ref: SessionRef, request: MergeRequest) -> MergeSummary:
    """Merge the commits of the session into a branch; then remove the worktree if nothing can be lost.

    A conflict or another failure leaves target and worktree as they were. Raise LisaError: session_not_found,
    no_worktree, worktree_dirty, invalid_into, merge_target_dirty, merge_conflict, git_failed.
    """
    meta, made = _read_worktree(ctx, ref)
    inside = GitFolder(made.path, ctx.settings.environ)
    if changes := worktree_end.describe_changes(inside):
        text = f"{made.path}: {changes}; commit it first: {build_commit_line(made.path)}"
        raise LisaError("worktree_dirty", text, session=ref.session)
    tip = inside.run("rev-parse", "HEAD").strip()
    name = inside.ask("symbolic-ref", "--short", "--quiet", "HEAD") or tip
    into = request.into or made.base.removeprefix(_HEADS)
    target = f"{_HEADS}{into}"
    if not into or inside.call("rev-parse", "--verify", "--quiet", target).code != 0:
        reason = f"no branch {into}" if into else "the session began at a commit, not at a branch"
        raise LisaError("invalid_into", f"invalid --into: {reason}; give an existing branch", session=ref.session)
    count = int(inside.run("rev-list", "--count", f"{target}..{tip}"))
    with _open_target(inside, target, ctx.settings.temp_dir) as checkout:
        before = checkout.run("rev-parse", "HEAD").strip()
        if count:
            _merge(checkout, name, tip, before, request)
        after = checkout.run("rev-parse", "HEAD").strip()
        if before != after and not _is_on(checkout, target):
            inside.run("update-ref", target, after, before)
    policy = "keep" if request.keep else "remove"
    ended = worktree_end.end_worktree(ctx, meta, policy, merged=tip)
    assert ended is not None
    return MergeSummary(session=ref.session, branch=name, into=into, commits=count, commit=after, worktree=ended)


def _is_on(checkout: GitFolder, target: str) -> bool:
    return checkout.ask("symbolic-ref", "--quiet", "HEAD") == target


@contextmanager
def _open_target(git: GitFolder, target: str, temp_dir: str) -> Iterator[GitFolder]:
    """Yield the clean checkout of a branch; a temporary one without the branch itself if there is none."""
    place = ""
    for line in git.list_paths("worktree", "list", "--porcelain", "-z"):
        place = line.removeprefix("worktree ") if line.startswith("worktree ") else place
        if line == f"branch {target}" and files.is_dir(place):
            checkout = git.at(place)
            if changes := worktree_end.describe_changes(checkout, untracked=False):
                raise LisaError("merge_target_dirty", f"{place}: {changes}; commit or stash it first")
            yield checkout
            return
    folder = files.make_temporary_dir(os.path.join(temp_dir, "lisa-merge-"))
    place = os.path.join(folder, "tree")
    try:
        git.run("worktree", "add", "--quiet", "--detach", place, target)
        yield git.at(place)
    finally:
        git.call("worktree", "remove", "--force", place)
        files.remove_tree(folder)


def _merge(checkout: GitFolder, name: str, tip: str, before: str, request: MergeRequest) -> None:
    """Merge into a clean checkout, or leave it as it was."""
    try:
        words = ("--squash",) if request.squash else ("--no-edit", "-m", f"Merge branch '{name}'")
        done = checkout.call("merge", "--quiet", *words, tip)
        conflicts = checkout.list_paths("diff", "--name-only", "--diff-filter=U", "-z")
        if conflicts:
            shown = tuple(map(_printable, conflicts))
            text = f"{name} conflicts in {', '.join(shown)}; nothing was changed; merge the target into {name} first"
            raise LisaError("merge_conflict", text, files=shown)
        if done.code != 0:
            raise LisaError("git_failed", f"the merge failed, nothing was changed: {describe_failure(done)}")
        if request.squash:
            subjects = checkout.run("log", "--reverse", "--format=- %s", f"{before}..{tip}")
            checkout.run("commit", "--quiet", "-m", f"Squash branch '{name}'", "-m", subjects)
    except BaseException:
        checkout.call("reset", "--quiet", "--merge", before)
        raise
