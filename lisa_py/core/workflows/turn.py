"""Run one turn in one call: send a prompt, wait for the result, pack it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.contract.status import DialogChoice
from lisa_py.core.context import Context
from lisa_py.core.handoff import fields, packet
from lisa_py.core.handoff.packet import Packet, PacketRequest
from lisa_py.core.output.events import EventReader
from lisa_py.core.send.open_dialog import add_drawn_dialogs
from lisa_py.core.send.result import SendResult
from lisa_py.core.send.send import SendPayload, send_payload
from lisa_py.core.status import status_reader
from lisa_py.core.status.poll_cache import PollCache
from lisa_py.core.wait.stop_rules import StopRules
from lisa_py.core.wait.waiter import Waiter
from lisa_py.core.workflows import monitor_report
from lisa_py.core.workflows.monitor_report import MonitorResult, ReportOptions
from lisa_py.store.paths import SessionRef

TurnStep = Literal["send", "monitor", "packet"]

KEY_EFFECT_SECONDS = 1.0
"""Longest wait for the effect of a key."""
POLL_SECONDS = 0.1
"""Seconds between polls if no event reports a change: a terminal title changes without an event."""


class TurnRequest(Struct, frozen=True, kw_only=True):
    """Text to send, wait conditions and packet options."""

    payload: SendPayload
    rules: StopRules
    packet: PacketRequest
    reader: EventReader
    fields: tuple[str, ...] = ()
    """Packet fields to include; empty: all."""


class TurnStepError(Answer):
    """A step that failed with an error instead of an answer."""

    session: str
    project_root: str
    error_code: str
    error: str
    ok: bool = False
    session_state: str | UnsetType = UNSET
    waiting_for: str | UnsetType = UNSET
    state_detail: str | UnsetType = UNSET
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    """Choices of the open dialog."""


class TurnResult(Answer):
    """Answers of the three steps; steps after a failed one are omitted."""

    ok: bool
    session: str
    project_root: str
    send: SendResult | TurnStepError
    send_exit_code: int = 0
    monitor: MonitorResult | TurnStepError | UnsetType = UNSET
    monitor_exit_code: int = 0
    packet: Packet | TurnStepError | dict[str, Any] | UnsetType = UNSET
    packet_exit_code: int = 0
    final_state: str | UnsetType = UNSET
    """State at the end of the wait, or of a failed send."""
    waiting_for: str | UnsetType = UNSET
    state_detail: str | UnsetType = UNSET
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    """Choices of the open dialog."""
    failed_step: TurnStep | UnsetType = UNSET
    step_error_code: str | UnsetType = UNSET
    """Error code of the failed step."""
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET

    @property
    def exit_code(self) -> int:
        """Exit code of the failed step, or 0."""
        return self.send_exit_code or self.monitor_exit_code or self.packet_exit_code


def run_turn(ctx: Context, ref: SessionRef, request: TurnRequest) -> TurnResult:
    """Run the three steps until one fails; return the result, failures included.

    Raise CancellationError.
    """
    sent = _send(ctx, ref, request.payload)
    done = TurnResult(ok=True, session=ref.session, project_root=ref.project.root, send=sent)
    if isinstance(sent, TurnStepError) or not sent.ok:
        return _build_failure(done, "send", sent, 1)
    if request.payload.keys:
        _wait_for_key_effect(ctx, ref)
    monitored = _monitor(ctx, ref, request.rules)
    done = msgspec.structs.replace(done, monitor=monitored, **_describe_end(monitored))
    if monitored.error_code is not UNSET:
        return _build_failure(done, "monitor", monitored, 1 if isinstance(monitored, TurnStepError) else 2)
    made = _build_packet(ctx, ref, request)
    if made.error_code is not UNSET:
        return _build_failure(msgspec.structs.replace(done, packet=made), "packet", made, 1)
    shown = fields.project(msgspec.to_builtins(made), request.fields) if request.fields else made
    return msgspec.structs.replace(done, packet=shown)


def _send(ctx: Context, ref: SessionRef, payload: SendPayload) -> SendResult | TurnStepError:
    try:
        return send_payload(ctx, ref, payload)
    except CancellationError:
        raise
    except LisaError as problem:
        return _build_send_error(ctx, ref, problem)


def _build_send_error(ctx: Context, ref: SessionRef, problem: LisaError) -> TurnStepError:
    """Return the error with the state of the session, which usually is its reason."""
    status = status_reader.normalise_status(status_reader.read_status(ctx, ref))
    status = add_drawn_dialogs(ctx, [(ref, status)])[ref]
    return msgspec.structs.replace(
        _build_step_error(ref, problem),
        session_state=status.session_state,
        waiting_for=status.waiting_for or UNSET,
        state_detail=status.state_detail or UNSET,
        choices=status.choices,
    )


def _wait_for_key_effect(ctx: Context, ref: SessionRef) -> None:
    """Wait until a key shows effect: no agent confirms a key, so an immediate idle state can predate it."""
    deadline = ctx.clock.monotonic() + KEY_EFFECT_SECONDS
    memory = PollCache()
    with Waiter(ctx) as waiter:
        waiter.follow(ref.session, [ref.folder])
        while True:
            waiter.start_read()
            evidence, status = status_reader.read_with_evidence(ctx, ref, cache=memory)
            waiter.finish_read({ref.session: (evidence, status)})
            left = deadline - ctx.clock.monotonic()
            if status.session_state != "waiting_input" or left <= 0:
                return
            waiter.wait(min(left, POLL_SECONDS))


def _monitor(ctx: Context, ref: SessionRef, rules: StopRules) -> MonitorResult | TurnStepError:
    try:
        return monitor_report.monitor_and_report(ctx, ref, rules, ReportOptions())
    except CancellationError:
        raise
    except LisaError as problem:
        return _build_step_error(ref, problem)


def _build_packet(ctx: Context, ref: SessionRef, request: TurnRequest) -> Packet | TurnStepError:
    try:
        made = packet.build(ctx, ref, request.packet, request.reader)
        request.reader.save(ctx)
    except LisaError as problem:
        return _build_step_error(ref, problem)
    return made


def _build_step_error(ref: SessionRef, problem: LisaError) -> TurnStepError:
    return TurnStepError(
        session=ref.session, project_root=ref.project.root, error_code=problem.code, error=problem.message
    )


def _describe_end(found: SendResult | MonitorResult | Packet | TurnStepError) -> dict[str, Any]:
    """Return the fields of a turn about the state that a step ended with."""
    if isinstance(found, MonitorResult):
        state: str | UnsetType = found.final_state
    elif isinstance(found, TurnStepError):
        state = found.session_state
    else:
        return {}
    return {
        "final_state": state,
        "waiting_for": found.waiting_for,
        "state_detail": found.state_detail,
        "choices": found.choices,
    }


def _build_failure(
    done: TurnResult, step: TurnStep, why: SendResult | MonitorResult | Packet | TurnStepError, code: int
) -> TurnResult:
    words = why.error if isinstance(why, TurnStepError | SendResult) else UNSET
    error = why.error_code if words is UNSET else words
    codes = {
        "send": (code, 0, 0),
        "monitor": (0, code, 0),
        "packet": (0, 0, code),
    }[step]
    return msgspec.structs.replace(
        done,
        ok=False,
        failed_step=step,
        step_error_code=why.error_code,
        **(_describe_end(why) if step == "send" else {}),
        error_code=f"turn_{step}_failed",
        error=error,
        send_exit_code=codes[0],
        monitor_exit_code=codes[1],
        packet_exit_code=codes[2],
    )
