"""Interrupt the turn of a session before it is ended."""

from __future__ import annotations

import contextlib

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.send import send
from lisa_py.core.send.send import SendPayload
from lisa_py.core.status.status_reader import read_status
from lisa_py.store.paths import SessionRef

STOP_SECONDS = 3.0
"""Seconds for the agent to stop; then the session is ended all the same."""


def interrupt(ctx: Context, ref: SessionRef) -> None:
    """Interrupt a running turn and wait until it has stopped; do nothing if there is none."""
    deadline = ctx.clock.monotonic() + STOP_SECONDS
    with contextlib.suppress(LisaError):
        if read_status(ctx, ref).session_state != "in_progress":
            return
        send.send_payload(ctx, ref, SendPayload(keys=("Escape",)))
        while read_status(ctx, ref).session_state == "in_progress" and ctx.clock.monotonic() < deadline:
            ctx.clock.sleep(0.05)
