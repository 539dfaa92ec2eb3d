"""Print state and pane of a session in one call."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract import flags
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.contract.flags import AgentHint, FailNotFound, ModeHint, ProjectRoot, Session
from lisa_py.contract.status import DialogChoice, Status
from lisa_py.core.context import Context
from lisa_py.core.output import markers as marker_search
from lisa_py.core.output.capture import capture_session
from lisa_py.core.output.capture_request import CaptureRequest, CaptureResult
from lisa_py.core.send import open_dialog
from lisa_py.core.status import status_reader
from lisa_py.terminal import layout


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


class SnapshotResult(Answer):
    session: str
    status: str
    session_state: str
    waiting_for: str
    todos_done: int
    todos_total: int
    wait_estimate: int
    next_offset: int = 0
    question: str | UnsetType = UNSET
    """Text of the open dialog above its choices."""
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    capture: str | UnsetType = UNSET
    """Omitted if markers are requested."""
    delta_from: str | UnsetType = UNSET
    delta_mode: str | UnsetType = UNSET
    delta_reset: str | UnsetType = UNSET
    markers: tuple[str, ...] | UnsetType = UNSET
    marker_matches: dict[str, bool] | UnsetType = UNSET
    marker_counts: dict[str, int] | UnsetType = UNSET
    found_markers: tuple[str, ...] | UnsetType = UNSET
    missing_markers: tuple[str, ...] | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


class FailedSnapshotResult(SnapshotResult):
    """Snapshot of a session that could not be read; exit code 1."""


def run(args: Args, ctx: Context) -> SnapshotResult:
    agent = agents.parse_agent_hint(args.agent)
    request = CaptureRequest(
        source="pane",
        lines=args.lines,
        limited="lines" in ctx.given_fields,
        since=args.delta_from,
        markers=marker_search.parse(args.markers, ()) if args.markers else (),
        strip_noise=not args.keep_noise,
    )
    ref = ctx.ref(args.session, args.project_root)
    evidence, status = status_reader.read_with_evidence(ctx, ref, agent=agent, mode=args.mode)
    status = open_dialog.add_dialog(ctx, ref, status_reader.normalise_status(status), evidence.pane)
    if status.session_state == "not_found":
        return _build_result(
            FailedSnapshotResult if args.fail_not_found else SnapshotResult, status, None, args, "session_not_found"
        )
    try:
        captured = capture_session(ctx, ref, request)
    except TmuxUnavailable as problem:
        return _build_result(FailedSnapshotResult, status, None, args, problem.code)
    return _build_result(SnapshotResult, status, captured, args, "")


def _build_result(
    result_class: type[SnapshotResult], status: Status, captured: CaptureResult | None, args: Args, code: str
) -> SnapshotResult:
    return result_class(
        session=status.session,
        status=status.status,
        session_state=status.session_state,
        waiting_for=status.waiting_for,
        todos_done=status.todos_done,
        todos_total=status.todos_total,
        wait_estimate=status.wait_estimate,
        question=status.question,
        choices=status.choices,
        capture=UNSET if args.markers else _strip_rulers(captured.text, status) if captured else "",
        next_offset=captured.progress.next if captured else 0,
        error_code=code or UNSET,
        **(_build_optional_fields(args, captured) if captured is not None else {}),
    )


def _strip_rulers(text: str, status: Status) -> str:
    """Return the text of a screen without the rulers around an open dialog, which take most of its characters."""
    if status.question is UNSET:
        return text
    return "\n".join(line for line in text.split("\n") if not layout.is_ruler(line))


def _build_optional_fields(args: Args, captured: CaptureResult) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if args.delta_from:
        fields["delta_from"] = captured.progress.start
        fields["delta_mode"] = captured.progress.mode
        fields["delta_reset"] = captured.progress.reset or UNSET
    if captured.found is not None:
        found = captured.found
        fields |= {"markers": found.markers, "marker_matches": found.matches, "marker_counts": found.counts}
        fields |= {"found_markers": found.found, "missing_markers": found.missing}
    return fields


def text(answer: SnapshotResult, args: Args) -> str:
    if answer.marker_matches is not UNSET:
        matches = answer.marker_matches.items()
        return "\n".join(f"{marker}={'true' if there else 'false'}" for marker, there in matches)
    return answer.capture or ""


FULL_ONLY = ("todos_done", "todos_total", "wait_estimate", "delta_from", "delta_mode", "marker_counts")

COMMAND = Command(
    group="reading",
    reads=True,
    args=Args,
    answer=SnapshotResult,
    run=run,
    text=text,
    min=tuple(name for name in SnapshotResult.__struct_fields__ if name not in FULL_ONLY),
    exit_code=lambda answer: 1 if isinstance(answer, FailedSnapshotResult) else 0,
    errors=("invalid_delta_from", "invalid_markers",),
    exits={0: "answered, also for a missing session (see errorCode)", 1: "refused, tmux cannot be "
           "queried, or --fail-not-found and the session does not exist"},
    example="lisa session snapshot --session lisa-demo-1 --json-min\n"
    "lisa session snapshot --session lisa-demo-1 --delta-from 1200 --json-min",
    notes="The pane is read, not the transcript. nextOffset of one call is --delta-from of the next, which then shows "
    "only new output.",
)  # fmt: skip
