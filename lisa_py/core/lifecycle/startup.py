"""Start a pane and detect an early exit."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec
from msgspec import structs

import lisa_py
from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.core.lifecycle.launch import PreparedLaunch
from lisa_py.core.status import agent_reports
from lisa_py.core.status.agent_place import AgentPlace, read_agent_place
from lisa_py.host import limits, processes
from lisa_py.host.tmux import Pane, Tmux
from lisa_py.store import session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import SessionRef, make_digest
from lisa_py.store.session_records import EndRecord

START_SECONDS = 15.0
DEFAULT_STALE_SECONDS = 8
"""Age of a heartbeat for which the interval of the supervisor, 5 s, is made."""
WATCH_SECONDS = 0.3
"""Seconds a started agent is watched for an early exit: a wrong flag takes 40 to 170 ms."""
SLOW_START_FACTOR = 8.0
"""Factor on the duration of the start itself: a slow machine gets more time."""
MAX_WATCH_SECONDS = 0.9
CUSTOM_WATCH_SECONDS = 0.1
"""The same for a custom command, whose exit is not a failure."""
_POLL_SECONDS = 0.004
_PANE_CHECK_SECONDS = 0.25
MARKER_SECONDS = 0.5
OUTPUT_LINES = 40
OUTPUT_MAX_CHARACTERS = 4000


def supervisor_command(ref: SessionRef, run_id: str, mode: str, stale_seconds: int) -> list[str]:
    """Return the command line of the pane process; it contains no secret.

    `stale_seconds` is the age up to which its heartbeat counts as fresh: the beats come at least twice in it.
    """
    program = os.path.join(os.path.dirname(lisa_py.__file__), "pane", "supervisor.sh")
    faster = [str(max(1, stale_seconds // 2))] if stale_seconds < DEFAULT_STALE_SECONDS else []
    return ["/bin/sh", program, ref.folder, run_id, mode, *faster]


def wait_for_start(ctx: Context, server: Tmux, ref: SessionRef, run_id: str) -> float:
    """Wait for the start record of the supervisor; return the time it took.

    Raise LisaError(spawn_tmux_new_failed) if there is none in time.
    """
    started_at = ctx.clock.monotonic()
    next_check = started_at + _PANE_CHECK_SECONDS
    while not _has_started(ref, run_id):
        now = ctx.clock.monotonic()
        if now >= next_check:
            next_check = now + _PANE_CHECK_SECONDS
            pane = ctx.find_pane(ref)
            gone = pane is None or pane.dead
            if (gone or now - started_at > START_SECONDS) and not _has_started(ref, run_id):
                shown = _wait_for_output(ctx, server, pane, _strip_markers) if pane is not None else ""
                reason = (
                    "the pane ended before it started the agent" if gone else f"no start within {START_SECONDS:.0f} s"
                )
                code = limits.find_in_text(shown) or "spawn_tmux_new_failed"
                raise LisaError(code, f"{reason}{': ' + shown if shown else ''}", session=ref.session)
        ctx.pause(_POLL_SECONDS)
    return ctx.clock.monotonic() - started_at


def _has_started(ref: SessionRef, run_id: str) -> bool:
    start = session_records.read_start(ref)
    return start is not None and start[0] == run_id


def describe_shape(agent: Agent, prepared: PreparedLaunch, home: str) -> str:
    """Return a digest of what decides whether a start ends at once; empty if its arguments are the user's own.

    Starts of one shape have the same program, settings, project and home; prompt, session and secrets differ.
    """
    launch = prepared.launch
    if launch.agent_args or not prepared.facts.binary:
        return ""
    bare = structs.replace(
        launch,
        prompt="x" if launch.prompt else "",
        folder="",
        run_id="",
        environ={},
        secrets=dict.fromkeys(sorted(launch.secrets), ""),
    )
    passed = (agent.name, home, prepared.plan.send_prompt, prepared.plan.stdin is not None)
    return make_digest(msgspec.json.encode((passed, bare)).decode())


def compute_watch_seconds(start_seconds: float, *, custom: bool) -> float:
    """Return the time to watch for an early end; `start_seconds` is the duration of the start."""
    if custom:
        return CUSTOM_WATCH_SECONDS
    return min(MAX_WATCH_SECONDS, max(WATCH_SECONDS, SLOW_START_FACTOR * start_seconds))


def wait_for_early_end(ctx: Context, ref: SessionRef, run_id: str, seconds: float) -> EndRecord | None:
    """Return the end of a command that ends within the time."""
    deadline = ctx.clock.monotonic() + seconds
    while True:
        end = _read_end(ref, run_id)
        if end is not None or ctx.clock.monotonic() >= deadline:
            return end
        ctx.pause(_POLL_SECONDS)


def _read_end(ref: SessionRef, run_id: str) -> EndRecord | None:
    try:
        end = session_records.read_end(ref)
    except UnreadableRecord:
        return None
    return end if end is not None and end.run_id == run_id else None


def find_agent_place(ctx: Context, ref: SessionRef, agent: Agent, meta: SessionMeta) -> AgentPlace:
    """Return the place of the agent itself: a wrapper or a start-up file may have chosen another than the caller's."""
    tree = processes.read_tree(meta.pane_pid)
    view = agent_reports.build_view(ctx, ref, agent, meta, tree=tree)
    process = agent.find_process(view)
    if process is None:
        return AgentPlace()
    return read_agent_place(agent, meta.working_folder, process)


def read_final_output(ctx: Context, server: Tmux, pane: Pane, run_id: str) -> str:
    """Return the output of an ended command once the pane shows the end marker."""
    return _wait_for_output(ctx, server, pane, lambda text: f"__LISA_SESSION_DONE__:{run_id}:" in text)


def _wait_for_output(ctx: Context, server: Tmux, pane: Pane, is_complete: Callable[[str], object]) -> str:
    """Return the output of an ended pane once it is complete: tmux may show the last of it a little later."""
    deadline = ctx.clock.monotonic() + MARKER_SECONDS
    while True:
        text = _capture_text(server, pane)
        if is_complete(text) or ctx.clock.monotonic() >= deadline:
            return _strip_markers(text)
        ctx.clock.sleep(_POLL_SECONDS)


def _capture_text(server: Tmux, pane: Pane) -> str:
    return server.capture([pane.pane_id], history=OUTPUT_LINES).get(pane.pane_id, "")


def _strip_markers(text: str) -> str:
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("__LISA_")]
    return "\n".join(lines[-OUTPUT_LINES:])[-OUTPUT_MAX_CHARACTERS:]
