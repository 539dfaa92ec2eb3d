"""One turn of a dialogue in one call: tell the session something, wait for what comes of it, pack the result."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.life import receipt
from lisa_py.core.life.receipt import Receipt
from lisa_py.core.life.send import Payload, send
from lisa_py.core.relay import fields, monitoring, packet
from lisa_py.core.relay.monitoring import Monitored, Reporting
from lisa_py.core.relay.packet import Packet, PacketRequest
from lisa_py.core.relay.recent import EventReader
from lisa_py.core.watch import look
from lisa_py.core.watch.memory import Memory
from lisa_py.core.watch.rules import Rules
from lisa_py.core.watch.waiting import Waiter
from lisa_py.store.places import Place

Step = Literal["send", "monitor", "packet"]

KEYS_WORK_WITHIN = 1.0
"""Seconds."""
SILENT_TICK = 0.1
"""The same, between two looks while nothing tells of a change: a terminal title changes without an event."""


class TurnRequest(Struct, frozen=True, kw_only=True):
    """What to tell, how long to wait for what, and what to pack."""

    payload: Payload
    rules: Rules
    packet: PacketRequest
    reader: EventReader
    fields: tuple[str, ...] = ()
    """Only these of the packet; empty: all."""


class Refusal(Struct, frozen=True, kw_only=True, rename="camel"):
    """A step that failed with an error instead of an answer."""

    session: str
    project_root: str
    error_code: str
    error: str
    ok: bool = False


class Turn(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the three steps gave; steps after a failed one are left out."""

    ok: bool
    session: str
    project_root: str
    send: Receipt | Refusal
    send_exit_code: int = 0
    monitor: Monitored | Refusal | UnsetType = UNSET
    monitor_exit_code: int = 0
    packet: Packet | Refusal | dict[str, Any] | UnsetType = UNSET
    packet_exit_code: int = 0
    failed_step: Step | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET

    @property
    def exit_code(self) -> int:
        """That of the failed step."""
        return self.send_exit_code or self.monitor_exit_code or self.packet_exit_code


def turn(ctx: Context, place: Place, request: TurnRequest) -> Turn:
    """Do the three steps as far as they go; what goes wrong is in the answer.

    Raises LisaError(interrupted) on Ctrl-C.
    """
    told = _told(ctx, place, request.payload)
    done = Turn(ok=True, session=place.session, project_root=place.project.root, send=told)
    if isinstance(told, Refusal) or not told.ok:
        return _failed(done, "send", told, 1)
    if request.payload.keys:
        _let_keys_work(ctx, place)
    seen = _waited(ctx, place, request.rules)
    done = msgspec.structs.replace(done, monitor=seen)
    if seen.error_code is not UNSET:
        return _failed(done, "monitor", seen, 1 if isinstance(seen, Refusal) else 2)
    made = _packed(ctx, place, request)
    if made.error_code is not UNSET:
        return _failed(msgspec.structs.replace(done, packet=made), "packet", made, 1)
    shown = fields.project(msgspec.to_builtins(made), request.fields) if request.fields else made
    return msgspec.structs.replace(done, packet=shown)


def _told(ctx: Context, place: Place, payload: Payload) -> Receipt | Refusal:
    try:
        return receipt.receipt(place, send(ctx, place, payload))
    except LisaError as problem:
        return _refusal(place, problem)


def _let_keys_work(ctx: Context, place: Place) -> None:
    """No agent confirms a key: the rest it is seen in at once may be that from before the key."""
    deadline = ctx.clock.monotonic() + KEYS_WORK_WITHIN
    memory = Memory()
    with Waiter(ctx, [place.folder]) as waiter:
        while True:
            evidence, status = look.look(ctx, place, memory=memory)
            left = deadline - ctx.clock.monotonic()
            if status.session_state != "waiting_input" or left <= 0:
                return
            waiter.watch([place.folder, *evidence.watch_paths], [])
            waiter.wait(min(left, SILENT_TICK))


def _waited(ctx: Context, place: Place, rules: Rules) -> Monitored | Refusal:
    try:
        return monitoring.run(ctx, place, rules, Reporting())
    except LisaError as problem:
        if problem.exit_code == 130:
            raise
        return _refusal(place, problem)


def _packed(ctx: Context, place: Place, request: TurnRequest) -> Packet | Refusal:
    try:
        made = packet.build(ctx, place, request.packet, request.reader)
        request.reader.save(ctx)
    except LisaError as problem:
        return _refusal(place, problem)
    return made


def _refusal(place: Place, problem: LisaError) -> Refusal:
    return Refusal(
        session=place.session, project_root=place.project.root, error_code=problem.code, error=problem.message
    )


def _failed(done: Turn, step: Step, why: Receipt | Monitored | Packet | Refusal, code: int) -> Turn:
    error = why.error if isinstance(why, Refusal) else why.error_code
    codes = {
        "send": (code, 0, 0),
        "monitor": (0, code, 0),
        "packet": (0, 0, code),
    }[step]
    return msgspec.structs.replace(
        done,
        ok=False,
        failed_step=step,
        error_code=f"turn_{step}_failed",
        error=error,
        send_exit_code=codes[0],
        monitor_exit_code=codes[1],
        packet_exit_code=codes[2],
    )
