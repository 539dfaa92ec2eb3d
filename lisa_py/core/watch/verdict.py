"""From evidence to a status: an ordered table of rules, each pure; the first that has an answer decides.

First whether the agent is alive at all (its end record, its pane, its process), and only for a living one what it
does, from its own signals before what its processes and screen suggest. Where nothing can be seen it says degraded.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from msgspec import UNSET, Struct, structs

from lisa_py.contract.status import AgentState, SessionStateWord, Signals, StateSource, Status, WaitingFor
from lisa_py.core.watch import activity
from lisa_py.core.watch.evidence import Evidence
from lisa_py.core.watch.fusion import Boundary, Fused, fuse

GRACE_SECONDS = 5.0
"""How long a start may take until the absence of signs means something; wall clock, not looks."""
STARTING_SECONDS = 60.0
"""How long an agent that says it is starting is believed."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What a rule decides."""

    state: SessionStateWord
    reason: str
    source: StateSource
    agent_state: AgentState = "unknown"
    waiting_for: WaitingFor = ""
    detail: str = ""
    error: str = ""
    code: str = ""
    """`errorCode` of the answer."""
    exit_code: int | None = None
    complete: bool = False
    """The newest turn has ended."""

    @property
    def active(self) -> bool:
        return self.state in ("in_progress", "just_started")


def judge(evidence: Evidence, now: float) -> Status:
    """The status of a session; depends on nothing but its arguments."""
    return _status(evidence, decide(evidence, now), now)


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
    told = "" if e.meta is None else "its tmux session is gone; " + _last_known(e)
    state: AgentState = "unknown" if e.meta is None else "exited" if e.end else "gone"
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
    if not e.started and e.root_age < GRACE_SECONDS:
        return _starting("grace_period_just_started", "grace", "the supervisor has not started the agent yet")
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
        boundary = Boundary(e.state.last_input_at, e.state.last_input_accepted_at, e.begun_since(e.state.last_input_at))
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
        reason = _busy_reason(e, fused)
    return _told(fused, "in_progress", reason)


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
    complete = fused.source not in ("activity", "screen") and _turn_ended(e)
    return structs.replace(_told(fused, "waiting_input", reason, complete=complete), waiting_for=waiting_for)


def _turn_ended(e: Evidence) -> bool:
    """Whether a turn has ended since the newest input; an agent that was never asked anything has ended none."""
    since = e.state.last_input_at
    ends = [frame for frame in e.frames if frame.kind in ("turn_start", "turn_end")]
    if ends:
        return ends[-1].kind == "turn_end" and ends[-1].at >= since
    dated = [item for item in e.reports if item.state in ("idle", "interrupted", "error") and item.at]
    return bool(since) and any(item.at >= since for item in dated)


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


# -- the whole answer ---------------------------------------------------------------------------------------------


def _status(e: Evidence, outcome: Outcome, now: float) -> Status:
    tasks = todos(e)
    title = e.agent_title or "Command"
    process = e.agent_process
    seen_at = max(e.pane.activity if e.pane else 0.0, e.transcript_at)
    absent = outcome.state == "not_found" and e.meta is None
    signal_number = _signal_of(outcome.exit_code)
    return Status(
        session=e.session,
        agent="" if absent else e.agent,
        mode="" if absent else e.mode,
        status="not_found" if outcome.state == "not_found" else "active" if outcome.active else "idle",
        session_state=outcome.state,
        classification_reason=outcome.reason,
        active_task=_task(e, outcome, title) if outcome.active else "",
        todos_done=sum(status == "completed" for status in tasks),
        todos_total=len(tasks),
        wait_estimate=_estimate(e, outcome, now),
        pane_status=pane_status(e),
        pane_command=process.name if process is not None else "",
        agent_pid=process.pid if process is not None and outcome.state not in ("completed", "crashed") else 0,
        agent_cpu=round(sum(item.cpu_seconds for item in e.workload), 2),
        output_age_seconds=max(0, int(now - seen_at)) if seen_at else 0,
        output_fresh_seconds=e.output_stale,
        heartbeat_age_seconds=max(0, int(now - e.heartbeat_at)) if e.heartbeat_at else -1,
        heartbeat_fresh_seconds=e.heartbeat_stale,
        agent_state=outcome.agent_state,
        waiting_for=outcome.waiting_for,
        state_source=outcome.source,
        state_detail=outcome.detail,
        error_kind=outcome.error or UNSET,
        exit_code=UNSET if outcome.exit_code is None else outcome.exit_code,
        exit_signal=signal_name(signal_number) if signal_number else UNSET,
        agent_session_id=e.binding.session_id or (e.meta.agent_session_id if e.meta else "") or UNSET,
        transcript_path=e.binding.transcript or UNSET,
        signals=signals(e, outcome, now, bool(seen_at) and now - seen_at <= e.output_stale),
        error_code=outcome.code or UNSET,
    )


def todos(e: Evidence) -> tuple[str, ...]:
    """The status of each entry of the agent's newest task list."""
    newest = next((frame.todos for frame in reversed(e.frames) if frame.todos), ())
    return tuple(todo.status for todo in newest)


def _task(e: Evidence, outcome: Outcome, title: str) -> str:
    newest = next((frame.todos for frame in reversed(e.frames) if frame.todos), ())
    current = next((todo.text for todo in newest if todo.status == "in_progress"), "")
    if current:
        return current
    if outcome.agent_state == "tool" and outcome.detail:
        return outcome.detail
    return f"{title if not e.custom else 'Command'} running"


def _estimate(e: Evidence, outcome: Outcome, now: float) -> int:
    """A turn that has lasted for some time will most likely last for half as long again."""
    if not outcome.active:
        return 5 if outcome.state == "degraded" else 0
    if outcome.state == "just_started":
        return 1
    began = max((frame.at for frame in e.frames if frame.kind == "turn_start"), default=0.0)
    began = max(began, e.state.last_input_at) or e.created_at
    return max(1, min(60, int((now - began) / 2))) if began else 2


def pane_status(e: Evidence) -> str:
    if e.pane is None:
        return ""
    if not e.pane.dead:
        return "alive"
    if e.end is not None:
        return f"exited:{e.end.code}"
    if e.pane.dead_signal not in ("", "0"):
        return f"crashed:{e.pane.dead_signal}"
    return f"exited:{e.pane.dead_status}" if e.pane.dead_status else "crashed:"


def signals(e: Evidence, outcome: Outcome, now: float, fresh_output: bool) -> Signals:
    end = e.end or e.other_end
    beat = e.heartbeat_at
    exec_end = e.end if e.mode == "exec" else None
    return Signals(
        run_id=e.run_id or UNSET,
        done_file_seen=e.end is not None,
        done_file_run_id=end.run_id if end else UNSET,
        done_file_run_mismatch=e.other_end is not None,
        done_file_exit_code=e.end.code if e.end else 0,
        done_file_read_error=e.end_error or UNSET,
        session_marker_seen=e.end is not None,
        session_marker_run_id=e.end.run_id if e.end else UNSET,
        session_marker_run_mismatch=e.other_end is not None,
        session_exit_code=e.end.code if e.end else 0,
        exec_marker_seen=exec_end is not None,
        exec_exit_code=exec_end.code if exec_end else 0,
        prompt_waiting=outcome.waiting_for == "prompt",
        interactive_waiting=outcome.state == "waiting_input",
        active_process_busy=outcome.state == "in_progress" and outcome.source in ("activity", "process"),
        agent_process_detected=e.agent_process is not None,
        output_fresh=fresh_output,
        heartbeat_seen=bool(beat),
        heartbeat_fresh=bool(beat) and 0 <= now - beat <= e.heartbeat_stale,
        pane_is_shell=activity.is_shell(e.agent_process),
        agent_scan_error=e.scan_error or UNSET,
        transcript_turn_complete=outcome.complete,
        transcript_file_age=max(0, int(now - e.transcript_at)) if e.transcript_at else 0,
        tmux_read_error=e.tmux_error or UNSET,
        meta_read_error=e.meta_error or UNSET,
        state_read_error=e.state_error or UNSET,
        reports=e.reports,
    )


# -- words --------------------------------------------------------------------------------------------------------


def ending(code: int) -> str:
    """How an exit code reads: `exited with 3`, `ended by SIGKILL`."""
    number = _signal_of(code)
    return f"the agent was ended by {signal_name(number)}" if number else f"the agent exited with {code}"


def _signal_of(code: int | None) -> int:
    return code - 128 if code is not None and 128 < code < 160 else 0


def signal_name(number: int | str) -> str:
    """`SIGKILL` for 9, `9` or `KILL` (tmux says either)."""
    word = str(number)
    if not word.isdigit():
        return word if word.startswith("SIG") else "SIG" + word
    try:
        return signal.Signals(int(word)).name
    except ValueError:
        return f"signal {word}"
