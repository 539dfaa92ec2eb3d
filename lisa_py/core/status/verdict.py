"""From evidence to a status: an ordered table of rules, each pure; the first that has an answer decides.

First whether the agent is alive at all (its end record, its pane, its process), and only for a living one what it
does, from its own signals before what its processes and screen suggest. Where nothing can be seen it says degraded.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from msgspec import structs

from lisa_py.contract.status import AgentState, SessionStateWord, StateSource, Status, WaitingFor
from lisa_py.core.status import process_activity, status_builder
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.fusion import ACCEPTANCE_SECONDS, FusionResult, TurnBoundary, fuse
from lisa_py.core.status.outcome import Outcome, describe_exit, signal_name

GRACE_SECONDS = 5.0
"""How long a start may take until the absence of signs means something; wall clock, not looks."""
STARTING_SECONDS = 60.0
"""How long an agent that says it is starting is believed."""


def judge(evidence: Evidence, now: float) -> Status:
    """The status of a session; depends on nothing but its arguments."""
    return status_builder.build_status(evidence, decide(evidence, now), now)


def decide(evidence: Evidence, now: float) -> Outcome:
    for rule in RULES:
        outcome = rule(evidence, now)
        if outcome is not None:
            return outcome
    raise AssertionError("the last rule always answers")


# -- is it alive? -------------------------------------------------------------------------------------------------


def _check_end_record(evidence: Evidence, now: float) -> Outcome | None:
    """The supervisor's end record is the truth about an exit, also when tmux is silent or has gone."""
    if (
        evidence.end is None
        or evidence.meta_error
        or (evidence.pane is None and not evidence.tmux_error and not evidence.server_lost)
    ):
        return None
    if evidence.server_lost and evidence.end.signal == signal.SIGHUP:
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
    """tmux has answered that there is no such session; the records may say more."""
    if evidence.pane is not None:
        return None
    if evidence.server_lost:
        return _server_lost_outcome(evidence)
    if evidence.meta is None or not (evidence.meta.pane_pid or evidence.started):
        detail = "" if evidence.meta is None else "it is only being spawned, or its spawn was broken off"
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
            detail=f"the tmux server is gone, but process {evidence.orphan.pid} still runs",
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
    return describe_exit(evidence.end.code) if evidence.end else "how the agent ended is not recorded"


def _check_dead_pane(evidence: Evidence, now: float) -> Outcome | None:
    """No end record: the supervisor itself was ended, or could not write."""
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
        detail=f"the pane's process was ended by {by or 'something that left no record'}",
    )


def _check_supervisor(evidence: Evidence, now: float) -> Outcome | None:
    """The pane is open, but the process it stands for has ended without a record."""
    if evidence.root is not None:
        return None
    return Outcome(
        state="crashed",
        reason="supervisor_lost",
        source="process",
        agent_state="killed",
        detail="the session's supervisor was killed; what the agent did then is not recorded",
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
        detail=f"process {stopped.pid} ({stopped.name}) is stopped; kill -CONT {stopped.pid} lets it go on",
    )


# -- what does a living one do? -----------------------------------------------------------------------------------


def _check_workload(evidence: Evidence, now: float) -> Outcome | None:
    """The supervisor lives, but its command has no process: not yet, no more, or lost."""
    if evidence.workload:
        return None
    if evidence.root_age < GRACE_SECONDS:
        why = "the agent is being started" if evidence.started else "the supervisor has not started the agent yet"
        return _starting_outcome("grace_period_just_started", "grace", why)
    if evidence.heartbeat_alive:  # a stale beat of a living loop only says that the machine slept
        return _unseen_busy_outcome(evidence)
    if evidence.other_end is not None:
        return _stuck_outcome("stuck_marker_run_mismatch", "the only end record is that of another run")
    if evidence.end_error:
        return Outcome(state="degraded", reason="done_file_read_error", source="none", detail=evidence.end_error)
    if evidence.started and 0 <= now - evidence.heartbeat_at <= evidence.heartbeat_stale:
        return _unseen_busy_outcome(evidence)
    return _stuck_outcome("stuck_no_signals", "the supervisor lives, but neither the agent nor its heartbeat does")


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
    """What the agent does by the most trusted of its reports."""
    boundary = TurnBoundary()
    if evidence.state.last_input_expects_turn:
        begun = evidence.accepted_prompt_since(evidence.state.last_input_at)
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
            detail="an input was given; the agent is not seen to have begun on it yet",
        )
    answer = _BY_CLASS[fused.kind](evidence, fused, now)
    if fused.not_accepted and answer.state == "waiting_input":
        return structs.replace(
            answer, reason="prompt_not_taken", detail="the newest input was not taken by the agent", complete=False
        )
    return answer


def _busy_outcome(evidence: Evidence, fused: FusionResult, now: float) -> Outcome:
    reason = f"agent_{fused.state}"
    if fused.source == "activity":
        if _is_starting(evidence, now):
            return _starting_outcome("agent_starting", "activity", fused.detail)
        reason = _busy_reason(evidence, fused)
    return _make_outcome(fused, "in_progress", reason)


def _is_starting(evidence: Evidence, now: float) -> bool:
    """Whether it is an agent that would tell what it does, has said nothing so far, and is young."""
    return evidence.awaits_first_report and 0 <= now - evidence.created_at < STARTING_SECONDS


def _busy_reason(evidence: Evidence, fused: FusionResult) -> str:
    shell = process_activity.is_shell(evidence.agent_process) and not evidence.recognised
    if evidence.recognised:
        return "agent_pid_alive"
    if fused.state == "tool":
        return "interactive_child_process"
    return "interactive_shell_busy" if shell else "non_shell_command"


def _first_start_outcome(evidence: Evidence, fused: FusionResult, now: float) -> Outcome:
    if evidence.root_age > STARTING_SECONDS:
        return _make_outcome(fused, "in_progress", "agent_starting")
    return _starting_outcome("agent_starting", fused.source, fused.detail)


def _idle_outcome(evidence: Evidence, fused: FusionResult, now: float) -> Outcome:
    if evidence.mode == "exec":  # one prompt and out: it is about to leave
        return _make_outcome(fused, "in_progress", "agent_finishing", complete=True)
    waiting_for = fused.waiting_for or _AFTER_ERROR.get(fused.error, "error") if fused.state == "error" else "prompt"
    reason = f"agent_{fused.state}"
    if fused.source == "activity":
        shell = process_activity.is_shell(evidence.agent_process) and not evidence.recognised
        reason = "interactive_shell_idle" if shell else "interactive_idle_cpu"
    turn_ended = fused.state == "interrupted" or _has_turn_ended(
        evidence, now
    )  # an interrupt before the first word leaves no record
    complete = fused.source not in ("activity", "screen") and turn_ended
    return structs.replace(_make_outcome(fused, "waiting_input", reason, complete=complete), waiting_for=waiting_for)


def _has_turn_ended(evidence: Evidence, now: float) -> bool:
    """Whether a turn has ended since the newest input; an agent that was never asked anything has ended none.

    An input that need not begin a turn (a command of the agent's own, a key) leaves the turn before it ended, once the
    agent is seen to have rested again since, or for long enough.
    """
    since, expects = evidence.state.last_input_at, evidence.state.last_input_expects_turn
    # of a resumed conversation, what had ended before the session began is no turn of the session
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
    """A living process and nothing that tells more: at work, as far as anybody can see."""
    if (
        evidence.mode != "exec"
        and not evidence.recognised
        and not evidence.custom
        and evidence.root_age < GRACE_SECONDS
    ):
        return _starting_outcome("grace_period_just_started", "grace")
    if evidence.mode != "exec" and _is_starting(evidence, now):
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
