"""Status of a session: the states of the usage guide, with finer ones beside them."""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import UNSET, UnsetType, structs

from lisa_py.contract.answer import Answer
from lisa_py.contract.limits import SessionLimits, UsageLimit
from lisa_py.contract.program_status import ProgramStatus, derive_program_status

SessionStateWord = Literal[
    "just_started",
    "in_progress",
    "waiting_input",
    "completed",
    "crashed",
    "stuck",
    "degraded",
    "not_found",
]
SESSION_STATES: tuple[str, ...] = get_args(SessionStateWord)
TERMINAL_STATES = ("completed", "crashed", "stuck", "not_found")

WaitingFor = Literal[
    "",
    "prompt",
    "permission",
    "question",
    "trust",
    "login",
    "bypass",
    "update",
    "hooks_trust",
    "api_key",
    "error",
    "limit",
    "dialog",
]
"""Cause of waiting; empty if the agent does not wait."""

AgentState = Literal[
    "unknown",
    "starting",
    "idle",
    "thinking",
    "streaming",
    "tool",
    "retrying",
    "waiting",
    "interrupted",
    "error",
    "exited",
    "killed",
    "gone",
]
"""Activity of the agent; finer than sessionState and never in contradiction to it."""

StateSource = Literal[
    "none",
    "tmux",
    "end_record",
    "process",
    "agent_file",
    "hook",
    "title",
    "transcript",
    "activity",
    "screen",
    "grace",
]
"""Kind of the deciding evidence, most reliable first: see docs/guide/states.md."""


class DialogChoice(Answer):
    """A choice of an open dialog; `session send --answer` takes its number."""

    number: int
    text: str


HelperKind = Literal["subagent", "shell", "teammate", "task"]
HelperState = Literal["running", "ended"]


class Helper(Answer, omit_defaults=True):
    """A subagent, a background shell, a teammate or another task of an agent."""

    kind: HelperKind
    state: HelperState
    id: str = ""
    """Id that the agent gives it."""
    name: str = ""
    """Its task, or its command."""
    pid: int = 0
    started_unix: float = 0.0
    """Unix time; of a teammate: of the end of the turn that lists it."""
    ended_unix: float = 0.0
    age_seconds: int = 0
    """Seconds since its start, until its end."""


class AgentReport(Answer):
    """Report of one kind of evidence about a live agent."""

    source: StateSource
    state: AgentState
    waiting_for: WaitingFor = ""
    error: str = ""
    """Error kind (contract.frames.ErrorKind) if the last turn ended in an error or is being retried."""
    at: float = 0.0
    """Unix time of the evidence; 0 if it is live."""
    detail: str = ""
    """Short text for people, such as the tool or the title of the dialog."""


class Signals(Answer):
    """The evidence behind a status, for verification."""

    run_id: str | UnsetType = UNSET
    done_file_seen: bool = False
    done_file_run_id: str | UnsetType = UNSET
    done_file_run_mismatch: bool = False
    done_file_exit_code: int = 0
    done_file_read_error: str | UnsetType = UNSET
    session_marker_seen: bool = False
    session_marker_run_id: str | UnsetType = UNSET
    session_marker_run_mismatch: bool = False
    session_exit_code: int = 0
    exec_marker_seen: bool = False
    exec_exit_code: int = 0
    prompt_waiting: bool = False
    interactive_waiting: bool = False
    active_process_busy: bool = False
    agent_process_detected: bool = False
    output_fresh: bool = False
    heartbeat_seen: bool = False
    heartbeat_fresh: bool = False
    pane_is_shell: bool = False
    agent_scan_cached: bool = False
    agent_scan_error: str | UnsetType = UNSET
    transcript_turn_complete: bool = False
    transcript_file_age: int = 0
    transcript_error: str | UnsetType = UNSET
    state_lock_wait_ms: int = 0
    state_lock_timed_out: bool = False
    tmux_read_error: str | UnsetType = UNSET
    meta_read_error: str | UnsetType = UNSET
    state_read_error: str | UnsetType = UNSET
    events_write_error: str | UnsetType = UNSET
    reports: tuple[AgentReport, ...] = ()


class Status(Answer):
    """Status of a session."""

    session: str
    agent: str = ""
    mode: str = ""
    status: str = ""
    """active, idle, or the sessionState if that is terminal."""
    session_state: str = "not_found"
    program_status: ProgramStatus = "unknown"
    """The state in the words of the Program Status Protocol; always derived from the other fields."""
    classification_reason: str = ""
    active_task: str = ""
    todos_done: int = 0
    todos_total: int = 0
    wait_estimate: int = 0
    """Seconds until the next useful read; 0 if the session waits or has ended."""
    pane_status: str = ""
    pane_command: str = ""
    agent_pid: int = 0
    agent_cpu: float = 0.0
    """CPU seconds of the process tree of the agent."""
    output_age_seconds: int = 0
    output_fresh_seconds: int = 240
    heartbeat_age_seconds: int = -1
    heartbeat_fresh_seconds: int = 8
    agent_state: AgentState = "unknown"
    waiting_for: WaitingFor = ""
    state_source: StateSource = "none"
    state_detail: str = ""
    question: str | UnsetType = UNSET
    """Text of the open dialog above its choices; read from the screen where an answer shows it."""
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    helpers: tuple[Helper, ...] | UnsetType = UNSET
    """Subagents, background shells and teammates of the agent, those that run first."""
    error_kind: str | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    exit_signal: str | UnsetType = UNSET
    agent_session_id: str | UnsetType = UNSET
    transcript_path: str | UnsetType = UNSET
    signals: Signals = Signals()
    limit: UsageLimit | UnsetType = UNSET
    """The usage limit that the agent waits for, while waitingFor is limit."""
    limits: SessionLimits | UnsetType = UNSET
    """Limits of the session and their use; in the answer of `session status`."""
    resume_command: str | UnsetType = UNSET
    """The command that brings a lost session back; in answers of `session status` and `explain`."""
    output_file: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        word = derive_program_status(self.session_state, self.agent_state, self.waiting_for)
        structs.force_setattr(self, "program_status", word)

    def status_word(self) -> str:
        """Return the `status` word: terminal states replace active and idle."""
        return self.session_state if self.session_state in TERMINAL_STATES else self.status

    @property
    def may_be_lost(self) -> bool:
        """Return True for the states that a lost session can have."""
        return self.session_state in ("not_found", "crashed")

    @property
    def needs_polling(self) -> bool:
        """Return True if the next change of state can come without a file or process event."""
        if self.session_state in TERMINAL_STATES:
            return False
        if self.session_state in ("just_started", "degraded") or self.classification_reason == "prompt_pending":
            return True
        if self.state_source in ("agent_file", "hook", "transcript"):
            return False
        if self.state_source == "title":  # a transcript alone has no record of a permission dialog
            return not any(report.source in ("agent_file", "hook") for report in self.signals.reports)
        # a one-shot run without signals can only end, and its end is an event
        return self.mode != "exec" or self.classification_reason == "heartbeat_fresh_agent_pid_unresolved"
