"""Kill sessions: children first, TERM then KILL; their events and archives remain."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.core import session_panes
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import terminate, worktree_end
from lisa_py.core.lifecycle.descendants import DescendantSearch
from lisa_py.core.lifecycle.end_recorder import EndRecorder, begin_end
from lisa_py.core.lifecycle.terminate import LeftProcess, SessionRun
from lisa_py.core.lifecycle.worktree_end import EndedWorktree
from lisa_py.core.output.pane_text import ChainedTexts
from lisa_py.core.session_panes import PaneIndex
from lisa_py.host import files
from lisa_py.host.tmux import Pane, Tmux
from lisa_py.store import child_sessions, events, pruning, session_folder, session_index, session_records, start_keys
from lisa_py.store.paths import SESSION_NAME, Project, SessionRef

LOCK_SECONDS = 40
"""Longer than a spawn of the same name may take."""


class KillResult(Answer):
    """Result of a kill."""

    session: str
    ok: bool
    found: bool
    """True if tmux had the session, or a process of it still ran."""
    project_root: str
    processes: int | UnsetType = UNSET
    """Number of processes that were found."""
    descendants: tuple[str, ...] | UnsetType = UNSET
    """Child sessions that were killed first."""
    left: tuple[LeftProcess, ...] | UnsetType = UNSET
    """Processes that still run and may belong to a session."""
    worktrees: tuple[EndedWorktree, ...] | UnsetType = UNSET
    """Worktrees that lisa had made for the killed sessions."""
    archive: str | UnsetType = UNSET
    """Id of the archive: `session history` and `session get` work with it, and with the name."""
    archive_errors: tuple[str, ...] | UnsetType = UNSET
    """Reasons why no archive was kept, by session."""
    errors: tuple[str, ...] | UnsetType | None = UNSET
    error_code: str | UnsetType = UNSET


class KillAllResult(Answer):
    """Result of killing all sessions of a project."""

    ok: bool
    killed: int
    total: int
    project_only: bool
    project_root: str
    sessions: tuple[str, ...]
    """Ended sessions."""
    left: tuple[LeftProcess, ...] | UnsetType = UNSET
    """Processes that still run and may belong to a session."""
    worktrees: tuple[EndedWorktree, ...] | UnsetType = UNSET
    """Worktrees that lisa had made for the killed sessions."""
    archive_errors: tuple[str, ...] | UnsetType = UNSET
    """Reasons why no archive was kept, by session."""
    errors: tuple[str, ...] | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


class _KillOutcome(Struct, frozen=True, kw_only=True):
    """End of one session."""

    ref: SessionRef
    found: bool = False
    processes: int = 0
    left: tuple[LeftProcess, ...] = ()
    error: str = ""
    archive: str = ""
    archive_error: str = ""
    worktree: EndedWorktree | None = None
    children: tuple[SessionRef, ...] | None = ()
    """Sessions that it had listed as its children; None if it had no list."""


class EndRequest(Struct, frozen=True, kw_only=True):
    """The reason to end a session, and what is kept of it."""

    reason: str = "user_requested"
    """End reason of the session's record, if it still lives."""
    detail: str = ""
    archive: bool = True
    """Keep an archive of the record and the conversation."""
    worktree: Literal["remove", "keep", "discard"] = "remove"
    """remove: unless something could be lost; discard: also with changes that are not committed."""


_BY_USER = EndRequest()


def end_session(ctx: Context, ref: SessionRef, reason: str, detail: str = "") -> KillResult:
    """End the session with a reason of its record, and keep its archive. Raise TmuxUnavailable."""
    return kill_session(ctx, ref, request=EndRequest(reason=reason, detail=detail))


def terminate_session(ctx: Context, ref: SessionRef, reason: str) -> None:
    """End a session completely; one that was killed before stays as it is.

    Raise LisaError(session_kill_failed), TmuxUnavailable.
    """
    if ref.archive:
        return
    result = end_session(ctx, ref, reason)
    if result.errors:
        raise LisaError("session_kill_failed", "; ".join(result.errors), session=ref.session)


def kill_session(
    ctx: Context, ref: SessionRef, *, all_hashes: bool = False, request: EndRequest = _BY_USER
) -> KillResult:
    """End the session with its child sessions, archive them, and remove their other records except events.

    Raise TmuxUnavailable if tmux cannot be queried; then nothing was changed.
    """
    ctx.find_reachable_pane(ref)
    search = DescendantSearch(ctx, ref, by_name=all_hashes)
    related = search.find()
    servers = [ctx.server(each) for each in (ref, *related)]
    below = msgspec.structs.replace(request, detail=f"its parent {ref.session} was ended")
    outcomes = _kill_together(ctx, related, "kill_descendant", below)
    target = _kill_together(ctx, [ref], "kill", request)[0]
    late = search.find_late({each.ref: each.children for each in (*outcomes, target)})
    outcomes += _kill_together(ctx, late, "kill_descendant", below)  # spawned during the kill of their parent
    if all_hashes:
        terminate.clean_other_projects(ctx, ref)
    for server in {server.socket: server for server in servers}.values():
        _warn_on_error(ctx, server.stop_if_unused)
    _warn_on_error(ctx, lambda: pruning.prune_hourly(ctx.settings, ctx.clock.now()))
    _start_waiting(ctx, ref.project)
    return _build_result(target, outcomes)


def _start_waiting(ctx: Context, project: Project) -> None:
    """Start the requests that waited for the end of a session."""
    if start_keys.list_waiting_keys(project):
        from lisa_py.core.lifecycle import start_session  # noqa: PLC0415 - it spawns, and spawn replaces by kill

        _warn_on_error(ctx, lambda: start_session.start_waiting(ctx, project))


def _build_result(target: _KillOutcome, descendants: Sequence[_KillOutcome]) -> KillResult:
    every = (*descendants, target)
    errors = tuple(each.error for each in every if each.error)
    code = "session_kill_failed" if errors else UNSET if target.found else "session_not_found"
    return KillResult(
        session=target.ref.session,
        ok=code is UNSET,
        found=target.found,
        project_root=target.ref.project.root,
        processes=target.processes or UNSET,
        descendants=tuple(each.ref.session for each in descendants) or UNSET,
        left=tuple(process for each in every for process in each.left) or UNSET,
        worktrees=_list_worktrees(every),
        archive=target.archive or UNSET,
        archive_errors=_list_archive_errors(every),
        errors=UNSET if code is UNSET else errors or None,
        error_code=code,
    )


def _list_archive_errors(ended: Sequence[_KillOutcome]) -> tuple[str, ...] | UnsetType:
    return tuple(f"{each.ref.session}: {each.archive_error}" for each in ended if each.archive_error) or UNSET


def _list_worktrees(ended: Sequence[_KillOutcome]) -> tuple[EndedWorktree, ...] | UnsetType:
    return tuple(each.worktree for each in ended if each.worktree is not None) or UNSET


def kill_all_sessions(
    ctx: Context,
    project: Project,
    *,
    project_only: bool = False,
    all_hashes: bool = False,
    request: EndRequest = _BY_USER,
) -> KillAllResult:
    """End every session on the socket of the project; with `project_only` those with metadata of the project.

    Requests that wait for the end of a session are dropped. Raise TmuxUnavailable.
    """
    panes, socket = ctx.list_panes(project), ctx.tmux(project).socket
    recorded = [known.meta for known in session_index.index_project(project).sessions]
    on_socket = [meta for meta in recorded if meta.socket_path in ("", socket)]
    names = sorted(name for name in session_panes.match_sessions(panes, on_socket) if SESSION_NAME.match(name))
    every = [SessionRef(project, name) for name in names]
    if project_only:
        own = {meta.session for meta in recorded}
        every = [ref for ref in every if ref.session in own]
    start_keys.remove_waiting(project)
    outcomes = _kill_together(ctx, every, "kill_all", request)
    for ref in every if all_hashes else ():
        terminate.clean_other_projects(ctx, ref)
    _warn_on_error(ctx, ctx.tmux(project).stop_if_unused)
    _warn_on_error(ctx, lambda: pruning.prune_hourly(ctx.settings, ctx.clock.now()))
    errors = tuple(each.error for each in outcomes if each.error)
    return KillAllResult(
        ok=not errors,
        killed=len(outcomes) - len(errors),
        total=len(outcomes),
        project_only=project_only,
        project_root=project.root,
        sessions=tuple(each.ref.session for each in outcomes if not each.error),
        left=tuple(process for each in outcomes for process in each.left) or UNSET,
        worktrees=_list_worktrees(outcomes),
        archive_errors=_list_archive_errors(outcomes),
        errors=errors or UNSET,
        error_code="session_kill_all_failed" if errors else UNSET,
    )


# -- ending -------------------------------------------------------------------------------------------------------


class _KillTarget(Struct, frozen=True, kw_only=True):
    """One session that is being killed; the lock of its name is held."""

    ref: SessionRef
    pane: Pane | None
    run: SessionRun
    recorder: EndRecorder | None
    has_damaged_meta: bool = False

    def describe_lost_archive(self, request: EndRequest) -> str:
        """Return the reason why there is no archive without a recorder; empty if none was possible."""
        return f"its metadata cannot be read: {self.ref.meta}" if request.archive and self.has_damaged_meta else ""


def _kill_together(ctx: Context, refs: Sequence[SessionRef], reason: str, request: EndRequest) -> list[_KillOutcome]:
    """End sessions together, with one common grace period; the results are in the given order."""
    outcomes: dict[SessionRef, _KillOutcome] = {}
    with contextlib.ExitStack() as locks:
        locked = _lock_all(ctx, refs, locks, outcomes)
        panes = _find_panes(ctx, locked, outcomes)
        subjects = _begin_ends(ctx, panes, request)
        ended = terminate.end_processes(ctx, [subject.run for subject in subjects])
        problems = {subject.ref: ended.error(subject.run) for subject in subjects}
        _finish_records(ctx, subjects, problems)
        _remove_from_tmux(ctx, [subject for subject in subjects if not problems[subject.ref]], problems)
        for subject in subjects:
            outcomes[subject.ref] = _finish_kill(ctx, subject, ended, problems[subject.ref], reason, request)
    return [outcomes[ref] for ref in refs]


def _lock_all(
    ctx: Context, refs: Sequence[SessionRef], locks: contextlib.ExitStack, outcomes: dict[SessionRef, _KillOutcome]
) -> list[SessionRef]:
    """Lock the names of those that exist, and return them; enter the outcomes of the others."""
    locked = []
    for ref in sorted(refs, key=lambda ref: ref.folder):  # every holder of several locks takes them in order
        try:
            if not _exists(ctx, ref):
                outcomes[ref] = _KillOutcome(ref=ref)
                continue
            locks.enter_context(_lock_name(ctx, ref))
            locked.append(ref)
        except LisaError as problem:
            outcomes[ref] = _build_failure(ref, problem)
    return locked


@contextlib.contextmanager
def _lock_name(ctx: Context, ref: SessionRef) -> Iterator[None]:
    """Hold the lock of the name; none on a disk that takes no file, where processes must end all the same."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(session_records.session_lock(ref, ctx.settings, "name", timeout_ms=LOCK_SECONDS * 1000))
        except LisaError as problem:
            if not files.is_unusable_disk(problem):
                raise
            ctx.warn(f"{ref.session} is ended without a lock of its name: {problem.message}")
        yield


def _build_failure(ref: SessionRef, problem: LisaError) -> _KillOutcome:
    return _KillOutcome(ref=ref, found=True, error=f"{ref.session}: {problem.message}")


def _find_panes(
    ctx: Context, refs: Sequence[SessionRef], outcomes: dict[SessionRef, _KillOutcome]
) -> dict[SessionRef, Pane | None]:
    """Return the panes of sessions, with one list per server for several; enter the outcomes of those unknown."""
    found: dict[SessionRef, Pane | None] = {}
    lists: dict[str, PaneIndex] = {}
    for ref in refs:
        try:
            if len(refs) == 1:
                found[ref] = ctx.find_reachable_pane(ref)
                continue
            socket = ctx.server(ref).socket
            if socket not in lists:
                lists[socket] = PaneIndex(ctx.list_panes(ref.project, socket))
            found[ref] = session_panes.choose_pane(lists[socket], ref, ctx.read_meta(ref))
        except LisaError as problem:
            outcomes[ref] = _build_failure(ref, problem)
    return found


def _begin_ends(ctx: Context, panes: Mapping[SessionRef, Pane | None], request: EndRequest) -> list[_KillTarget]:
    """Record the ends of sessions, and read what only running ones have."""
    texts = _ChainedReads(ctx, panes) if len(panes) > 1 and request.archive else None
    targets = []
    for ref, pane in panes.items():
        read_together = texts.find(ref) if texts is not None else None
        recorder = begin_end(ctx, ref, pane, request.reason, request.detail, keep=request.archive, texts=read_together)
        run, is_damaged = terminate.find_run(ref, pane), recorder is None and _has_damaged_meta(ctx, ref)
        targets.append(_KillTarget(ref=ref, pane=pane, run=run, recorder=recorder, has_damaged_meta=is_damaged))
    return targets


def _has_damaged_meta(ctx: Context, ref: SessionRef) -> bool:
    return files.exists(ref.meta) and ctx.read_meta(ref) is None


class _ChainedReads:
    """The texts of the panes of commands, which have no transcript, by server."""

    def __init__(self, ctx: Context, panes: Mapping[SessionRef, Pane | None]) -> None:
        self._ctx = ctx
        servers: dict[str, list[Pane]] = {}
        for ref, pane in panes.items():
            meta = ctx.read_meta(ref)
            if pane is not None and meta is not None and meta.custom_command:
                servers.setdefault(ctx.server(ref).socket, []).append(pane)
        self._texts = {
            socket: ChainedTexts(ctx.tmux(next(iter(panes)).project, socket), group)
            for socket, group in servers.items()
        }

    def find(self, ref: SessionRef) -> ChainedTexts | None:
        return self._texts.get(self._ctx.server(ref).socket)


def _exists(ctx: Context, ref: SessionRef) -> bool:
    """Return True if the session has records or a pane; an unknown name must leave no file."""
    if ref.archive:
        return False
    recorded = session_folder.has_more_than_events(ref) or session_folder.is_link(ref)
    return recorded or ctx.find_reachable_pane(ref) is not None


def _finish_records(ctx: Context, subjects: Sequence[_KillTarget], problems: Mapping[SessionRef, str]) -> None:
    """Complete record and archive of each session whose processes have ended."""
    ended = {subject.ref: subject for subject in subjects if not problems[subject.ref]}
    texts = _ChainedReads(ctx, {ref: each.pane for ref, each in ended.items()}) if len(ended) > 1 else None
    for ref, subject in ended.items():
        if subject.recorder is not None:
            subject.recorder.finish(subject.pane, texts.find(ref) if texts is not None else None)


def _finish_kill(
    ctx: Context, subject: _KillTarget, ended: terminate.TerminationReport, error: str, reason: str, request: EndRequest
) -> _KillOutcome:
    ref, recorder = subject.ref, subject.recorder
    count, meta = ended.count(subject.run), ctx.read_meta(ref)
    found = subject.pane is not None or count > 0
    children = child_sessions.read_children(ref, ctx.settings)
    if not error:
        try:
            session_folder.remove_contents(ref)
        except LisaError as problem:
            error = problem.message
        except OSError as problem:
            error = f"cannot remove {problem.filename or ref.folder}: {problem.strerror or problem}"
    state, result = (
        ("degraded", "error") if error else ("terminated", "success") if found else ("not_found", "not_found")
    )
    _warn_on_error(
        ctx,
        lambda: events.add(
            ref,
            ctx.settings,
            ctx.clock.now(),
            type="lifecycle",
            state=state,
            status="idle",
            reason=f"{reason}_{result}",
        ),
    )
    if not error:
        session_folder.remove_locks(ref)
    return _KillOutcome(
        ref=ref,
        found=found,
        processes=count,
        left=ended.left(subject.run),
        archive=recorder.archive if recorder is not None else "",
        archive_error=subject.describe_lost_archive(request) if recorder is None else recorder.problem,
        worktree=None if error or meta is None else worktree_end.end_worktree(ctx, meta, request.worktree),
        error=f"{ref.session}: {error}" if error else "",
        children=children,
    )


def _remove_from_tmux(ctx: Context, subjects: Sequence[_KillTarget], problems: dict[SessionRef, str]) -> None:
    """End the panes of the sessions; enter in `problems` those that tmux may still have."""
    servers: dict[str, list[_KillTarget]] = {}
    for subject in subjects:
        servers.setdefault(ctx.server(subject.ref).socket, []).append(subject)
    for group in servers.values():
        server = ctx.server(group[0].ref)
        try:
            left = server.kill_panes([subject.pane for subject in group if subject.pane is not None])
        except LisaError as problem:
            problems.update((subject.ref, problem.message) for subject in group)
            continue
        for subject in group:
            try:
                _remove_tmux_session(ctx, server, subject, left)
            except LisaError as problem:
                problems[subject.ref] = problem.message


def remove_ended_pane(ctx: Context, ref: SessionRef, pane: Pane) -> None:
    """End the pane of an ended agent, so that the session can be started again. Raise LisaError."""
    server = ctx.server(ref)
    target = _KillTarget(ref=ref, pane=pane, run=terminate.find_run(ref, pane), recorder=None)
    _remove_tmux_session(ctx, server, target, server.kill_panes([pane]))


def _remove_tmux_session(ctx: Context, server: Tmux, subject: _KillTarget, left: Sequence[Pane]) -> None:
    """End the tmux session of an ended pane with the panes that a person opened in it.

    A tmux session that shows the pane of another session of lisa stays.
    """
    ref, pane, meta = subject.ref, subject.pane, ctx.read_meta(subject.ref)
    beside = [other for other in left if other.session == ref.session]  # for a pane that was moved, or is gone
    if pane is not None and (pane.session == ref.session or (meta and pane.session_id == meta.tmux_session)):
        beside = [other for other in left if other.session_id == pane.session_id]
    if not beside:
        return
    others = [other for other in session_panes.read_metas(ref.project) if other.session != ref.session]
    if not any(session_panes.is_own(each, other) for each in beside for other in others):
        server.kill_session(beside[0].session_id)


def _warn_on_error(ctx: Context, step: Callable[[], object]) -> None:
    try:
        step()
    except (LisaError, OSError) as problem:
        ctx.warn(f"observability warning: {problem}")
