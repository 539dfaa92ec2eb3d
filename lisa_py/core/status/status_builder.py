"""Build the status payload from an outcome and its evidence."""

from __future__ import annotations

from msgspec import UNSET

from lisa_py.contract.status import Helper, Signals, Status
from lisa_py.core.status import process_activity
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.outcome import Outcome, exit_signal_number, signal_name

LONGEST_ESTIMATE = 60


def build_status(evidence: Evidence, outcome: Outcome, now: float) -> Status:
    title = evidence.agent_title or "Command"
    process = evidence.agent_process
    seen_at = max(evidence.pane.activity if evidence.pane else 0.0, evidence.transcript_at)
    absent = outcome.state == "not_found" and evidence.meta is None
    signal_number = exit_signal_number(outcome.exit_code)
    return Status(
        session=evidence.session,
        agent="" if absent else evidence.agent,
        mode="" if absent else evidence.mode,
        status="not_found" if outcome.state == "not_found" else "active" if outcome.active else "idle",
        session_state=outcome.state,
        classification_reason=outcome.reason,
        active_task=_active_task(evidence, outcome, title) if outcome.active else "",
        todos_done=sum(todo.status == "completed" for todo in evidence.todos),
        todos_total=len(evidence.todos),
        wait_estimate=_estimate_wait(evidence, outcome, now),
        pane_status=pane_status(evidence),
        pane_command=process.name if process is not None else "",
        agent_pid=process.pid if process is not None and outcome.state not in ("completed", "crashed") else 0,
        agent_cpu=round(sum(item.cpu_seconds for item in evidence.workload), 2),
        output_age_seconds=max(0, int(now - seen_at)) if seen_at else 0,
        output_fresh_seconds=evidence.output_stale,
        heartbeat_age_seconds=max(0, int(now - evidence.heartbeat_at)) if evidence.heartbeat_at else -1,
        heartbeat_fresh_seconds=evidence.heartbeat_stale,
        agent_state=outcome.agent_state,
        waiting_for=outcome.waiting_for,
        state_source=outcome.source,
        state_detail="; ".join(part for part in (_describe_work(evidence, outcome), _describe_place(evidence)) if part),
        helpers=_list_helpers(evidence, now) or UNSET,
        error_kind=outcome.error or UNSET,
        exit_code=UNSET if outcome.exit_code is None else outcome.exit_code,
        exit_signal=signal_name(signal_number) if signal_number else UNSET,
        agent_session_id=evidence.binding.session_id
        or (evidence.meta.agent_session_id if evidence.meta else "")
        or UNSET,
        transcript_path=evidence.binding.transcript or UNSET,
        signals=build_signals(evidence, outcome, now, bool(seen_at) and now - seen_at <= evidence.output_stale),
        error_code=outcome.code or UNSET,
    )


def _describe_work(evidence: Evidence, outcome: Outcome) -> str:
    """Return the detail of an outcome; that of an idle agent says what still runs."""
    if outcome.state != "waiting_input" or outcome.agent_state not in ("idle", "interrupted", "error"):
        return outcome.detail
    running = _describe_running(evidence)
    if outcome.agent_state == "idle":
        return running or outcome.detail
    return "; ".join(part for part in (outcome.detail, running) if part)


def _describe_running(evidence: Evidence) -> str:
    if not evidence.helpers:
        return ""
    from lisa_py.core.status import helper_list  # noqa: PLC0415 - few sessions have helpers

    return helper_list.describe_running(evidence.helpers)


def _list_helpers(evidence: Evidence, now: float) -> tuple[Helper, ...]:
    if not evidence.helpers:
        return ()
    from lisa_py.core.status import helper_list  # noqa: PLC0415 - few sessions have helpers

    return helper_list.sort_helpers(evidence.helpers, now)


def _describe_place(evidence: Evidence) -> str:
    """Return what is not where spawn put it: the agent in another folder, the pane in another tmux session."""
    pane, meta = evidence.pane, evidence.meta
    parts = [f"it works in {evidence.working_folder}"] if evidence.working_folder else []
    if pane is not None and meta is not None and pane.session != evidence.session:
        subject = "its tmux session is named" if pane.session_id == meta.tmux_session else "its pane is in tmux session"
        parts.append(f"{subject} {pane.session}")
    return "; ".join(parts)


def _active_task(evidence: Evidence, outcome: Outcome, title: str) -> str:
    current = next((todo.text for todo in evidence.todos if todo.status == "in_progress"), "")
    if current:
        return current
    if outcome.agent_state == "tool" and outcome.detail:
        return outcome.detail
    return f"{title if not evidence.custom else 'Command'} running"


def _estimate_wait(evidence: Evidence, outcome: Outcome, now: float) -> int:
    """Estimate the remaining seconds of a turn as half of its duration so far."""
    if not outcome.active:
        return 5 if outcome.state == "degraded" else 0
    if outcome.state == "just_started":
        return 1
    began = max((frame.at for frame in evidence.frames if frame.kind == "turn_start"), default=0.0)
    began = max(began, evidence.state.last_input_at) or evidence.created_at
    return max(1, min(LONGEST_ESTIMATE, int((now - began) / 2))) if began else 2


def pane_status(evidence: Evidence) -> str:
    if evidence.pane is None:
        return ""
    if not evidence.pane.dead:
        return "alive"
    if evidence.end is not None:
        return f"exited:{evidence.end.code}"
    if evidence.pane.dead_signal not in ("", "0"):
        return f"crashed:{evidence.pane.dead_signal}"
    return f"exited:{evidence.pane.dead_status}" if evidence.pane.dead_status else "crashed:"


def build_signals(evidence: Evidence, outcome: Outcome, now: float, fresh_output: bool) -> Signals:
    end = evidence.end or evidence.other_end
    heartbeat_at = evidence.heartbeat_at
    exec_end = evidence.end if evidence.mode == "exec" else None
    return Signals(
        run_id=evidence.run_id or UNSET,
        done_file_seen=evidence.end is not None,
        done_file_run_id=end.run_id if end else UNSET,
        done_file_run_mismatch=evidence.other_end is not None,
        done_file_exit_code=evidence.end.code if evidence.end else 0,
        done_file_read_error=evidence.end_error or UNSET,
        session_marker_seen=evidence.end is not None,
        session_marker_run_id=evidence.end.run_id if evidence.end else UNSET,
        session_marker_run_mismatch=evidence.other_end is not None,
        session_exit_code=evidence.end.code if evidence.end else 0,
        exec_marker_seen=exec_end is not None,
        exec_exit_code=exec_end.code if exec_end else 0,
        prompt_waiting=outcome.waiting_for == "prompt",
        interactive_waiting=outcome.state == "waiting_input",
        active_process_busy=outcome.state == "in_progress" and outcome.source in ("activity", "process"),
        agent_process_detected=evidence.agent_process is not None,
        output_fresh=fresh_output,
        heartbeat_seen=bool(heartbeat_at),
        heartbeat_fresh=bool(heartbeat_at) and 0 <= now - heartbeat_at <= evidence.heartbeat_stale,
        pane_is_shell=process_activity.is_shell(evidence.agent_process),
        agent_scan_error=evidence.scan_error or UNSET,
        transcript_turn_complete=outcome.complete,
        transcript_file_age=max(0, int(now - evidence.transcript_at)) if evidence.transcript_at else 0,
        tmux_read_error=evidence.tmux_error or UNSET,
        meta_read_error=evidence.meta_error or UNSET,
        state_read_error=evidence.state_error or UNSET,
        reports=evidence.reports,
    )
