"""End the processes of sessions: below a pane, with a run id or in its kernel session; TERM first, then KILL."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.core.lifecycle.end_recorder import begin_end
from lisa_py.host import files, processes
from lisa_py.host.processes import KernelSessions, Process
from lisa_py.host.tmux import Pane
from lisa_py.store import session_folder, session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import SessionRef

GRACE_SECONDS = 3.0
"""Seconds for an agent to write its last output after TERM."""
RECORD_SECONDS = 1.0
"""Seconds for the supervisor to record the end after the agent."""
FORCE_SECONDS = 3.0
DOUBT_SECONDS = 0.3
"""Seconds for a process that may belong to a run to end by itself."""
_POLL_SECONDS = 0.01


class SessionRun(Struct, frozen=True, kw_only=True):
    """One run of one session, with what identifies its processes."""

    ref: SessionRef
    run_id: str = ""
    roots: tuple[Process, ...] = ()
    """Processes whose whole tree belongs to the run."""
    leader: int = 0
    """Process id of the pane's supervisor, which led a kernel session; 0 if unknown."""
    leader_started: float = 0.0
    leader_seen_at: float = 0.0
    """Newest Unix time at which the supervisor was certainly alive; 0 if unknown."""


class LeftProcess(Answer):
    """A process that a kill had to leave."""

    pid: int
    command: str
    reason: str


class TerminationReport(Struct, frozen=True, kw_only=True):
    """Processes found of each run, and those that were left."""

    seen: dict[SessionRef, dict[int, Process]]
    remaining: dict[SessionRef, dict[int, Process]]
    """Processes that could not be ended."""
    doubtful: dict[SessionRef, dict[int, Process]]
    """Processes that may belong to another kernel session whose leader got the same process id; not touched."""

    def count(self, run: SessionRun) -> int:
        return len(self.seen.get(run.ref, ()))

    def error(self, run: SessionRun) -> str:
        remaining = self.remaining.get(run.ref)
        if not remaining:
            return ""
        named = ", ".join(f"{process.pid} ({process.name})" for process in remaining.values())
        return f"could not end: {named}; its records are kept"

    def left(self, run: SessionRun) -> tuple[LeftProcess, ...]:
        """Return what still runs and may belong to the run."""
        remaining, doubtful = self.remaining.get(run.ref, {}), self.doubtful.get(run.ref, {})
        return (
            *(_describe(process, _reason_to_survive(process)) for process in remaining.values()),
            *(
                _describe(process, "its session leader ended before it; it may be a stranger")
                for process in doubtful.values()
            ),
        )


def _describe(process: Process, reason: str) -> LeftProcess:
    return LeftProcess(pid=process.pid, command=" ".join(process.argv) or process.name, reason=reason)


def _reason_to_survive(process: Process) -> str:
    owner = processes.user_id(process.pid)
    return f"it runs as user {owner}" if owner not in (-1, processes.own_user_id()) else "it does not end after KILL"


def find_run(ref: SessionRef, pane: Pane | None) -> SessionRun:
    """Return the known processes of the session from tmux, its metadata, its start record and its supervisor."""
    meta, start = _read_or_none(session_records.read_meta, ref), _read_or_none(session_records.read_start, ref)
    shown = processes.read_process(pane.pid) if pane is not None and not pane.dead else None
    if shown is not None and meta is not None and meta.pane_pid == shown.pid and meta.pane_started:
        shown = shown if shown.started == meta.pane_started else None  # it has ended since, and its id is used again
    recorded = processes.read_process(start[1]) if start else None
    supervisor = next((each for each in (shown, recorded) if each and _is_own_supervisor(each, ref, meta)), None)
    leader = supervisor if supervisor is not None and supervisor.kernel_session == supervisor.pid else None
    known = meta if meta is not None and meta.pane_started else None
    return SessionRun(
        ref=ref,
        run_id=(meta.run_id if meta else "") or (start[0] if start else "") or _read_run_id(supervisor, ref),
        roots=tuple({each.pid: each for each in (shown, supervisor) if each is not None}.values()),
        leader=known.pane_pid if known else leader.pid if leader else 0,
        leader_started=known.pane_started if known else leader.started if leader else 0.0,
        leader_seen_at=max(files.modified_at(ref.heartbeat), files.modified_at(ref.done)),
    )


T = TypeVar("T")


def _read_or_none(read: Callable[[SessionRef], T | None], ref: SessionRef) -> T | None:
    """Return a record; None also for one that cannot be read: the others still show what to end."""
    try:
        return read(ref)
    except (UnreadableRecord, OSError):
        return None


def _read_run_id(supervisor: Process | None, ref: SessionRef) -> str:
    """Return the run id in the arguments of the supervisor, behind its session folder."""
    words = supervisor.argv[2:4] if supervisor is not None else ()
    return words[1] if len(words) == 2 and words[0] == ref.folder else ""


def _is_own_supervisor(supervisor: Process, ref: SessionRef, meta: SessionMeta | None) -> bool:
    """Return True if the process is the recorded one.

    Process ids are reused: its start time or the session folder in its arguments must match.
    """
    if meta is not None and meta.pane_pid == supervisor.pid and meta.pane_started:
        return meta.pane_started == supervisor.started
    return ref.folder in supervisor.argv


def end_processes(ctx: Context, runs: Sequence[SessionRun], *, grace: float = GRACE_SECONDS) -> TerminationReport:
    """End all processes of the runs. A zombie counts as ended."""
    survey = _Survey(set(), {})
    found = _find_processes(ctx, runs, survey)
    seen = found.certain
    first = [process for found in seen.values() for process in found.values()]
    folders = {run.ref.folder for run in runs}
    terminated = [process for process in first if not _is_supervisor(process, folders)]
    for process in terminated:
        _signal(process, signal.SIGTERM)
    _wait_for_exit(ctx, terminated, grace)
    if not any(_is_alive(process) for process in terminated):
        _wait_for_exit(ctx, first, RECORD_SECONDS)
    last = _kill_remaining(ctx, runs, survey, seen) if first else found
    return TerminationReport(seen=seen, remaining=last.certain, doubtful=last.doubtful)


class _Survey(Struct):
    """Processes known from an earlier look at all of them."""

    checked: set[tuple[int, int]]
    """Processes without the run ids."""
    sessions: KernelSessions


class _Found(Struct, frozen=True):
    """Living processes of each run, by id; runs without any are omitted."""

    certain: dict[SessionRef, dict[int, Process]]
    doubtful: dict[SessionRef, dict[int, Process]]


def _kill_remaining(
    ctx: Context,
    runs: Sequence[SessionRun],
    survey: _Survey,
    seen: dict[SessionRef, dict[int, Process]],
) -> _Found:
    """Kill the remaining processes, scanning again each time: a dying process may have started another.

    One that cannot be attributed may be ending, too: it no longer has an environment then.
    """
    deadline = ctx.clock.monotonic() + FORCE_SECONDS
    has_waited = False
    while True:
        found = _find_processes(ctx, runs, survey, seen)
        remaining = [process for group in found.certain.values() for process in group.values()]
        doubtful = [process for group in found.doubtful.values() for process in group.values()]
        if not remaining and doubtful and not has_waited:
            _wait_for_exit(ctx, doubtful, DOUBT_SECONDS)
            has_waited = True
            continue
        if not remaining or ctx.clock.monotonic() >= deadline:
            return found
        for ref, group in found.certain.items():
            seen.setdefault(ref, {}).update(group)
        for process in remaining:
            processes.send_signal(process, signal.SIGKILL)
        _wait_for_exit(ctx, remaining, 0.2)


def _find_processes(
    ctx: Context,
    runs: Sequence[SessionRun],
    survey: _Survey,
    seen: Mapping[SessionRef, Mapping[int, Process]] | None = None,
) -> _Found:
    """Return the live processes of each run except this one.

    Processes seen before still count, although the parents that identified them may have ended.
    """
    sessions = survey.sessions = processes.list_kernel_sessions(survey.sessions) if runs else {}
    entries = {f"LISA_RUN_ID={run.run_id}" for run in runs if run.run_id}
    since = min((run.leader_started for run in runs), default=0.0)
    carriers = processes.find_by_environments(entries, survey.checked, sessions, since)
    members = processes.find_by_kernel_sessions((run.leader for run in runs), sessions)
    found = _Found({}, {})
    for run in runs:
        group: dict[int, Process] = {}
        carrying = carriers.get(f"LISA_RUN_ID={run.run_id}", ())
        known = [process for process in (seen or {}).get(run.ref, {}).values() if _is_alive(process)]
        same_session = members.get(run.leader, ())
        proven = _leads(run, same_session, known, ctx.clock.now())
        for root in (*run.roots, *carrying, *known, *(same_session if proven else ())):
            if root.pid not in group:
                group.update((process.pid, process) for process in processes.read_own_tree(root) if process.alive)
        if group.pop(processes.own_pid(), None) is not None:
            ctx.on_own_end()
        if group:
            found.certain[run.ref] = group
        if doubtful := {} if proven else {each.pid: each for each in same_session if each.pid not in group}:
            found.doubtful[run.ref] = doubtful
    return found


def _leads(run: SessionRun, members: Sequence[Process], known: Sequence[Process], wall: float) -> bool:
    """Return True if the kernel session of these members is certainly the one that the run's supervisor led.

    A process id is not used again while a kernel session has it: one member from the supervisor's lifetime is proof.
    The end of that lifetime is unknown if it lies in the future: the clock `wall` was set back since.
    """
    leader = processes.read_process(run.leader, argv=False)
    if leader is not None:
        return leader.started == run.leader_started
    identities = {(process.pid, process.started) for process in known}
    now = processes.current_time()
    seen_at = run.leader_seen_at if run.leader_seen_at <= wall else 0.0
    return any(
        (member.pid, member.started) in identities
        or (member.started >= run.leader_started and processes.started_at(member, now) < seen_at)
        for member in members
    )


def _is_supervisor(process: Process, folders: Iterable[str]) -> bool:
    """Return True for the supervisor shells, which end by themselves and record the end."""
    return any(folder in process.argv[2:3] for folder in folders)


def _signal(process: Process, number: signal.Signals) -> None:
    if processes.send_signal(process, number) and process.state == "T":
        processes.send_signal(process, signal.SIGCONT)  # a stopped process only reacts to KILL


def _wait_for_exit(ctx: Context, watched: Sequence[Process], seconds: float) -> None:
    deadline = ctx.clock.monotonic() + seconds
    left = [process for process in watched if _is_alive(process)]
    while left and ctx.clock.monotonic() < deadline:
        ctx.clock.sleep(_POLL_SECONDS)
        left = [process for process in left if _is_alive(process)]


def _is_alive(process: Process) -> bool:
    return processes.is_running(process.pid, process.started)


def remove_leftovers(ctx: Context, ref: SessionRef) -> None:
    """Archive a session without a pane, remove its other records except events, and end its remaining processes."""
    if session_folder.has_more_than_events(ref):
        recorder = begin_end(ctx, ref, None, "job_completed")
        end_processes(ctx, [find_run(ref, None)], grace=1.0)
        if recorder is not None:
            recorder.finish(None)
        session_folder.remove_contents(ref)


def clean_other_projects(ctx: Context, ref: SessionRef) -> int:
    """Clear the name in all other projects where its session has ended and tmux has no pane; return their number."""
    cleaned = 0
    for other in list_namesakes(ctx, ref):
        try:
            exists = ctx.find_pane(other) is not None
        except TmuxUnavailable:
            continue  # the session may be alive
        if not exists:
            remove_leftovers(ctx, other)
            session_folder.remove_locks(other)
            cleaned += 1
    return cleaned


def list_namesakes(ctx: Context, ref: SessionRef) -> list[SessionRef]:
    """Return the references of the same name in other projects, as far as their metadata names the project."""
    every = session_records.find_by_name(ref.session, ctx.settings)
    return [other for other in every if other.project.hash != ref.project.hash]
