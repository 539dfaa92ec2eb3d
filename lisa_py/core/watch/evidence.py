"""Everything that can be seen of some sessions, collected in one go: one pane list, one process pass, one capture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from lisa_py import agents
from lisa_py.agents.base import Agent, Binding, View
from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.frames import Frame
from lisa_py.contract.records import SessionMeta, SessionState
from lisa_py.contract.status import AgentReport
from lisa_py.core.context import Context
from lisa_py.core.watch import activity, transcript
from lisa_py.core.watch.memory import Memory
from lisa_py.host import files, processes
from lisa_py.host.processes import Process
from lisa_py.host.tmux import Pane, Tmux
from lisa_py.store import session as records
from lisa_py.store.places import Place
from lisa_py.store.records import Unreadable
from lisa_py.store.session import End

HOOKS_TAIL = 1 << 17
HOOKS_KEPT = 80
CLOCK_SLACK = 0.05
"""Seconds by which two programs' stamps of one moment may differ; transcripts round to milliseconds."""
PROMPT_HOOK = "UserPromptSubmit"
EXACT = ("agent_file", "title", "hook", "transcript")


class Evidence(Struct, kw_only=True):
    """What was seen of one session; `core.watch.verdict.judge` turns it into a status."""

    session: str
    folder: str = ""
    agent: str = ""
    agent_title: str = ""
    mode: str = ""
    meta: SessionMeta | None = None
    meta_error: str = ""
    state: SessionState = msgspec.field(default_factory=SessionState)
    state_error: str = ""
    tmux_error: str = ""
    """tmux could not be asked: nothing is known about the pane."""
    tmux_error_code: str = ""
    server_lost: bool = False
    """There are records of a started session, and no tmux server at all."""
    pane: Pane | None = None
    end: End | None = None
    """How this run ended."""
    other_end: End | None = None
    """An end record that belongs to another run."""
    end_error: str = ""
    started: bool = False
    """The supervisor has recorded that it starts the agent."""
    supervised: bool = False
    heartbeat_at: float = 0.0
    root: Process | None = None
    """The pane's own process, when it is alive and is the one spawn saw."""
    root_age: float = 0.0
    """Seconds since it was started."""
    beating: bool = False
    """The supervisor's heartbeat loop is alive."""
    agent_process: Process | None = None
    recognised: bool = False
    """The agent process was told by what it is, not only by where it stands."""
    workload: tuple[Process, ...] = ()
    """The command's own processes, without the supervisor's."""
    orphan: Process | None = None
    """The agent's process, alive although its pane is gone."""
    binding: Binding = Binding()
    frames: tuple[Frame, ...] = ()
    transcript_at: float = 0.0
    reports: tuple[AgentReport, ...] = ()
    prompted_at: float = 0.0
    """When the agent's newest prompt hook fired."""
    scan_error: str = ""
    screen: str = ""
    watch_paths: tuple[str, ...] = ()
    heartbeat_stale: int = 8
    output_stale: int = 240

    @property
    def run_id(self) -> str:
        return self.meta.run_id if self.meta else ""

    @property
    def custom(self) -> bool:
        return bool(self.meta and self.meta.custom_command)

    def begun_since(self, at: float) -> bool:
        """Whether the agent is seen to have taken a prompt since then."""
        if self.prompted_at >= at - CLOCK_SLACK:
            return True
        marks = (frame for frame in reversed(self.frames) if frame.kind in ("user", "turn_start"))
        newest = next(marks, None)
        return newest is not None and newest.at >= at - CLOCK_SLACK

    @property
    def created_at(self) -> float:
        return self.meta.created_unix if self.meta else 0.0


class _Subject(Struct):
    """One session while its evidence is being collected."""

    place: Place
    evidence: Evidence
    agent: Agent
    tmux: Tmux
    tree: tuple[Process, ...] = ()
    view: View | None = None


def collect(
    ctx: Context,
    places: Sequence[Place],
    *,
    agent: str = "auto",
    mode: str = "auto",
    screen: bool = False,
    brief: bool = False,
    memory: Memory | None = None,
    panes: Mapping[str, Sequence[Pane]] | None = None,
) -> list[Evidence]:
    """The evidence about each session, in the order asked for; changes nothing on disk.

    `screen` reads every living pane's screen, else only where it decides something. `brief` leaves out what only
    refines the answer (transcripts of agents that tell their state themselves). `memory` carries what a waiter
    learned at its last look. `panes` are what servers (by socket) have just been seen to hold.
    """
    subjects = [_begin(ctx, place, agent, mode) for place in places]
    for server in {id(subject.tmux): subject.tmux for subject in subjects}.values():
        held = panes.get(server.socket) if panes else None
        _panes(server, [subject for subject in subjects if subject.tmux is server], held)
    open_panes = [subject.evidence.pane for subject in subjects]
    forest = processes.forest([pane.pid for pane in open_panes if pane is not None and not pane.dead])
    for subject in subjects:
        pane = subject.evidence.pane
        subject.tree = forest.get(pane.pid, ()) if pane is not None and not pane.dead else ()
        _process(subject)
        _records(subject)
    living = [subject for subject in subjects if subject.evidence.root is not None and subject.evidence.end is None]
    for subject in living:
        _ask_agent(ctx, subject, brief, memory)
    _activity(ctx, living, memory)
    _screens(living, screen)
    return [subject.evidence for subject in subjects]


# -- records ------------------------------------------------------------------------------------------------------


def _begin(ctx: Context, place: Place, agent_hint: str, mode_hint: str) -> _Subject:
    meta, problem = _load(lambda: records.read_meta(place))
    state, state_problem = _load(lambda: records.read_state(place))
    name = agent_hint if agent_hint not in ("", "auto") else (meta.agent if meta else "")
    chosen = _agent(name or named(place.session, agents.names()))
    mode = mode_hint if mode_hint not in ("", "auto") else (meta.mode if meta else "")
    evidence = Evidence(
        session=place.session,
        folder=place.folder,
        agent=chosen.name or name,
        agent_title=chosen.title,
        mode=mode or named(place.session, ("exec", "interactive")) or "interactive",
        meta=meta,
        meta_error=problem,
        state=state or SessionState(),
        state_error=state_problem,
        heartbeat_stale=ctx.settings.heartbeat_stale_seconds,
        output_stale=ctx.settings.output_stale_seconds,
    )
    return _Subject(place, evidence, chosen, ctx.tmux(place.project, meta.socket_path if meta else ""))


def _load(read: Any) -> tuple[Any, str]:
    try:
        return read(), ""
    except (Unreadable, OSError) as problem:
        return None, str(problem)


def _agent(name: str) -> Agent:
    try:
        return agents.get(name or agents.names()[0])
    except LisaError:
        return Agent()  # an agent file that is no longer there: nothing is known of its signals


def named(session: str, words: Sequence[str]) -> str:
    """The word a generated session name carries as one of its parts."""
    parts = session.split("-")
    return next((word for word in words if word in parts), "")


def _records(subject: _Subject) -> None:
    """Read after pane and processes were seen: whoever had ended by then has written its end before."""
    evidence, place = subject.evidence, subject.place
    start, start_problem = _load(lambda: records.read_start(place))
    end, problem = _load(lambda: records.read_end(place))
    evidence.started = start is not None or bool(start_problem)
    run_id = evidence.run_id or (start[0] if start else "")
    evidence.end_error = problem
    if end is not None and run_id and end.run_id != run_id:
        evidence.other_end = end
    else:
        evidence.end = end
    evidence.heartbeat_at = files.modified(place.heartbeat)
    evidence.supervised = evidence.started or files.exists(place.command)
    if evidence.server_lost and not evidence.started and not (evidence.meta and evidence.meta.pane_pid):
        evidence.server_lost = False  # spawn never got as far as a pane
    if evidence.pane is None and evidence.meta is not None:
        evidence.orphan = _orphan(evidence.meta, start)


def _orphan(meta: SessionMeta, start: tuple[str, int] | None) -> Process | None:
    """The supervisor of a session whose pane is gone, when it still runs."""
    pid = start[1] if start else meta.pane_pid
    found = processes.look(pid) if pid else None
    if found is None or not found.alive or (meta.pane_started and found.started != meta.pane_started):
        return None
    return found


# -- tmux ---------------------------------------------------------------------------------------------------------


def _panes(server: Tmux, subjects: Sequence[_Subject], held: Sequence[Pane] | None) -> None:
    try:
        found = _by_session(server, subjects) if held is None else _grouped(held)
        if any(_unexplained(pane) for subject in subjects for pane in found.get(subject.place.session, ())):
            server.nudge()  # a tmux that missed its SIGCHLD learns how the pane ended
            found = _by_session(server, subjects)
        missing = [subject for subject in subjects if not found.get(subject.place.session)]
        lost = any(subject.evidence.meta for subject in missing) and server.answers() is False
    except TmuxUnavailable as problem:
        for subject in subjects:
            subject.evidence.tmux_error = problem.message
            subject.evidence.tmux_error_code = problem.code
        return
    for subject in subjects:
        panes = found.get(subject.place.session, ())
        meta = subject.evidence.meta
        own = [pane for pane in panes if meta is not None and pane.pane_id == meta.pane_id]
        subject.evidence.pane = next(iter([*own, *panes]), None)
        subject.evidence.server_lost = lost and not panes and meta is not None


def _by_session(server: Tmux, subjects: Sequence[_Subject]) -> dict[str, list[Pane]]:
    if not files.exists(server.socket):
        server.program()  # no tmux at all is another answer than no server
        return {}
    wanted = subjects[0].place.session if len(subjects) == 1 else ""
    return _grouped(server.panes(wanted))


def _grouped(panes: Sequence[Pane]) -> dict[str, list[Pane]]:
    found: dict[str, list[Pane]] = {}
    for pane in panes:
        found.setdefault(pane.session, []).append(pane)
    return found


def _unexplained(pane: Pane) -> bool:
    return pane.dead and not pane.dead_status and not pane.dead_signal


def _screens(subjects: Sequence[_Subject], every: bool) -> None:
    """One chained capture per server for the panes whose screen decides something."""
    wanted = [subject for subject in subjects if every or _needs_screen(subject)]
    for server in {id(subject.tmux): subject.tmux for subject in wanted}.values():
        mine = [subject for subject in wanted if subject.tmux is server]
        ids = [subject.evidence.pane.pane_id for subject in mine if subject.evidence.pane is not None]
        try:
            texts = server.capture(ids)
        except TmuxUnavailable as problem:
            for subject in mine:
                subject.evidence.scan_error = problem.message
            continue
        for subject in mine:
            pane = subject.evidence.pane
            text = texts.get(pane.pane_id, "") if pane is not None else ""
            subject.evidence.screen = text
            if text and subject.view is not None:
                subject.view.screen = text
                kept = [report for report in subject.evidence.reports if report.source == "activity"]
                subject.evidence.reports = (*_reports(subject), *kept)


def _needs_screen(subject: _Subject) -> bool:
    if subject.view is None or subject.evidence.custom:
        return False
    return subject.agent.needs_screen([item for item in subject.evidence.reports if item.source != "activity"])


# -- processes ----------------------------------------------------------------------------------------------------


def _process(subject: _Subject) -> None:
    evidence = subject.evidence
    if not subject.tree:
        return
    root, meta = subject.tree[0], evidence.meta
    reused = meta is not None and meta.pane_pid == root.pid and meta.pane_started not in (0.0, root.started)
    if not root.alive or reused:
        return
    evidence.root, evidence.root_age = root, processes.age(root)
    own = activity.split(subject.tree, subject.place.command)
    evidence.workload, evidence.beating = own.workload, own.beating
    found = next((process for process in own.workload if _is(subject.agent, process)), None)
    evidence.recognised = found is not None and not evidence.custom
    evidence.agent_process = found or own.main


def _is(agent: Agent, process: Process) -> bool:
    """The agent itself, also behind an interpreter (`python /usr/bin/claude`); never told by a mere argument."""
    if not process.alive:
        return False
    if agent.is_agent(process):
        return True
    names = agent.binaries
    return any(os.path.basename(word) in names for word in process.argv[:2]) if names else False


# -- the agent's own word -----------------------------------------------------------------------------------------


def _ask_agent(ctx: Context, subject: _Subject, brief: bool, memory: Memory | None) -> None:
    evidence = subject.evidence
    if evidence.custom or not evidence.workload:
        return
    view = View(
        meta=evidence.meta or SessionMeta(session=evidence.session),
        processes=subject.tree,
        title=evidence.pane.title if evidence.pane else "",
        alternate=bool(evidence.pane and evidence.pane.alternate),
        hooks=hooks(subject.place),
        environ=ctx.settings.environ,
        now=ctx.clock.now(),
    )
    subject.view = view
    try:
        evidence.binding = subject.agent.bind(view)
        path = evidence.binding.transcript
        evidence.transcript_at = files.modified(path) if path else 0.0
        evidence.prompted_at = _prompted_at(view)
        reports = _reports(subject) if brief and not _unanswered(evidence) else []
        if not any(report.source in EXACT[:3] for report in reports):
            view.frames = _frames(subject.agent, path, memory)
            reports = _reports(subject)
        evidence.watch_paths = subject.agent.watch_paths(view, evidence.binding)
    except OSError as problem:
        evidence.scan_error = str(problem)
        return
    evidence.frames, evidence.reports = view.frames, tuple(reports)
    bound = next((item for item in subject.tree if item.pid == evidence.binding.pid and item.alive), None)
    if bound is not None:
        evidence.agent_process, evidence.recognised = bound, True


def _prompted_at(view: View) -> float:
    prompts = (hook.get("at") for hook in reversed(view.hooks) if hook.get("hook") == PROMPT_HOOK)
    newest = next(prompts, 0.0)
    return float(newest) if isinstance(newest, int | float) else 0.0


def _unanswered(evidence: Evidence) -> bool:
    """An input was given that no hook shows as taken: the transcript may."""
    state = evidence.state
    return state.last_input_expects_turn and not evidence.begun_since(state.last_input_at)


def _reports(subject: _Subject) -> list[AgentReport]:
    return subject.agent.reports(subject.view, subject.evidence.binding) if subject.view is not None else []


def _frames(agent: Agent, path: str, memory: Memory | None) -> tuple[Frame, ...]:
    if not path:
        return ()
    if memory is None:
        return transcript.tail(agent, path)
    return memory.follow(agent, path)


def hooks(place: Place) -> tuple[Mapping[str, object], ...]:
    """The newest signals the agent's hooks left, oldest first, each with `hook` and `at` beside its payload."""
    size = files.size(place.hooks)
    if size <= 0:
        return ()
    lines = files.read_from(place.hooks, max(0, size - HOOKS_TAIL), HOOKS_TAIL).split(b"\n")
    found = []
    for line in lines[-HOOKS_KEPT - 1 :]:
        try:
            record = msgspec.json.decode(line) if line else None
        except msgspec.DecodeError:
            continue  # the torn first line of the window
        if isinstance(record, dict):
            payload = record.get("payload")
            extra = payload if isinstance(payload, dict) else {}
            found.append({**extra, "hook": record.get("hook", ""), "at": record.get("at", 0.0)})
    return tuple(found)


def _activity(ctx: Context, subjects: Sequence[_Subject], memory: Memory | None) -> None:
    """What the processes themselves show, where the agent does not say; one short pause serves all that need it."""
    silent = [
        subject
        for subject in subjects
        if subject.evidence.mode != "exec"
        and subject.evidence.workload
        and not any(report.source in EXACT for report in subject.evidence.reports)
    ]
    looks = [activity.look(subject.evidence.workload, subject.evidence.agent_process) for subject in silent]
    activity.sample(looks, ctx.clock, memory)
    for subject, seen in zip(silent, looks, strict=True):
        pane = subject.evidence.pane
        age = ctx.clock.now() - (pane.activity if pane is not None else 0.0)
        beat_age = ctx.clock.now() - subject.evidence.heartbeat_at
        awake = not subject.evidence.beating or beat_age <= subject.evidence.heartbeat_stale
        report = activity.report(seen, quiet=age if awake else 0.0)
        if report is not None:
            subject.evidence.reports = (*subject.evidence.reports, report)
