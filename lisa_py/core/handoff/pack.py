"""Summarise a session in few tokens for its successor: state, events, newest output, objective and memory."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.status import TERMINAL_STATES, Status
from lisa_py.core.advice import next_step
from lisa_py.core.advice.next_step import Situation
from lisa_py.core.context import Context
from lisa_py.core.handoff import blocks, session_memory
from lisa_py.core.handoff.blocks import ObjectiveBlock
from lisa_py.core.handoff.handoff_reader import ParsedHandoff
from lisa_py.core.handoff.sections import PackDraft, Section
from lisa_py.core.handoff.session_memory import MemoryBlock
from lisa_py.core.live import attach
from lisa_py.core.live.archive import ArchivedFeed
from lisa_py.core.output import pane_text
from lisa_py.core.output import tail as output_tail
from lisa_py.core.output.events import EventReader, RecentEvent
from lisa_py.core.output.pane_text import PaneText
from lisa_py.core.output.tail import OutputTail
from lisa_py.core.redact.redactor import MARGIN, Mask
from lisa_py.core.send import open_dialog
from lisa_py.core.status import status_reader
from lisa_py.store.paths import SessionRef
from lisa_py.terminal import frame_lines

NO_CAPTURE = "(no live capture)"
NO_HANDOFF_CAPTURE = "(from handoff: capture unavailable)"
_TERSE_EVENTS = 3
_AGES_PREFIX = " wait_estimate="
_WEIGHTS = {"events": 20, "output": 50, "objective": 15, "memory": 15}


class StrategySizes(Struct, frozen=True):
    """Default sizes of a strategy."""

    events: int
    lines: int
    token_budget: int


STRATEGIES = {
    "terse": StrategySizes(4, 60, 400),
    "balanced": StrategySizes(8, 120, 700),
    "full": StrategySizes(20, 260, 1400),
}


class PackRequest(Struct, frozen=True, kw_only=True):
    strategy: str = "balanced"
    events: int = 8
    lines: int = 120
    agent: str = "auto"
    mode: str = "auto"


class PackFacts(Struct, frozen=True, kw_only=True):
    """Input of a pack, already redacted."""

    session: str
    project_root: str
    session_state: str
    status: str
    reason: str
    next_action: str
    tail: OutputTail
    waiting_for: str = ""
    detail: str = ""
    """Cause of waiting or current activity, as text."""
    recent: tuple[RecentEvent, ...] = ()
    dropped_recent: int = 0
    newest_event: int = 0
    placeholder: str = NO_CAPTURE
    """Placeholder for missing output."""
    objective: ObjectiveBlock | UnsetType = UNSET
    lane: str = ""
    memory: MemoryBlock | UnsetType = UNSET
    measures: tuple[str, ...] = ()
    """Todos, ages and current task of a session that was read."""
    archive: str | UnsetType = UNSET
    """Id of the archive that was read."""
    error_code: str | UnsetType = UNSET


def collect_facts(
    ctx: Context,
    ref: SessionRef,
    request: PackRequest,
    mask: Mask,
    *,
    status: Status | None = None,
    pane: PaneText | UnsetType | None = UNSET,
) -> PackFacts:
    """Read the session; nothing is written. `status` and `pane` save the read if the caller has them."""
    shown_status = status_reader.normalise_status(
        status or status_reader.read_status(ctx, ref, agent=request.agent, mode=request.mode)
    )
    meta = pane_text.read_meta_or_default(ref)
    recent = EventReader(ctx, None, "").read(ref, request.events)
    missing = shown_status.session_state == "not_found" and not ref.archive
    dialog = open_dialog.has_dialog(shown_status)
    return PackFacts(
        session=ref.session,
        project_root=mask.mask_text(ref.project.root),
        session_state=shown_status.session_state,
        status=shown_status.status,
        reason=mask.mask_text(shown_status.classification_reason),
        next_action=next_step.read_situation(shown_status).action,
        tail=_read_archive(ctx, ref, request.lines, mask)
        if ref.archive
        else output_tail.read(ctx, ref, request.lines, mask, dialog=dialog, pane=pane),
        waiting_for=shown_status.waiting_for,
        detail=mask.mask_text(" ".join(shown_status.state_detail.split()))
        if _needs_attention(shown_status.waiting_for)
        else "",
        recent=tuple(mask.mask_record(item) for item in recent.items),
        dropped_recent=recent.dropped,
        newest_event=recent.newest,
        objective=_mask_block(blocks.build_objective(meta), mask),
        lane=mask.mask_text(meta.lane),
        memory=session_memory.build_block(ctx, ref, mask),
        measures=_format_measures(shown_status, mask),
        archive=ref.archive or UNSET,
        error_code="session_not_found" if missing else UNSET if ref.archive else shown_status.error_code,
    )


def _read_archive(ctx: Context, ref: SessionRef, count: int, mask: Mask) -> OutputTail:
    """Return the last `count` lines, redacted before they are cut. Raise LisaError(archive_unreadable)."""
    feed = ArchivedFeed(ctx, ref)
    frames = attach.read_history(feed, lambda frame: not frame_lines.is_noise(frame), limit=count + MARGIN)
    lines = [line for frame in frames for line in frame_lines.format_frame(frame, colors=False, verbose=False)]
    kept = mask.mask_lines(lines[-count - MARGIN :])[-count:]
    return OutputTail(lines=tuple(kept), source="archive" if kept else "none")


def _needs_attention(waiting_for: str) -> bool:
    """Return True unless it is just ready for a prompt: a dialog is open, or its turn ended in an error or a limit."""
    return waiting_for not in ("", "prompt")


def _format_measures(status: Status, mask: Mask) -> tuple[str, ...]:
    ages = f"output_age_seconds={status.output_age_seconds} heartbeat_age_seconds={status.heartbeat_age_seconds}"
    line = f"todos={status.todos_done}/{status.todos_total}{_AGES_PREFIX}{status.wait_estimate} {ages}"
    task = mask.mask_text(" ".join(status.active_task.split()))
    return (line, *([f"active_task={task}"] if task else []))


def _mask_block(block: ObjectiveBlock | UnsetType, mask: Mask) -> ObjectiveBlock | UnsetType:
    return block if block is UNSET else mask.mask_record(block)


def facts_from_handoff(
    handoff: ParsedHandoff, session: str, project_root: str, request: PackRequest, mask: Mask
) -> PackFacts:
    """Build the facts from a handoff, without reading the session."""
    state = handoff.session_state or "in_progress"
    situation = Situation(session_state=state, waiting_for=handoff.waiting_for)
    lines = mask.mask_lines(handoff.capture_tail.split("\n"))[-request.lines :] if handoff.capture_tail else ()
    return PackFacts(
        session=session,
        project_root=mask.mask_text(project_root),
        session_state=state,
        status=state if state in TERMINAL_STATES else mask.mask_text(handoff.status),
        reason=mask.mask_text(handoff.reason) or "from_handoff",
        next_action=mask.mask_text(handoff.next_action) or situation.action,
        tail=OutputTail(lines=lines, source="handoff" if lines else "none", next_offset=handoff.next_offset),
        waiting_for=mask.mask_text(handoff.waiting_for),
        recent=tuple(mask.mask_record(item) for item in handoff.recent[-request.events :]),
        dropped_recent=handoff.dropped_recent,
        placeholder=NO_HANDOFF_CAPTURE,
        objective=_mask_block(handoff.objective, mask),
        lane=mask.mask_text(handoff.lane),
        memory=handoff.memory if handoff.memory is UNSET else mask.mask_record(handoff.memory),
        error_code="session_not_found" if state == "not_found" else UNSET,
    )


# -- from facts to text ---------------------------------------------------------------------------------------------


def build_draft(facts: PackFacts, strategy: str, *, with_context: bool = True) -> PackDraft:
    """Return the sections of a pack; `with_context` adds objective and memory, the inputs of the session."""
    head = [f"session={facts.session}", f"state={facts.session_state}", f"status={facts.status}"]
    if strategy != "terse":
        head.append(f"reason={facts.reason}")
    head.append(f"next_action={facts.next_action}")
    if _needs_attention(facts.waiting_for):
        head.append(f"waiting_for={facts.waiting_for} {facts.detail}".rstrip())
    if strategy == "full":
        head += facts.measures
    sections = [_events_section(facts, strategy)] if facts.recent else []
    if strategy != "terse":
        output = facts.tail.lines or (facts.placeholder,)
        sections.append(Section(name="capture_tail", lines=output, weight=_WEIGHTS["output"]))
    return PackDraft(tuple(head), (*sections, *(_context_sections(facts) if with_context else ())))


def _events_section(facts: PackFacts, strategy: str) -> Section:
    lines = [" ".join(f"{item.at} {item.state}/{item.status} {item.reason}".split()) for item in facts.recent]
    if strategy == "terse":
        newest = tuple(lines[::-1][:_TERSE_EVENTS])
        return Section(name="recent", lines=newest, weight=_WEIGHTS["events"], keep="start", whole=True)
    return Section(name="recent_events", lines=tuple(lines), weight=_WEIGHTS["events"], whole=True)


def _context_sections(facts: PackFacts) -> list[Section]:
    found = []
    if isinstance(facts.objective, ObjectiveBlock):
        line = _format_objective(facts.objective)
        found.append(Section(name="objective", lines=(line,), weight=_WEIGHTS["objective"], keep="start"))
    if isinstance(facts.memory, MemoryBlock) and facts.memory.lines:
        found.append(Section(name="memory", lines=facts.memory.lines, weight=_WEIGHTS["memory"]))
    return found


def _format_objective(block: ObjectiveBlock) -> str:
    parts = (
        ("id", block.id),
        ("goal", block.goal),
        ("acceptance", block.acceptance),
        ("budget", block.budget or ""),
    )
    return " | ".join(f"{name}={value}" for name, value in parts if value)


def drop_ages(pack_draft: PackDraft) -> PackDraft:
    """Return the draft without times, to detect changes."""
    return PackDraft(tuple(drop_line_ages(line) for line in pack_draft.head), pack_draft.sections)


def drop_line_ages(line: str) -> str:
    """Return a line of a pack without its ages."""
    return line.partition(_AGES_PREFIX)[0] if line.startswith("todos=") else line
