"""Say what a session is doing and show its pane, in one call."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import flags
from lisa_py.contract.command import Command
from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.contract.flags import AgentHint, FailNotFound, ModeHint, ProjectRoot, Session
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.relay import markers as marking
from lisa_py.core.relay.capture import capture
from lisa_py.core.relay.captured import Captured, CaptureRequest
from lisa_py.core.watch import hints, look


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    agent: AgentHint = "auto"
    mode: ModeHint = "auto"
    lines: flags.Lines = 200
    delta_from: flags.DeltaFrom = ""
    markers: flags.Markers = ""
    keep_noise: flags.KeepNoise = False
    fail_not_found: FailNotFound = False


class Snapshot(Struct, frozen=True, kw_only=True, rename="camel"):
    session: str
    status: str
    session_state: str
    waiting_for: str
    todos_done: int
    todos_total: int
    wait_estimate: int
    next_offset: int = 0
    capture: str | UnsetType = UNSET
    """Left out when markers are asked for."""
    delta_from: str | UnsetType = UNSET
    delta_mode: str | UnsetType = UNSET
    delta_reset: str | UnsetType = UNSET
    markers: tuple[str, ...] | UnsetType = UNSET
    marker_matches: dict[str, bool] | UnsetType = UNSET
    marker_counts: dict[str, int] | UnsetType = UNSET
    found_markers: tuple[str, ...] | UnsetType = UNSET
    missing_markers: tuple[str, ...] | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


class Failed(Snapshot, frozen=True, kw_only=True, rename="camel"):
    """The same, of a session that could not be read; exit code 1."""


def run(args: Args, ctx: Context) -> Snapshot:
    agent = hints.agent(args.agent)
    request = CaptureRequest(
        source="pane",
        lines=args.lines,
        limited="lines" in ctx.given,
        since=args.delta_from,
        markers=marking.parse(args.markers, ()) if args.markers else (),
        strip_noise=not args.keep_noise,
    )
    place = ctx.place(args.session, args.project_root)
    status = look.shown(look.status(ctx, place, agent=agent, mode=args.mode))
    if status.session_state == "not_found":
        return _shaped(Failed if args.fail_not_found else Snapshot, status, None, args, "session_not_found")
    try:
        taken = capture(ctx, place, request)
    except TmuxUnavailable as problem:
        return _shaped(Failed, status, None, args, problem.code)
    return _shaped(Snapshot, status, taken, args, "")


def _shaped(kind: type[Snapshot], status: Status, taken: Captured | None, args: Args, code: str) -> Snapshot:
    return kind(
        session=status.session,
        status=status.status,
        session_state=status.session_state,
        waiting_for=status.waiting_for,
        todos_done=status.todos_done,
        todos_total=status.todos_total,
        wait_estimate=status.wait_estimate,
        capture=UNSET if args.markers else (taken.text if taken else ""),
        next_offset=taken.progress.next if taken else 0,
        error_code=code or UNSET,
        **(_more(args, taken) if taken is not None else {}),
    )


def _more(args: Args, taken: Captured) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    if args.delta_from:
        keys["delta_from"] = taken.progress.began
        keys["delta_mode"] = taken.progress.mode
        keys["delta_reset"] = taken.progress.reset or UNSET
    if taken.found is not None:
        found = taken.found
        keys |= {"markers": found.markers, "marker_matches": found.matches, "marker_counts": found.counts}
        keys |= {"found_markers": found.found, "missing_markers": found.missing}
    return keys


def text(answer: Snapshot, args: Args) -> str:
    if answer.marker_matches is not UNSET:
        marks = answer.marker_matches.items()
        return "\n".join(f"{marker}={'true' if there else 'false'}" for marker, there in marks)
    return answer.capture or ""


FULL_ONLY = ("todos_done", "todos_total", "wait_estimate", "delta_from", "delta_mode", "marker_counts")

COMMAND = Command(
    args=Args,
    answer=Snapshot,
    run=run,
    text=text,
    min=tuple(name for name in Snapshot.__struct_fields__ if name not in FULL_ONLY),
    exit_code=lambda answer: 1 if isinstance(answer, Failed) else 0,
    errors={
        "invalid_agent_hint": "--agent names no agent lisa knows",
        "invalid_mode_hint": "--mode is neither auto, interactive nor exec",
        "invalid_delta_from": "not an offset, an @unix time or an RFC 3339 time",
        "invalid_markers": "an empty text among the markers",
        "invalid_lines": "not a number of at least 1",
    },
    exits={0: "answered, also for a session that does not exist (errorCode says so)", 1: "refused, tmux cannot be "
           "asked, or --fail-not-found and there is no such session"},
    example="lisa session snapshot --session lisa-demo-1 --json-min\n"
    "lisa session snapshot --session lisa-demo-1 --delta-from 1200 --json-min",
    notes="The pane is read, not the transcript; nextOffset of one call is --delta-from of the next, which then shows "
    "only what is new.",
)  # fmt: skip
