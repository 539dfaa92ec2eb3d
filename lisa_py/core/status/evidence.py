"""Evidence about one session, and the probe that collects it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from lisa_py import agents
from lisa_py.agents.base import Agent, Binding, View
from lisa_py.contract.frames import REFUSALS, Frame, Todo
from lisa_py.contract.records import INPUT_HEAD, SessionMeta, SessionState
from lisa_py.contract.status import AgentReport, Helper
from lisa_py.core import session_panes
from lisa_py.core.context import Context
from lisa_py.host import files
from lisa_py.host.pane import Pane
from lisa_py.host.processes import Process
from lisa_py.host.tmux import Tmux
from lisa_py.store import session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import SessionRef
from lisa_py.store.session_records import EndRecord

AGENT_SOURCES = ("agent_file", "title", "hook", "transcript")
"""Kinds of evidence that come from the agent itself."""
CLOCK_SLACK = 0.05
"""Seconds by which two programs' stamps of one moment may differ; transcripts round to milliseconds."""


class Evidence(Struct, kw_only=True):
    """Evidence about one session; `core.status.verdict.judge` turns it into a status."""

    session: str
    folder: str = ""
    socket: str = ""
    """Of its tmux server."""
    agent: str = ""
    agent_title: str = ""
    mode: str = ""
    meta: SessionMeta | None = None
    meta_error: str = ""
    state: SessionState = msgspec.field(default_factory=SessionState)
    state_error: str = ""
    tmux_error: str = ""
    """tmux did not answer: nothing is known about the pane."""
    tmux_error_code: str = ""
    server_lost: bool = False
    """Records of a started session exist, but no tmux server."""
    pane: Pane | None = None
    end: EndRecord | None = None
    other_end: EndRecord | None = None
    """An end record that belongs to another run."""
    end_error: str = ""
    started: bool = False
    """The supervisor has recorded that it starts the agent."""
    launched: bool = False
    """It has read the environment for the agent, so the agent runs in a moment, or has run."""
    heartbeat_at: float = 0.0
    root: Process | None = None
    """The pane's own process, if it is alive and is the one that spawn started."""
    root_age: float = 0.0
    """Seconds since its start."""
    heartbeat_alive: bool = False
    agent_process: Process | None = None
    recognised: bool = False
    """The agent process was identified by its name, not only by its position in the tree."""
    workload: tuple[Process, ...] = ()
    """The command's own processes, without the supervisor's."""
    orphan: Process | None = None
    """A process of the session, alive although tmux does not show its pane."""
    binding: Binding = Binding()
    frames: tuple[Frame, ...] = ()
    todos: tuple[Todo, ...] = ()
    transcript_at: float = 0.0
    reports: tuple[AgentReport, ...] = ()
    prompted_at: float = 0.0
    """Time of the agent's newest prompt hook."""
    helpers: tuple[Helper, ...] = ()
    """Subagents, background shells and teammates of a living agent."""
    scan_error: str = ""
    screen: str = ""
    composer: str = ""
    """Kind of the input box on the screen (agents.base.Composer), or dialog; empty if it was not looked for."""
    input_block: str = ""
    """The dialog, mode or program in place of the input box; empty if there is none."""
    working_folder: str = ""
    """Working folder of the agent if it is not the project's."""
    watch_paths: tuple[str, ...] = ()
    heartbeat_stale: int = 8
    output_stale: int = 240

    @property
    def run_id(self) -> str:
        return self.meta.run_id if self.meta else ""

    @property
    def custom(self) -> bool:
        return bool(self.meta and self.meta.custom_command)

    def accepted_prompt_since(self, at: float) -> bool:
        """Return True if a hook or the transcript shows a prompt accepted since then."""
        if self.prompted_at >= at - CLOCK_SLACK:
            return True
        marks = (frame for frame in reversed(self.frames) if frame.kind in ("user", "turn_start"))
        newest = next(marks, None)
        return newest is not None and newest.at >= at - CLOCK_SLACK

    @property
    def refusal(self) -> str:
        """Return the agent's words if it refused the newest input; empty if it did not, or has got a later one."""
        state = self.state
        since = max(state.last_input_at, self.created_at) - CLOCK_SLACK
        words, before = "", ""
        for frame in self.frames:
            if frame.at < since:
                continue
            if frame.kind == "system" and frame.reason in REFUSALS and before in ("", "user"):
                words = frame.text
            elif frame.kind == "user":
                words, before = "", frame.kind
            elif frame.kind not in ("turn_start", "usage"):
                before = frame.kind
        if words:
            return words
        taken = any(frame.kind == "user" and frame.at >= since for frame in self.frames)
        return "" if taken else state.last_input_refused

    @property
    def reports_acceptance(self) -> bool:
        """Return True if the agent can confirm that it accepted an input."""
        return not self.custom and bool(self.binding.transcript or (self.meta and self.meta.hooks))

    @property
    def awaits_first_report(self) -> bool:
        """Return True for an agent with hooks that has reported nothing yet: it is still starting."""
        hooked = bool(self.meta and self.meta.hooks) and not self.custom
        return hooked and not any(report.source in AGENT_SOURCES for report in self.reports)

    @property
    def was_prompted(self) -> bool:
        """Return True if a prompt was sent after the start, which requires a visible input box."""
        prompt = self.meta.prompt if self.meta else ""
        state = self.state
        return (
            state.last_input_expects_turn
            and bool(state.last_input_text)
            and state.last_input_text != prompt[:INPUT_HEAD]
        )

    @property
    def created_at(self) -> float:
        return self.meta.created_unix if self.meta else 0.0


class SessionProbe(Struct):
    """A session, its agent and its tmux server, with the evidence collected so far."""

    ref: SessionRef
    evidence: Evidence
    agent: Agent
    tmux: Tmux
    tree: tuple[Process, ...] = ()
    """The pane's process tree."""
    view: View | None = None
    """Input of the agent file."""


def start_probe(ctx: Context, ref: SessionRef, agent_hint: str, mode_hint: str) -> SessionProbe:
    """Start a probe with the session's session_records."""
    meta, problem = _try_read(lambda: session_records.read_meta(ref))
    state, state_problem = _try_read(lambda: session_records.read_state(ref))
    name = agent_hint if agent_hint not in ("", "auto") else (meta.agent if meta else "")
    chosen = agents.get_or_default(name or find_name_part(ref.session, agents.names()) or agents.names()[0])
    mode = mode_hint if mode_hint not in ("", "auto") else (meta.mode if meta else "")
    evidence = Evidence(
        session=ref.session,
        folder=ref.folder,
        agent=chosen.name or name,
        agent_title=chosen.title,
        mode=mode or find_name_part(ref.session, ("exec", "interactive")) or "interactive",
        meta=meta,
        meta_error=problem,
        state=state or SessionState(),
        state_error=state_problem,
        heartbeat_stale=ctx.settings.heartbeat_stale_seconds,
        output_stale=ctx.settings.output_stale_seconds,
    )
    server = ctx.tmux(ref.project, meta.socket_path if meta else "")
    evidence.socket = server.socket
    return SessionProbe(ref, evidence, chosen, server)


def _try_read(read: Any) -> tuple[Any, str]:
    try:
        return read(), ""
    except (UnreadableRecord, OSError) as problem:
        return None, str(problem)


def find_name_part(session: str, words: Sequence[str]) -> str:
    """Return the first of these words that is a part of a generated session name, or an empty text."""
    parts = session.split("-")
    return next((word for word in words if word in parts), "")


def read_end_records(probe: SessionProbe) -> None:
    """Read start and end records; after pane and processes, because an end is recorded before the process ends."""
    evidence, ref = probe.evidence, probe.ref
    start, start_problem = _try_read(lambda: session_records.read_start(ref))
    end, problem = _try_read(lambda: session_records.read_end(ref))
    evidence.started = start is not None or bool(start_problem)
    run_id = evidence.run_id or (start[0] if start else "")
    evidence.launched = evidence.started and not evidence.workload and not files.exists(ref.environment)
    evidence.end_error = problem
    if end is not None and run_id and end.run_id != run_id:
        evidence.other_end = end
    else:
        evidence.end = end
    evidence.heartbeat_at = files.modified_at(ref.heartbeat)
    if evidence.server_lost and not evidence.started and not (evidence.meta and evidence.meta.pane_pid):
        evidence.server_lost = False  # spawn never got as far as a pane
    if evidence.pane is None and evidence.meta is not None:
        evidence.orphan = session_panes.find_living_process(ref, evidence.meta)
