"""Puts an outcome and the evidence behind it into the words of a status."""

from __future__ import annotations

from msgspec import UNSET

from lisa_py.contract.status import Signals, Status
from lisa_py.core.watch import activity
from lisa_py.core.watch.evidence import Evidence
from lisa_py.core.watch.outcome import Outcome, signal_name, signal_of

LONGEST_ESTIMATE = 60


def status(e: Evidence, outcome: Outcome, now: float) -> Status:
    title = e.agent_title or "Command"
    process = e.agent_process
    seen_at = max(e.pane.activity if e.pane else 0.0, e.transcript_at)
    absent = outcome.state == "not_found" and e.meta is None
    signal_number = signal_of(outcome.exit_code)
    return Status(
        session=e.session,
        agent="" if absent else e.agent,
        mode="" if absent else e.mode,
        status="not_found" if outcome.state == "not_found" else "active" if outcome.active else "idle",
        session_state=outcome.state,
        classification_reason=outcome.reason,
        active_task=_task(e, outcome, title) if outcome.active else "",
        todos_done=sum(todo.status == "completed" for todo in e.todos),
        todos_total=len(e.todos),
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


def _task(e: Evidence, outcome: Outcome, title: str) -> str:
    current = next((todo.text for todo in e.todos if todo.status == "in_progress"), "")
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
    return max(1, min(LONGEST_ESTIMATE, int((now - began) / 2))) if began else 2


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
