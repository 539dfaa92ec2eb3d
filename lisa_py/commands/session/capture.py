"""Print the output of a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract import command_line, flags
from lisa_py.contract.answer import CursorAnswer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import ProjectRoot, Session, TokenBudget
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.output import markers as marker_search
from lisa_py.core.output.capture import capture_session
from lisa_py.core.output.capture_request import CaptureRequest, CaptureResult
from lisa_py.core.output.conversation import Message, Problem, ToolCall
from lisa_py.core.output.markers import Hit
from lisa_py.core.redact.redactor import Mask
from lisa_py.store.cursors import resolve_path
from lisa_py.store.paths import SessionRef


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    raw: Annotated[bool, Flag(help="pane instead of the transcript")] = False
    transcript: Annotated[bool, Flag(help="transcript only, with deltas")] = False
    last: Annotated[bool, Flag(help="only the last answer of the agent")] = False
    lines: flags.Lines = 200
    delta_from: flags.DeltaFrom = ""
    cursor_file: flags.CursorFile = ""
    cursor_reset: flags.CursorReset = False
    semantic_delta: Annotated[bool, Flag(help="only lines with new meaning; needs --raw", json=True)] = False
    markers: flags.Markers = ""
    marker: Annotated[
        tuple[str, ...],
        Flag(help="one text to search for, commas allowed; repeatable", metavar="TEXT", repeatable=True),
    ] = ()
    markers_json: Annotated[bool, Flag(help="positions of each marker", json=True)] = False
    summary: Annotated[bool, Flag(help="summary within a token budget")] = False
    summary_style: flags.SummaryStyle = "terse"
    token_budget: TokenBudget = 320
    keep_noise: flags.KeepNoise = False
    strip_banner: Annotated[bool, Flag(help="with --keep-noise: removal of welcome boxes only")] = False
    redact: flags.Redact = ""


class SessionCaptureResult(CursorAnswer):
    """Captured output; the keys depend on the source and the flags."""

    session: str
    project_root: str
    source: str
    fallback_reason: str | UnsetType = UNSET
    agent: str | UnsetType = UNSET
    claude_session: str | UnsetType = UNSET
    codex_session: str | UnsetType = UNSET
    agent_session: str | UnsetType = UNSET
    messages: tuple[Message, ...] | UnsetType = UNSET
    message_count: int | UnsetType = UNSET
    tool_calls: tuple[ToolCall, ...] | UnsetType = UNSET
    problems: tuple[Problem, ...] | UnsetType = UNSET
    capture: str | UnsetType = UNSET
    summary: str | UnsetType = UNSET
    summary_style: str | UnsetType = UNSET
    token_budget: int | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET
    markers: tuple[str, ...] | UnsetType = UNSET
    marker_matches: dict[str, bool] | UnsetType = UNSET
    marker_counts: dict[str, int] | UnsetType = UNSET
    found_markers: tuple[str, ...] | UnsetType = UNSET
    missing_markers: tuple[str, ...] | UnsetType = UNSET
    marker_hits: tuple[Hit, ...] | UnsetType = UNSET
    delta_from: str | UnsetType = UNSET
    delta_mode: str | UnsetType = UNSET
    delta_reset: str | UnsetType = UNSET
    """Reason why the reader could not continue at its position; everything is printed again."""
    skipped_lines: int | UnsetType = UNSET
    next_offset: int | UnsetType = UNSET
    semantic_delta: str | UnsetType = UNSET
    semantic_delta_count: int | UnsetType = UNSET
    semantic_lines: tuple[str, ...] | UnsetType = UNSET
    """The lines of `semanticDelta`."""
    noise_removed: int | UnsetType = UNSET
    screen: str | UnsetType = UNSET
    """`alternate` if a full-screen program runs, which keeps no history."""
    more_before: bool | UnsetType = UNSET
    """True if older output was not read."""
    rest_command: str | UnsetType = UNSET
    """Command that prints the whole conversation; set if it was too long for this answer (`truncated`)."""


FULL_ONLY = frozenset(
    (
        "marker_counts",
        "delta_from",
        "delta_mode",
        "cursor_file",
        "semantic_lines",
        "messages",
        "tool_calls",
        "problems",
        "project_root",
        "noise_removed",
        "agent",
    )
)


def _has_markers(args: Args) -> bool:
    return bool(args.markers.strip() or args.marker)


def _uses_default_source(args: Args) -> bool:
    return not args.raw and not args.transcript


def _has_other_part(args: Args) -> bool:
    """Return True if the flags select a part of the output other than the last answer."""
    return bool(args.raw or args.summary or args.delta_from or args.cursor_file or _has_markers(args))


CONFLICTS: tuple[tuple[Callable[[Args], object], str, str], ...] = (
    (
        lambda args: args.raw and args.transcript,
        "raw_incompatible_with_transcript",
        "--raw cannot be combined with --transcript",
    ),
    (
        lambda args: args.last and _has_other_part(args),
        "last_incompatible_with_part",
        "--last cannot be combined with --raw, --delta-from, --cursor-file, --summary or --markers",
    ),
    (
        lambda args: args.delta_from and _uses_default_source(args),
        "delta_requires_raw_capture",
        "--delta-from requires --raw (or --transcript)",
    ),
    (
        lambda args: args.cursor_file and _uses_default_source(args),
        "cursor_file_requires_raw_capture",
        "--cursor-file requires --raw (or --transcript)",
    ),
    (
        lambda args: args.semantic_delta and not args.raw,
        "semantic_delta_requires_raw_capture",
        "--semantic-delta requires --raw",
    ),
    (
        lambda args: args.summary and _has_markers(args),
        "summary_incompatible_with_markers",
        "--summary cannot be combined with --markers",
    ),
    (
        lambda args: args.semantic_delta and _has_markers(args),
        "semantic_delta_incompatible_with_markers",
        "--semantic-delta cannot be combined with --markers",
    ),
    (
        lambda args: args.markers_json and not _has_markers(args),
        "markers_json_requires_markers",
        "--markers-json requires --markers",
    ),
    (
        lambda args: args.summary_style != "terse" and not args.summary,
        "summary_style_requires_summary",
        "--summary-style requires --summary",
    ),
)
"""Conflicts of flags in the order they are checked: condition, code, message."""


def run(args: Args, ctx: Context) -> SessionCaptureResult:
    request = build_request(args, ctx)
    ref = ctx.ref(args.session, args.project_root)
    captured = capture_session(ctx, ref, request)
    answer = SessionCaptureResult(
        session=ref.session,
        project_root=ref.project.root,
        source=captured.source,
        agent=captured.agent or UNSET,
        fallback_reason=captured.fallback_reason or UNSET,
        more_before=captured.truncated or UNSET,
        rest_command=_build_rest_command(ctx, ref) if captured.is_part else UNSET,
        **_build_body(captured, ctx.output_format),
        **_build_delta(args, captured),
        **_build_markers(args, captured),
        redact_rules=captured.redact_rules or UNSET,
        redacted=UNSET if captured.redacted is None else captured.redacted,
    )
    return Mask(args.redact).mask_record(answer)


def _build_rest_command(ctx: Context, ref: SessionRef) -> str:
    """Return the command that prints the whole conversation; tell people that they see its end only."""
    command = command_line.build("session history", session=ref.session, project_root=ref.project.root, since="start")
    if ctx.output_format == "text":
        ctx.warn(f"only the end of a long conversation is shown; all of it: {command}")
    return str(command)


def build_request(args: Args, ctx: Context) -> CaptureRequest:
    """Return the request after checking its flags. Raise UsageError."""
    for matches, code, message in CONFLICTS:
        if matches(args):
            raise UsageError(code, message)
    return copy_fields(
        args,
        CaptureRequest,
        source="pane" if args.raw else "transcript" if args.transcript else "auto",
        limited="lines" in ctx.given_fields,
        since=args.delta_from,
        semantic=args.semantic_delta,
        markers=marker_search.parse(args.markers, args.marker),
        summary=args.summary_style if args.summary else "",
        strip_noise=not args.keep_noise,
        needs_offset=ctx.output_format != "text",
    )


def _build_body(captured: CaptureResult, form: str) -> dict[str, Any]:
    """Return the output: messages in full JSON, else one text; neither beside a summary or markers."""
    fields = _build_conversation(captured, form) if captured.excerpt is not None else _build_pane(captured)
    if captured.summary is not None:
        fields["summary"] = captured.summary.text
        fields["summary_style"] = captured.summary.style
        fields["token_budget"] = captured.summary.budget
        fields["truncated"] = captured.summary.truncated
    elif captured.is_part:
        fields["truncated"] = True
    if captured.found is not None or captured.summary is not None:
        for name in ("capture", "messages", "tool_calls", "problems"):
            fields.pop(name, None)
    return fields


def _build_conversation(captured: CaptureResult, form: str) -> dict[str, Any]:
    conversation = captured.excerpt
    if conversation is None:
        return {}
    if captured.is_answer:
        return {"capture": captured.text}
    fields: dict[str, Any] = {"agent_session": conversation.session_id, "message_count": len(conversation.messages)}
    if field := agents.get_or_default(captured.agent).capture_field:
        fields[field] = conversation.session_id
    if form == "json":
        return {
            **fields,
            "messages": conversation.messages,
            "tool_calls": conversation.tools,
            "problems": conversation.problems or UNSET,
        }
    return {**fields, "capture": captured.text}


def _build_pane(captured: CaptureResult) -> dict[str, Any]:
    fields: dict[str, Any] = {"capture": captured.text, "noise_removed": captured.noise_removed}
    if captured.alternate:
        fields["screen"] = "alternate"
    if captured.semantic_delta is not None:
        fields["semantic_delta"] = "\n".join(captured.semantic_delta)
        fields["semantic_delta_count"] = len(captured.semantic_delta)
        fields["semantic_lines"] = captured.semantic_delta
    return fields


def _build_delta(args: Args, captured: CaptureResult) -> dict[str, Any]:
    progress = captured.progress
    if not progress.mode:
        return {"next_offset": progress.next} if captured.source == "pane" else {}
    return {
        "next_offset": progress.next,
        "delta_mode": progress.mode,
        "delta_from": progress.start,
        "delta_reset": progress.reset or UNSET,
        "skipped_lines": progress.skipped or UNSET,
        "cursor_file": resolve_path(args.cursor_file) if args.cursor_file else UNSET,
        "cursor_recovered": captured.cursor_recovered or UNSET,
    }


def _build_markers(args: Args, captured: CaptureResult) -> dict[str, Any]:
    found = captured.found
    if found is None:
        return {}
    return {
        "markers": found.markers,
        "marker_matches": found.matches,
        "marker_counts": found.counts,
        "found_markers": found.found,
        "missing_markers": found.missing,
        "marker_hits": found.hits if args.markers_json else UNSET,
    }


def text(answer: SessionCaptureResult, args: Args) -> str:
    if answer.marker_matches is not UNSET:
        matches = answer.marker_matches.items()
        return "".join(f"{marker}={'true' if there else 'false'}\n" for marker, there in matches)
    output = next(
        (output for output in (answer.summary, answer.semantic_delta, answer.capture) if output is not UNSET), ""
    )
    # a pane delta may end within a line, so that deltas can be concatenated; other text ends with a newline
    is_pane_delta = answer.delta_mode is not UNSET and answer.source == "pane"
    is_complete = is_pane_delta or not output or output.endswith("\n")
    return output if is_complete else output + "\n"


COMMAND = Command(
    group="daily",
    reads=True,
    args=Args,
    answer=SessionCaptureResult,
    run=run,
    text=text,
    newline=False,
    min=tuple(name for name in SessionCaptureResult.__struct_fields__ if name not in FULL_ONLY),
    errors=(
        *(code for _, code, _ in CONFLICTS),
        "invalid_delta_from",
        "invalid_markers",
        "invalid_cursor_file",
        "cursor_file_write_failed",
        "semantic_cursor_read_failed",
        "semantic_cursor_write_failed",
        "transcript_unavailable",
        "no_answer_yet",
    ),
    example="lisa session capture --session lisa-demo-1 --last\n"
    "lisa session capture --session lisa-demo-1 --raw --cursor-file /tmp/demo.cursor --json-min",
    notes="""\
The transcript of the agent is preferred: it has the whole conversation, tool calls and errors. Without a transcript the
pane is read, and `fallbackReason` has the reason. --last prints the agent's text after its last tool call, without the
prompt, and refuses while there is none (`no_answer_yet`). --raw reads the last --lines lines of the pane, wrapped lines
joined.

Without --lines the newest 4 MiB of the transcript are read. `truncated` says that the conversation is longer, and
`restCommand` prints all of it.

Offsets count all output of the session, so that a delta begins exactly where the last one ended. If that place is lost
(a redrawn screen, a trimmed history, another session of the same name) all output is repeated and `deltaReset` has the
reason. A cursor file is more robust than an offset, because it stores the last lines.

--redact is applied before truncation, in every field; offsets still count the original output.""",
)
