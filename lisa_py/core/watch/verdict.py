"""From evidence to a status: an ordered table of rules, each pure; the first that has an answer decides.

First whether the agent is alive at all (its end record, its pane, its process), and only for a living one what it
does, from its own signals before what its processes and screen suggest. Where nothing can be seen it says degraded.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from msgspec import structs

from lisa_py.contract.status import AgentState, SessionStateWord, StateSource, Status, WaitingFor
from lisa_py.core.watch import activity, statement
from lisa_py.core.watch.evidence import Evidence
from lisa_py.core.watch.fusion import TAKEN_WITHIN, Boundary, Fused, fuse
from lisa_py.core.watch.outcome import Outcome, ending, signal_name

GRACE_SECONDS = 5.0
"""How long a start may take until the absence of signs means something; wall clock, not looks."""
STARTING_SECONDS = 60.0
"""How long an agent that says it is starting is believed."""


def judge(evidence: Evidence, now: float) -> Status:
    """The status of a session; depends on nothing but its arguments."""
    return statement.status(evidence, decide(evidence, now), now)


def decide(evidence: Evidence, now: float) -> Outcome:
    for rule in RULES:
        outcome = rule(evidence, now)
        if outcome is not None:
            return outcome
    raise AssertionError("the last rule always answers")


# -- is it alive? -------------------------------------------------------------------------------------------------


def _ended(e: Evidence, now: float) -> Outcome | None:
    """The supervisor's end record is the truth about an exit, also when tmux is silent or has gone."""
    if e.end is None or e.meta_error or (e.pane is None and not e.tmux_error and not e.server_lost):
        return None
    if e.server_lost and e.end.signal == signal.SIGHUP:
        return None  # it ended because the server did
    return Outcome(
        state="completed" if e.end.code == 0 else "crashed",
        reason="done_file",
        source="end_record",
        agent_state="killed" if e.end.signal else "exited",
        exit_code=e.end.code,
        detail=ending(e.end.code),
        complete=e.end.code == 0,
    )


def _unreachable(e: Evidence, now: float) -> Outcome | None:
    if not e.tmux_error:
        return None
    return Outcome(
        state="degraded", reason="tmux_unavailable", source="none", detail=e.tmux_error, code=e.tmux_error_code
    )


def _no_pane(e: Evidence, now: float) -> Outcome | None:
    """tmux has answered that there is no such session; the records may say more."""
    if e.pane is not None:
        return None
    if e.server_lost:
        return _server_lost(e)
    if e.meta is None or not (e.meta.pane_pid or e.started):
        told = "" if e.meta is None else "it is only being spawned, or its spawn was broken off"
        state: AgentState = "unknown"
    else:
        told = "its tmux session is gone; " + _last_known(e)
        state = "exited" if e.end else "gone"
    return Outcome(
        state="not_found",
        reason="session_not_found",
        source="tmux",
        agent_state=state,
        detail=told,
        code="session_not_found",
        exit_code=e.end.code if e.end else None,
    )


def _server_lost(e: Evidence) -> Outcome:
    if e.orphan is not None:
        return Outcome(
            state="degraded",
            reason="tmux_server_lost",
            source="process",
            detail=f"the tmux server is gone, but process {e.orphan.pid} still runs",
        )
    return Outcome(
        state="crashed",
        reason="tmux_server_lost",
        source="tmux",
        agent_state="gone",
        detail="the tmux server is gone and the agent with it; " + _last_known(e),
        exit_code=e.end.code if e.end else None,
    )


def _last_known(e: Evidence) -> str:
    return ending(e.end.code) if e.end else "how the agent ended is not recorded"


def _dead_pane(e: Evidence, now: float) -> Outcome | None:
    """No end record: the supervisor itself was ended, or could not write."""
    if e.pane is None or not e.pane.dead:
        return None
    status, number = e.pane.dead_status, e.pane.dead_signal
    if number not in ("", "0"):
        return _killed_pane(signal_name(number))
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
            detail=ending(code),
        )
    if e.end_error:
        return Outcome(state="degraded", reason="done_file_read_error", source="none", detail=e.end_error)
    return _killed_pane("")


def _killed_pane(by: str) -> Outcome:
    return Outcome(
        state="crashed",
        reason="pane_crashed",
        source="tmux",
        agent_state="killed",
        detail=f"the pane's process was ended by {by or 'something that left no record'}",
    )


def _supervisor_lost(e: Evidence, now: float) -> Outcome | None:
    """The pane is open, but the process it stands for has ended without a record."""
    if e.root is not None:
        return None
    return Outcome(
        state="crashed",
        reason="supervisor_lost",
        source="process",
        agent_state="killed",
        detail="the session's supervisor was killed; what the agent did then is not recorded",
    )


def _unreadable(e: Evidence, now: float) -> Outcome | None:
    if not e.meta_error:
        return None
    return Outcome(state="degraded", reason="meta_read_error", source="none", detail=e.meta_error)


def _stopped(e: Evidence, now: float) -> Outcome | None:
    held = next((item for item in (e.root, e.agent_process) if item is not None and item.state == "T"), None)
    if held is None:
        return None
    return Outcome(
        state="stuck",
        reason="process_stopped",
        source="process",
        detail=f"process {held.pid} ({held.name}) is stopped; kill -CONT {held.pid} lets it go on",
    )


# -- what does a living one do? -----------------------------------------------------------------------------------


def _no_workload(e: Evidence, now: float) -> Outcome | None:
    """The supervisor lives, but its command has no process: not yet, no more, or lost."""
    if e.workload:
        return None
    if e.root_age < GRACE_SECONDS:
        why = "the agent is being started" if e.started else "the supervisor has not started the agent yet"
        return _starting("grace_period_just_started", "grace", why)
    if e.beating:  # a stale beat of a living loop only says that the machine slept
        return _busy_unseen(e)
    if e.other_end is not None:
        return _stuck("stuck_marker_run_mismatch", "the only end record is that of another run")
    if e.end_error:
        return Outcome(state="degraded", reason="done_file_read_error", source="none", detail=e.end_error)
    if e.started and 0 <= now - e.heartbeat_at <= e.heartbeat_stale:
        return _busy_unseen(e)
    return _stuck("stuck_no_signals", "the supervisor lives, but neither the agent nor its heartbeat does")


def _busy_unseen(e: Evidence) -> Outcome:
    return Outcome(
        state="in_progress",
        reason="heartbeat_fresh_agent_pid_unresolved",
        source="process",
        detail="the agent is being started or has just ended",
    )


def _starting(reason: str, source: StateSource, detail: str = "") -> Outcome:
    return Outcome(state="just_started", reason=reason, source=source, agent_state="starting", detail=detail)


def _stuck(reason: str, detail: str) -> Outcome:
    return Outcome(state="stuck", reason=reason, source="process", detail=detail)


def _doing(e: Evidence, now: float) -> Outcome | None:
    """What the agent does by the most trusted of its reports."""
    boundary = Boundary()
    if e.state.last_input_expects_turn:
        begun = e.begun_since(e.state.last_input_at)
        boundary = Boundary(e.state.last_input_at, e.state.last_input_accepted_at, begun, e.tells)
    fused = fuse(e.reports, boundary, now)
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
    answer = _BY_CLASS[fused.kind](e, fused, now)
    if fused.untaken and answer.state == "waiting_input":
        return structs.replace(
            answer, reason="prompt_not_taken", detail="the newest input was not taken by the agent", complete=False
        )
    return answer


def _busy(e: Evidence, fused: Fused, now: float) -> Outcome:
    reason = f"agent_{fused.state}"
    if fused.source == "activity":
        if _opens(e, now):
            return _starting("agent_starting", "activity", fused.detail)
        reason = _busy_reason(e, fused)
    return _told(fused, "in_progress", reason)


def _opens(e: Evidence, now: float) -> bool:
    """Whether it is an agent that would tell what it does, has said nothing so far, and is young."""
    return e.opening and 0 <= now - e.created_at < STARTING_SECONDS


def _busy_reason(e: Evidence, fused: Fused) -> str:
    shell = activity.is_shell(e.agent_process) and not e.recognised
    if e.recognised:
        return "agent_pid_alive"
    if fused.state == "tool":
        return "interactive_child_process"
    return "interactive_shell_busy" if shell else "non_shell_command"


def _begins(e: Evidence, fused: Fused, now: float) -> Outcome:
    if e.root_age > STARTING_SECONDS:
        return _told(fused, "in_progress", "agent_starting")
    return _starting("agent_starting", fused.source, fused.detail)


def _rests(e: Evidence, fused: Fused, now: float) -> Outcome:
    if e.mode == "exec":  # one prompt and out: it is about to leave
        return _told(fused, "in_progress", "agent_finishing", complete=True)
    waiting_for = fused.waiting_for or _AFTER_ERROR.get(fused.error, "error") if fused.state == "error" else "prompt"
    reason = f"agent_{fused.state}"
    if fused.source == "activity":
        shell = activity.is_shell(e.agent_process) and not e.recognised
        reason = "interactive_shell_idle" if shell else "interactive_idle_cpu"
    over = fused.state == "interrupted" or _turn_ended(e, now)  # an interrupt before the first word leaves no record
    complete = fused.source not in ("activity", "screen") and over
    return structs.replace(_told(fused, "waiting_input", reason, complete=complete), waiting_for=waiting_for)


def _turn_ended(e: Evidence, now: float) -> bool:
    """Whether a turn has ended since the newest input; an agent that was never asked anything has ended none.

    An input that need not begin a turn (a command of the agent's own, a key) leaves the turn before it ended, once the
    agent is seen to have rested again since, or for long enough.
    """
    since, expects = e.state.last_input_at, e.state.last_input_expects_turn
    # of a resumed conversation, what had ended before the session began is no turn of the session
    ends = [frame for frame in e.frames if frame.kind in ("turn_start", "turn_end") and frame.at >= e.created_at]
    if ends and (ends[-1].kind == "turn_start" or ends[-1].at >= since or expects):
        return ends[-1].kind == "turn_end" and ends[-1].at >= since
    rested = any(item.at >= since for item in e.reports if item.at and item.state in ("idle", "interrupted", "error"))
    return bool(since) and (rested or (bool(ends) and now - since >= TAKEN_WITHIN))


_AFTER_ERROR: dict[str, WaitingFor] = {"rate_limit": "limit", "usage_limit": "limit", "billing": "limit"}


def _asks(e: Evidence, fused: Fused, now: float) -> Outcome:
    if e.mode == "exec":
        return _told(fused, "in_progress", "agent_blocked")
    answer = _told(fused, "waiting_input", f"agent_waiting_{fused.waiting_for or 'dialog'}")
    return structs.replace(answer, waiting_for=fused.waiting_for or "dialog")


def _leaves(e: Evidence, fused: Fused, now: float) -> Outcome:
    return _told(fused, "in_progress", "agent_ending")


_BY_CLASS: dict[str, Callable[[Evidence, Fused, float], Outcome]] = {
    "busy": _busy,
    "starting": _begins,
    "resting": _rests,
    "waiting": _asks,
    "ended": _leaves,
}


def _told(fused: Fused, state: SessionStateWord, reason: str, *, complete: bool = False) -> Outcome:
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


def _alive(e: Evidence, now: float) -> Outcome:
    """A living process and nothing that tells more: at work, as far as anybody can see."""
    if e.mode != "exec" and not e.recognised and not e.custom and e.root_age < GRACE_SECONDS:
        return _starting("grace_period_just_started", "grace")
    if e.mode != "exec" and _opens(e, now):
        return _starting("agent_starting", "process")
    reason = "agent_pid_alive" if e.recognised else "non_shell_command"
    return Outcome(state="in_progress", reason=reason, source="process", detail="")


Rule = Callable[[Evidence, float], Outcome | None]
RULES: tuple[Rule, ...] = (
    _ended,
    _unreachable,
    _no_pane,
    _dead_pane,
    _supervisor_lost,
    _unreadable,
    _stopped,
    _no_workload,
    _doing,
    _alive,
)
