"""Kill sessions: children first, TERM then KILL, and remove everything but their events."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.core import session_panes
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import terminate
from lisa_py.core.lifecycle.terminate import LeftProcess, SessionRun
from lisa_py.host.tmux import Pane
from lisa_py.store import events, pruning, session_folder, session_index, session_records
from lisa_py.store.paths import SESSION_NAME, Project, SessionRef
from lisa_py.store.session_index import SessionIndexEntry

LOCK_SECONDS = 40
"""Longer than a spawn of the same name may take."""


class SessionKillReport(Struct, frozen=True, kw_only=True):
    """Result for one session."""

    ref: SessionRef
    found: bool = False
    """tmux had it, or a process of it still ran."""
    processes: int = 0
    left: tuple[LeftProcess, ...] = ()
    """Processes that still run and may belong to it."""
    error: str = ""


class KillReport(Struct, frozen=True, kw_only=True):
    """Result of a kill."""

    target: SessionKillReport
    descendants: tuple[SessionKillReport, ...] = ()
    """Child sessions, deepest first."""
    cleaned_projects: int = 0
    """Number of other projects in which leftovers of the name were removed."""

    @property
    def errors(self) -> list[str]:
        return [outcome.error for outcome in (*self.descendants, self.target) if outcome.error]

    @property
    def left(self) -> tuple[LeftProcess, ...]:
        return tuple(each for outcome in (*self.descendants, self.target) for each in outcome.left)


class KillAllReport(Struct, frozen=True, kw_only=True):
    """Result of killing all sessions of a project."""

    outcomes: tuple[SessionKillReport, ...]

    @property
    def killed(self) -> int:
        return sum(not outcome.error for outcome in self.outcomes)

    @property
    def errors(self) -> list[str]:
        return [outcome.error for outcome in self.outcomes if outcome.error]

    @property
    def left(self) -> tuple[LeftProcess, ...]:
        return tuple(each for outcome in self.outcomes for each in outcome.left)


def kill_session(ctx: Context, ref: SessionRef, *, all_hashes: bool = False) -> KillReport:
    """End the session with its child sessions, and remove their records except events.

    Raise TmuxUnavailable if tmux cannot be queried; then nothing was changed.
    """
    ctx.find_reachable_pane(ref)
    related = list_descendants(ctx, ref, all_hashes=all_hashes)
    servers = [ctx.server(each) for each in (ref, *related)]
    outcomes = _kill_together(ctx, related, "kill_descendant")
    target = _kill_together(ctx, [ref], "kill")[0]
    late = [known for known in list_descendants(ctx, ref, all_hashes=all_hashes) if known not in related]
    outcomes += _kill_together(ctx, late, "kill_descendant")  # spawned during the kill of their parent
    cleaned_projects = terminate.clean_other_projects(ctx, ref) if all_hashes else 0
    for server in {server.socket: server for server in servers}.values():
        _warn_on_error(ctx, server.stop_if_unused)
    _warn_on_error(ctx, lambda: pruning.prune(ctx.settings, ctx.clock.now()))
    return KillReport(target=target, descendants=tuple(outcomes), cleaned_projects=cleaned_projects)


def kill_all_sessions(
    ctx: Context, project: Project, *, project_only: bool = False, all_hashes: bool = False
) -> KillAllReport:
    """End every session on the socket of the project; with `project_only` those with metadata of the project.

    Raise TmuxUnavailable.
    """
    panes, socket = ctx.list_panes(project), ctx.tmux(project).socket
    recorded = [known.meta for known in session_index.index_project(project).sessions]
    on_socket = [meta for meta in recorded if meta.socket_path in ("", socket)]
    names = sorted(name for name in session_panes.match_sessions(panes, on_socket) if SESSION_NAME.match(name))
    every = [SessionRef(project, name) for name in names]
    if project_only:
        own = {meta.session for meta in recorded}
        every = [ref for ref in every if ref.session in own]
    outcomes = _kill_together(ctx, every, "kill_all")
    for ref in every if all_hashes else ():
        terminate.clean_other_projects(ctx, ref)
    _warn_on_error(ctx, ctx.tmux(project).stop_if_unused)
    _warn_on_error(ctx, lambda: pruning.prune(ctx.settings, ctx.clock.now()))
    return KillAllReport(outcomes=tuple(outcomes))


# -- who hangs on whom --------------------------------------------------------------------------------------------


def list_descendants(ctx: Context, ref: SessionRef, *, all_hashes: bool = False) -> list[SessionRef]:
    """Return all descendants of the session, deepest first.

    In its own project the name of the parent links them; in other projects its run id, which is unique.
    """
    every = [known for known in session_index.index_all_projects(ctx.settings).sessions if known.meta.parent_session]
    order: list[SessionRef] = []
    queue = [(ref, ctx.read_meta(ref))]
    while queue:
        parent, meta = queue.pop(0)
        for known in every:
            new = known.ref not in (ref, *order)
            if new and _is_child(known, parent, meta, by_name=all_hashes):
                order.append(known.ref)
                queue.append((known.ref, known.meta))
    return order[::-1]


def _is_child(known: SessionIndexEntry, parent: SessionRef, meta: SessionMeta | None, *, by_name: bool) -> bool:
    if known.meta.parent_session != parent.session:
        return False
    run_id = known.meta.parent_run_id
    if run_id and meta is not None and run_id == meta.run_id:
        return True
    return by_name or known.ref.project.hash == parent.project.hash


# -- ending -------------------------------------------------------------------------------------------------------


class _KillTarget(Struct, frozen=True, kw_only=True):
    """One session that is being killed; the lock of its name is held."""

    ref: SessionRef
    pane: Pane | None
    run: SessionRun


def _kill_together(ctx: Context, refs: Sequence[SessionRef], reason: str) -> list[SessionKillReport]:
    """End sessions together, with one common grace period; the results are in the given order."""
    outcomes: dict[SessionRef, SessionKillReport] = {}
    with contextlib.ExitStack() as locks:
        subjects: list[_KillTarget] = []
        for ref in sorted(refs, key=lambda ref: ref.folder):  # every holder of several locks takes them in order
            try:
                if not _exists(ctx, ref):
                    outcomes[ref] = SessionKillReport(ref=ref)
                    continue
                locks.enter_context(
                    session_records.session_lock(ref, ctx.settings, "name", timeout_ms=LOCK_SECONDS * 1000)
                )
                pane = ctx.find_reachable_pane(ref)
            except LisaError as problem:
                outcomes[ref] = SessionKillReport(ref=ref, found=True, error=f"{ref.session}: {problem.message}")
                continue
            subjects.append(_KillTarget(ref=ref, pane=pane, run=terminate.find_run(ref, pane)))
        ended = terminate.end_processes(ctx, [subject.run for subject in subjects])
        for subject in subjects:
            outcomes[subject.ref] = _finish_kill(ctx, subject, ended, reason)
    return [outcomes[ref] for ref in refs]


def _exists(ctx: Context, ref: SessionRef) -> bool:
    """Return True if the session has records or a pane; an unknown name must leave no file."""
    recorded = session_folder.has_more_than_events(ref) or session_folder.is_link(ref)
    return recorded or ctx.find_reachable_pane(ref) is not None


def _finish_kill(
    ctx: Context, subject: _KillTarget, ended: terminate.TerminationReport, reason: str
) -> SessionKillReport:
    ref = subject.ref
    count = ended.count(subject.run)
    found = subject.pane is not None or count > 0
    error = ended.error(subject.run)
    if not error:
        try:
            _remove_from_tmux(ctx, subject)
            session_folder.remove_contents(ref)
        except (LisaError, OSError) as problem:
            error = str(problem)
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
    return SessionKillReport(
        ref=ref,
        found=found,
        processes=count,
        left=ended.left(subject.run),
        error=f"{ref.session}: {error}" if error else "",
    )


def _remove_from_tmux(ctx: Context, subject: _KillTarget) -> None:
    """End the pane, and its tmux session with the panes that a person opened in it.

    A tmux session that shows the pane of another session of lisa stays.
    """
    ref, server, pane = subject.ref, ctx.server(subject.ref), subject.pane
    beside = server.kill_pane(pane) if pane is not None else []
    meta = ctx.read_meta(ref)
    own = pane is not None and (pane.session == ref.session or (meta and pane.session_id == meta.tmux_session))
    if not own:  # it was moved, or is gone
        beside = server.list_panes(ref.session)
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
