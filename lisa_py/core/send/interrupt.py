"""Interrupt the turn of an agent, and wait until its status confirms that."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.send import decision, decision_log, dialog_list, open_dialog, send
from lisa_py.core.send.dialog_list import FoundDialog
from lisa_py.core.send.send import SendPayload
from lisa_py.core.send.target import SendTarget
from lisa_py.host import processes
from lisa_py.store import dialogs
from lisa_py.store.paths import SessionRef

INTERRUPT_SECONDS = 10.0
"""Time for an agent to end its turn after the keys."""
POLL_SECONDS = 0.03
_BUSY = ("thinking", "streaming", "tool", "retrying", "waiting")


class InterruptResult(Answer):
    """The turn was interrupted."""

    session: str
    project_root: str
    ok: bool
    interrupted: bool
    """True if the agent has ended its turn; false if it had none."""
    session_state: str
    agent_state: str
    confirmed_by: str | UnsetType = UNSET
    """Evidence of the end of the turn."""
    notices: tuple[str, ...] | UnsetType = UNSET
    """Closed dialogs that are not in the log of approvals."""
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


def interrupt_turn(ctx: Context, ref: SessionRef) -> InterruptResult:
    """Interrupt the agent's turn and wait until its status confirms that.

    Raise LisaError: session_not_found, agent_not_running, not_supported, send_keys_failed, tmux_unavailable.
    """
    target = SendTarget(ctx, ref)
    target.require_session()
    target.refresh()
    target.require_running()
    if not _is_busy(target):
        return _build_interrupt_result(target, interrupted=False)
    open_dialogs = dialog_list.find_dialogs(ctx, ref, target.evidence, target.status, choices=False)
    if target.evidence.mode == "exec":
        _signal_agent(target)
    else:
        send.send_payload(ctx, ref, SendPayload(keys=target.agent.interrupt_keys))
    deadline = ctx.clock.monotonic() + INTERRUPT_SECONDS
    while _is_busy(target) and ctx.clock.monotonic() < deadline:
        ctx.pause(POLL_SECONDS)
        target.refresh()
    notices = () if _is_busy(target) else _record_closed(ctx, target, open_dialogs)
    return _build_interrupt_result(target, interrupted=True, notices=notices)


def _record_closed(ctx: Context, target: SendTarget, closed: Sequence[FoundDialog]) -> tuple[str, ...]:
    """Record the denial of each dialog; return why some are not in the log of approvals."""
    notices = []
    for each in closed:
        record = decision.build_record(ctx, "deny", "interrupt", "screen", "interrupted")
        if dialogs.decide(target.ref, each.key, record):
            notices.append(decision_log.record_decision(ctx, target, each, record))
        dialogs.release_closed(target.ref, each.key)
    return tuple(filter(None, notices))


def _is_busy(target: SendTarget) -> bool:
    if target.has_ended():
        return False
    is_asking = open_dialog.has_dialog(target.status) and target.status.waiting_for in dialog_list.CALL_KINDS
    return is_asking or (target.status.agent_state in _BUSY and target.status.session_state == "in_progress")


def _signal_agent(target: SendTarget) -> None:
    import signal  # noqa: PLC0415 - only exec runs

    process = target.evidence.agent_process
    if process is None or not processes.send_signal(process, signal.SIGINT):
        raise LisaError(
            "not_supported",
            f"the run of {target.ref.session} has no process that can be interrupted; lisa session kill ends it",
            session=target.ref.session,
        )


def _build_interrupt_result(target: SendTarget, *, interrupted: bool, notices: tuple[str, ...] = ()) -> InterruptResult:
    is_done = not _is_busy(target)
    return InterruptResult(
        session=target.ref.session,
        project_root=target.ref.project.root,
        ok=is_done,
        interrupted=interrupted and is_done,
        session_state=target.status.session_state,
        agent_state=target.status.agent_state,
        confirmed_by=target.status.state_source if interrupted and is_done else UNSET,
        notices=notices or UNSET,
        error_code=UNSET if is_done else "interrupt_not_taken",
        error=UNSET if is_done else f"{target.ref.session} still works; read its pane",
    )
