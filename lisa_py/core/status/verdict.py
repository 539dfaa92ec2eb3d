"""Judge evidence with an ordered table of pure rules; the first rule that applies decides.

The first rules decide whether the agent is alive (end record, pane, process), the later ones what a living agent does,
by its own reports before processes and screen. Without usable evidence the state is degraded.
"""

from __future__ import annotations

from _signal import SIGHUP  # type: ignore[import-not-found]  # `signal` costs half a millisecond
from collections.abc import Callable

from msgspec import structs

from lisa_py.contract.status import AgentState, SessionStateWord, StateSource, Status, WaitingFor
from lisa_py.core.status import process_activity, status_builder
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.fusion import ACCEPTANCE_SECONDS, FusionResult, TurnBoundary, fuse
from lisa_py.core.status.outcome import Outcome, describe_exit, signal_name

LAUNCH_SECONDS = 1.0
"""Time that a launched agent may take to appear among the processes."""
GRACE_SECONDS = 5.0
"""Wall-clock seconds after a start in which missing evidence proves nothing."""
STARTING_SECONDS = 60.0
"""Seconds for which an agent's own `starting` is accepted."""


def judge(evidence: Evidence, now: float) -> Status:
    """Return the status of a session; a pure function."""
    return status_builder.build_status(evidence, decide(evidence, now), now)


def decide(evidence: Evidence, now: float) -> Outcome:
    for rule in RULES:
        outcome = rule(evidence, now)
        if outcome is not None:
            return outcome
    raise AssertionError("the last rule always returns an outcome")


# -- is it alive? -------------------------------------------------------------------------------------------------


def _check_end_record(evidence: Evidence, now: float) -> Outcome | None:
    """Trust the supervisor's end record, also if tmux does not answer or is gone."""
    if (
        evidence.end is None
        or evidence.meta_error
        or (evidence.pane is None and not evidence.tmux_error and not evidence.server_lost)
    ):
        return None
    if evidence.server_lost and evidence.end.signal == SIGHUP:
        return None  # it ended because the server did
    return Outcome(
        state="completed" if evidence.end.code == 0 else "crashed",
        reason="done_file",
        source="end_record",
        agent_state="killed" if evidence.end.signal else "exited",
        exit_code=evidence.end.code,
        detail=describe_exit(evidence.end.code),
        complete=evidence.end.code == 0,
    )


def _check_tmux_error(evidence: Evidence, now: float) -> Outcome | None:
    if not evidence.tmux_error:
        return None
    return Outcome(
        state="degraded",
        reason="tmux_unavailable",
        source="none",
        detail=evidence.tmux_error,
        code=evidence.tmux_error_code,
    )


def _check_missing_pane(evidence: Evidence, now: float) -> Outcome | None:
    """Judge a session that tmux does not have; its records may explain it."""
    if evidence.pane is not None:
        return None
    if evidence.server_lost:
        return _server_lost_outcome(evidence)
    if evidence.orphan is not None:
        return Outcome(
            state="degraded",
            reason="tmux_unavailable",
            source="process",
            detail=f"process {evidence.orphan.pid} ({evidence.orphan.name}) is running, but its tmux server cannot be"
            " reached",
            code="tmux_unavailable",
        )
    if evidence.meta is None or not (evidence.meta.pane_pid or evidence.started):
        detail = "" if evidence.meta is None else "it is being spawned, or its spawn was interrupted"
        state: AgentState = "unknown"
    else:
        detail = "its tmux session is gone; " + _describe_last_known(evidence)
        state = "exited" if evidence.end else "gone"
    return Outcome(
        state="not_found",
        reason="session_not_found",
        source="tmux",
        agent_state=state,
        detail=detail,
        code="session_not_found",
        exit_code=evidence.end.code if evidence.end else None,
    )


def _server_lost_outcome(evidence: Evidence) -> Outcome:
    if evidence.orphan is not None:
        return Outcome(
            state="degraded",
            reason="tmux_server_lost",
            source="process",
            detail=f"the tmux server is gone, but process {evidence.orphan.pid} is still running",
        )
    return Outcome(
        state="crashed",
        reason="tmux_server_lost",
        source="tmux",
        agent_state="gone",
        detail="the tmux server is gone and the agent with it; " + _describe_last_known(evidence),
        exit_code=evidence.end.code if evidence.end else None,
    )


def _describe_last_known(evidence: Evidence) -> str:
    return describe_exit(evidence.end.code) if evidence.end else "the end of the agent is not recorded"


def _check_dead_pane(evidence: Evidence, now: float) -> Outcome | None:
    """Judge a dead pane without an end record: the supervisor was killed, or could not write."""
    if evidence.pane is None or not evidence.pane.dead:
        return None
    status, number = evidence.pane.dead_status, evidence.pane.dead_signal
    if number not in ("", "0"):
        return _killed_pane_outcome(signal_name(number))
    if status == "0":
        return Outcome(
            state="completed",
            reason="pane_exited_zero",
            source="tmux",
            agent_state="exited",
            exit_code=0,
            complete=True,
        )
    if status:
        code = int(status) if status.isdigit() else 1
        return Outcome(
            state="crashed",
            reason="pane_exited_nonzero",
            source="tmux",
            agent_state="exited",
            exit_code=code,
            detail=describe_exit(code),
        )
    if evidence.end_error:
        return Outcome(state="degraded", reason="done_file_read_error", source="none", detail=evidence.end_error)
    return _killed_pane_outcome("")


def _killed_pane_outcome(by: str) -> Outcome:
    return Outcome(
        state="crashed",
        reason="pane_crashed",
        source="tmux",
        agent_state="killed",
        detail=f"the pane's process was ended by {by or 'an unknown cause'}",
    )


def _check_supervisor(evidence: Evidence, now: float) -> Outcome | None:
    """Judge an open pane whose process has ended without a record."""
    if evidence.root is not None:
        return None
    return Outcome(
        state="crashed",
        reason="supervisor_lost",
        source="process",
        agent_state="killed",
        detail="the session's supervisor was killed; the end of the agent is not recorded",
    )


def _check_metadata(evidence: Evidence, now: float) -> Outcome | None:
    if not evidence.meta_error:
        return None
    return Outcome(state="degraded", reason="meta_read_error", source="none", detail=evidence.meta_error)


def _check_stopped_process(evidence: Evidence, now: float) -> Outcome | None:
    stopped = next(
        (item for item in (evidence.root, evidence.agent_process) if item is not None and item.state == "T"), None
    )
    if stopped is None:
        return None
    return Outcome(
        state="stuck",
        reason="process_stopped",
        source="process",
        detail=f"process {stopped.pid} ({stopped.name}) is stopped; resume it with kill -CONT {stopped.pid}",
    )


# -- what is it doing? -----------------------------------------------------------------------------------


def _check_workload(evidence: Evidence, now: float) -> Outcome | None:
    """Judge a living supervisor without a command process: not started yet, ended, or lost."""
    if evidence.workload:
        return None
    if evidence.root_age < GRACE_SECONDS:
        if evidence.launched and (evidence.custom or evidence.root_age >= LAUNCH_SECONDS):
            return _unseen_busy_outcome(evidence)
        why = "the agent is being started" if evidence.started else "the supervisor has not started the agent yet"
        return _starting_outcome("grace_period_just_started", "grace", why)
    if evidence.heartbeat_alive:  # a living loop with a stale heartbeat: the machine was suspended
        return _unseen_busy_outcome(evidence)
    if evidence.other_end is not None:
        return _stuck_outcome("stuck_marker_run_mismatch", "the only end record belongs to another run")
    if evidence.end_error:
        return Outcome(state="degraded", reason="done_file_read_error", source="none", detail=evidence.end_error)
    if evidence.started and 0 <= now - evidence.heartbeat_at <= evidence.heartbeat_stale:
        return _unseen_busy_outcome(evidence)
    return _stuck_outcome("stuck_no_signals", "the supervisor is running, but neither the agent nor the heartbeat is")


def _unseen_busy_outcome(evidence: Evidence) -> Outcome:
    return Outcome(
        state="in_progress",
        reason="heartbeat_fresh_agent_pid_unresolved",
        source="process",
        detail="the agent is being started or has just ended",
    )


def _starting_outcome(reason: str, source: StateSource, detail: str = "") -> Outcome:
    return Outcome(state="just_started", reason=reason, source=source, agent_state="starting", detail=detail)


def _stuck_outcome(reason: str, detail: str) -> Outcome:
    return Outcome(state="stuck", reason=reason, source="process", detail=detail)


def _check_reports(evidence: Evidence, now: float) -> Outcome | None:
    """Judge by the agent's combined reports."""
    boundary = TurnBoundary()
    refusal = evidence.refusal
    if evidence.state.last_input_expects_turn:
        begun = bool(refusal) or evidence.accepted_prompt_since(evidence.state.last_input_at)
        boundary = TurnBoundary(
            evidence.state.last_input_at, evidence.state.last_input_accepted_at, begun, evidence.reports_acceptance
        )
    fused = fuse(evidence.reports, boundary, now)
    if fused is None:
        return None
    if fused.pending:
        return Outcome(
            state="in_progress",
            reason="prompt_pending",
            source=fused.source,
            agent_state="starting" if fused.kind == "starting" else "thinking",
            detail="an input was sent; the agent has not confirmed it yet",
        )
    answer = _BY_CLASS[fused.kind](evidence, fused, now)
    if (fused.not_accepted or refusal) and answer.state == "waiting_input":
        detail = refusal or "the agent did not accept the newest input"
        return structs.replace(answer, reason="prompt_not_taken", detail=detail, complete=False)
    return answer


def _busy_outcome(evidence: Evidence, fused: FusionResult, now: float) -> Outcome:
    reason = f"agent_{fused.state}"
    if fused.source == "activity":
        if _is_starting(evidence, now):
            if evidence.was_prompted:
                return _make_outcome(fused, "in_progress", "prompt_pending")
            return _starting_outcome("agent_starting", "activity", fused.detail)
        reason = _busy_reason(evidence, fused)
    return _make_outcome(fused, "in_progress", reason)


def _is_starting(evidence: Evidence, now: float) -> bool:
    """Return True for a new session whose agent has hooks and has reported nothing yet."""
    return evidence.awaits_first_report and 0 <= now - evidence.created_at < STARTING_SECONDS


def _busy_reason(evidence: Evidence, fused: FusionResult) -> str:
    shell = process_activity.is_shell(evidence.agent_process) and not evidence.recognised
    if evidence.recognised:
        return "agent_pid_alive"
    if fused.state == "tool":
        return "interactive_child_process"
    return "interactive_shell_busy" if shell else "non_shell_command"


def _first_start_outcome(evidence: Evidence, fused: FusionResult, now: float) -> Outcome:
    if evidence.root_age > GRACE_SECONDS and evidence.composer == "empty" and _sleeps(evidence):
        return _idle_outcome(evidence, FusionResult(state="idle", source="screen"), now)
    if evidence.root_age > STARTING_SECONDS:
        return _make_outcome(fused, "in_progress", "agent_starting")
    return _starting_outcome("agent_starting", fused.source, fused.detail)


def _sleeps(evidence: Evidence) -> bool:
    """Return True if the agent's processes are idle."""
    return any(report.source == "activity" and report.state == "idle" for report in evidence.reports)


def _idle_outcome(evidence: Evidence, fused: FusionResult, now: float) -> Outcome:
    if evidence.mode == "exec":  # a one-shot run is about to exit
        return _make_outcome(fused, "in_progress", "agent_finishing", complete=True)
    if evidence.input_block:  # the agent itself does not report these
        blocked = FusionResult(state="waiting", waiting_for="dialog", source="screen", detail=evidence.input_block)
        return _waiting_outcome(evidence, blocked, now)
    waiting_for = fused.waiting_for or _AFTER_ERROR.get(fused.error, "error") if fused.state == "error" else "prompt"
    reason = f"agent_{fused.state}"
    if fused.source == "activity":
        shell = process_activity.is_shell(evidence.agent_process) and not evidence.recognised
        reason = "interactive_shell_idle" if shell else "interactive_idle_cpu"
    turn_ended = fused.state == "interrupted" or _has_turn_ended(
        evidence, now
    )  # an interrupt before any output leaves no record
    complete = fused.source not in ("activity", "screen") and turn_ended
    return structs.replace(_make_outcome(fused, "waiting_input", reason, complete=complete), waiting_for=waiting_for)


def _has_turn_ended(evidence: Evidence, now: float) -> bool:
    """Return True if a turn has ended since the newest input; without any prompt none has.

    After an input that need not begin a turn (the agent's own command, a key) the previous turn counts again once the
    agent has been idle since, or after the time limit for an acceptance.
    """
    since, expects = evidence.state.last_input_at, evidence.state.last_input_expects_turn
    # turns of a resumed conversation that ended before this session do not count
    ends = [
        frame
        for frame in evidence.frames
        if frame.kind in ("turn_start", "turn_end") and frame.at >= evidence.created_at
    ]
    if ends and (ends[-1].kind == "turn_start" or ends[-1].at >= since or expects):
        return ends[-1].kind == "turn_end" and ends[-1].at >= since
    was_idle = any(
        item.at >= since for item in evidence.reports if item.at and item.state in ("idle", "interrupted", "error")
    )
    return bool(since) and (was_idle or (bool(ends) and now - since >= ACCEPTANCE_SECONDS))


_AFTER_ERROR: dict[str, WaitingFor] = {"rate_limit": "limit", "usage_limit": "limit", "billing": "limit"}


def _waiting_outcome(evidence: Evidence, fused: FusionResult, now: float) -> Outcome:
    if evidence.mode == "exec":
        return _make_outcome(fused, "in_progress", "agent_blocked")
    answer = _make_outcome(fused, "waiting_input", f"agent_waiting_{fused.waiting_for or 'dialog'}")
    return structs.replace(answer, waiting_for=fused.waiting_for or "dialog")


def _ending_outcome(evidence: Evidence, fused: FusionResult, now: float) -> Outcome:
    return _make_outcome(fused, "in_progress", "agent_ending")


_BY_CLASS: dict[str, Callable[[Evidence, FusionResult, float], Outcome]] = {
    "busy": _busy_outcome,
    "starting": _first_start_outcome,
    "resting": _idle_outcome,
    "waiting": _waiting_outcome,
    "ended": _ending_outcome,
}


def _make_outcome(fused: FusionResult, state: SessionStateWord, reason: str, *, complete: bool = False) -> Outcome:
    return Outcome(
        state=state,
        reason=reason,
        source=fused.source,
        agent_state=fused.state,
        waiting_for=fused.waiting_for if state == "waiting_input" else "",
        detail=fused.detail,
        error=fused.error,
        complete=complete,
    )


def _assume_busy(evidence: Evidence, now: float) -> Outcome:
    """Assume that a living process without other evidence is busy."""
    if (
        evidence.mode != "exec"
        and not evidence.recognised
        and not evidence.custom
        and evidence.root_age < GRACE_SECONDS
    ):
        return _starting_outcome("grace_period_just_started", "grace")
    if evidence.mode != "exec" and _is_starting(evidence, now):
        if evidence.was_prompted:
            return Outcome(state="in_progress", reason="prompt_pending", source="process")
        return _starting_outcome("agent_starting", "process")
    reason = "agent_pid_alive" if evidence.recognised else "non_shell_command"
    return Outcome(state="in_progress", reason=reason, source="process", detail="")


Rule = Callable[[Evidence, float], Outcome | None]
RULES: tuple[Rule, ...] = (
    _check_end_record,
    _check_tmux_error,
    _check_missing_pane,
    _check_dead_pane,
    _check_supervisor,
    _check_metadata,
    _check_stopped_process,
    _check_workload,
    _check_reports,
    _assume_busy,
)
