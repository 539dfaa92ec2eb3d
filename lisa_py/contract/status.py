"""What a session is doing, in the words of the usage guide and in finer words beside them."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

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
SESSION_STATES: tuple[str, ...] = (
    "just_started",
    "in_progress",
    "waiting_input",
    "completed",
    "crashed",
    "stuck",
    "degraded",
    "not_found",
)
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
"""What an agent that waits is waiting for; empty when it does not wait."""

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
"""The agent's own doing; finer than sessionState and never in contradiction to it."""

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
"""Which kind of evidence decided, most to least exact: see docs/guide/states.md."""


class AgentReport(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one kind of evidence says about a living agent."""

    source: StateSource
    state: AgentState
    waiting_for: WaitingFor = ""
    error: str = ""
    """An error kind (contract.frames.ErrorKind) when the last turn ended in one or is being retried."""
    at: float = 0.0
    """Unix time the evidence was made; 0 when it is live, that is as old as the look at it."""
    detail: str = ""
    """A few words for people, for example the tool or the dialog's title."""


class Signals(Struct, frozen=True, kw_only=True, rename="camel"):
    """The evidence behind a status, for whoever wants to check it."""

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


class Status(Struct, frozen=True, kw_only=True, rename="camel"):
    """One answer to `what is it doing`."""

    session: str
    agent: str = ""
    mode: str = ""
    status: str = ""
    """active, idle, or the sessionState when that is terminal."""
    session_state: str = "not_found"
    classification_reason: str = ""
    active_task: str = ""
    todos_done: int = 0
    todos_total: int = 0
    wait_estimate: int = 0
    """Seconds until another look is worth it; 0 when the session waits or has ended."""
    pane_status: str = ""
    pane_command: str = ""
    agent_pid: int = 0
    agent_cpu: float = 0.0
    """CPU seconds the agent's process tree has used so far."""
    output_age_seconds: int = 0
    output_fresh_seconds: int = 240
    heartbeat_age_seconds: int = -1
    heartbeat_fresh_seconds: int = 8
    agent_state: AgentState = "unknown"
    waiting_for: WaitingFor = ""
    state_source: StateSource = "none"
    state_detail: str = ""
    error_kind: str | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    exit_signal: str | UnsetType = UNSET
    agent_session_id: str | UnsetType = UNSET
    transcript_path: str | UnsetType = UNSET
    signals: Signals = Signals()
    output_file: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET

    def status_word(self) -> str:
        """The `status` word: terminal states replace active and idle."""
        return self.session_state if self.session_state in TERMINAL_STATES else self.status
