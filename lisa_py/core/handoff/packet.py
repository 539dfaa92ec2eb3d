"""Build a packet: state, output summary and recent events in one payload, for loops."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer, CursorAnswer
from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.contract.status import Status
from lisa_py.core.advice import next_step
from lisa_py.core.context import Context
from lisa_py.core.handoff import fields
from lisa_py.core.handoff.fields import FieldDifference
from lisa_py.core.output import noise, pane_capture, pane_text, summary
from lisa_py.core.output import tail as output_tail
from lisa_py.core.output.events import EventDeltaAnswer, EventReader, RecentEvent
from lisa_py.core.redact.redactor import MARGIN, Mask
from lisa_py.core.send import open_dialog
from lisa_py.core.status import status_reader
from lisa_py.host.pane import Pane
from lisa_py.store import masked_values
from lisa_py.store.paths import SessionRef
from lisa_py.terminal.layout import Layout

NO_CAPTURE = "(no live capture)"


class PacketRequest(Struct, frozen=True, kw_only=True):
    agent: str = "auto"
    mode: str = "auto"
    lines: int = 120
    events: int = 8
    token_budget: int = 320
    summary_style: str = "ops"
    redact: str = ""
    """Value of `--redact`."""


class CaptureBlock(Struct, frozen=True, kw_only=True):
    lines: int
    """Maximum number of lines for the summary."""
    source: str
    """transcript, pane, saved (the last screen of an ended session) or none."""


class EventsBlock(Answer):
    events: tuple[RecentEvent, ...]
    dropped_recent: int


class Packet(EventDeltaAnswer):
    """A full packet."""

    session: str
    project_root: str | UnsetType = UNSET
    status: str
    session_state: str
    reason: str
    next_action: str
    next_offset: int
    summary: str
    summary_style: str
    token_budget: int
    truncated: bool
    waiting_for: str | UnsetType = UNSET
    capture: CaptureBlock | UnsetType = UNSET
    handoff: EventsBlock | UnsetType = UNSET
    recent: tuple[RecentEvent, ...] | UnsetType = UNSET
    """The events of `handoff` in short form."""
    error_code: str | UnsetType = UNSET


COMPARED_KEYS = (
    "session",
    "status",
    "sessionState",
    "reason",
    "nextAction",
    "nextOffset",
    "summary",
    "summaryStyle",
    "tokenBudget",
    "truncated",
    "errorCode",
)
"""Keys compared by `--delta-json`."""


class PacketDelta(CursorAnswer):
    """Changes since the last packet of the cursor file."""

    session: str
    delta: FieldDifference
    delta_count: int
    error_code: str | UnsetType = UNSET


def build(ctx: Context, ref: SessionRef, request: PacketRequest, reader: EventReader) -> Packet:
    """Read the session and build the packet; the caller saves the cursor of `reader`.

    Raise LisaError(invalid_redact_rules).
    """
    mask = Mask(request.redact, masked_values.read(ref))
    evidence, status = status_reader.read_with_evidence(ctx, ref, agent=request.agent, mode=request.mode)
    shown_status = status_reader.normalise_status(status)
    recent = reader.read(ref, request.events)
    dialog = open_dialog.has_dialog(shown_status)
    output, source, offset = _read_output(ctx, ref, request.lines, mask, evidence.pane, dialog=dialog)
    short_output = _summarize(output, request, ref, shown_status, agents.layout_of(evidence.meta))
    missing = shown_status.session_state == "not_found"
    made = Packet(
        session=ref.session,
        project_root=ref.project.root,
        status=shown_status.status,
        session_state=shown_status.session_state,
        reason=shown_status.classification_reason,
        next_action=next_step.read_situation(shown_status).action,
        next_offset=offset,
        summary=short_output.text,
        summary_style=short_output.style,
        token_budget=request.token_budget,
        truncated=short_output.truncated,
        waiting_for=shown_status.waiting_for or UNSET,
        capture=CaptureBlock(lines=request.lines, source=source),
        handoff=EventsBlock(events=recent.items, dropped_recent=recent.dropped),
        cursor_file=reader.path or UNSET,
        cursor_recovered=reader.recovered or UNSET,
        error_code="session_not_found" if missing else shown_status.error_code,
        **recent.delta_fields(),
    )
    return mask.annotate(made)


def _read_output(
    ctx: Context, ref: SessionRef, lines: int, mask: Mask, pane: Pane | None, *, dialog: bool
) -> tuple[str, str, int]:
    """Return the last lines, redacted before they are cut, their source, and the next pane offset.

    Text of the agent comes from its transcript; an open dialog is only on its screen.
    """
    if not dialog:
        tail = output_tail.read(ctx, ref, lines, mask, record=pane)
        return "\n".join(tail.lines), tail.source, tail.next_offset
    try:
        text = pane_text.read(ctx, ref, pane)
    except TmuxUnavailable:
        text = None
    if text is None:
        return "", "none", 0
    noise_filter = pane_capture.strip_noise(text, pane_text.read_meta_or_default(ref))
    noise_filter = noise.remove_rulers(text.lines, noise_filter)
    wanted = noise_filter.apply(text.lines, max(0, len(text.lines) - lines))
    clean = mask.mask_lines(noise_filter.apply(text.lines, max(0, len(text.lines) - lines - MARGIN)))
    return "\n".join(clean[len(clean) - len(wanted) :]), "pane", text.size


def _summarize(output: str, request: PacketRequest, ref: SessionRef, status: Status, signs: Layout) -> summary.Summary:
    if request.summary_style == "debug":
        from lisa_py.core.redact import redact  # noqa: PLC0415 - 20 ms of patterns

        output = redact.redact_secrets(output)
    return summary.summarize(
        output or NO_CAPTURE,
        request.summary_style,
        request.token_budget,
        signs,
        session=ref.session,
        state=f"{status.session_state}/{status.status} reason={status.classification_reason}",
    )


def compare_packets(packet: Packet, reader: EventReader, paths: tuple[str, ...]) -> tuple[PacketDelta, dict[str, Any]]:
    """Return the changes since the last packet, and the flat fields to store.

    `paths` limits the comparison; fields outside of it stay as stored.
    """
    payload = msgspec.to_builtins(packet)
    current = {key: payload[key] for key in COMPARED_KEYS if key in payload}
    known = reader.file.fields or {}
    if paths:
        current = fields.project(payload, paths)
    flat = fields.flatten(current)
    before = {name: value for name, value in known.items() if _is_covered(name, paths or COMPARED_KEYS)}
    found = fields.compare(before, flat)
    delta = PacketDelta(
        session=packet.session,
        delta=found,
        delta_count=found.count,
        cursor_file=reader.path,
        cursor_recovered=packet.cursor_recovered,
        error_code=packet.error_code,
    )
    return delta, {**{name: value for name, value in known.items() if name not in before}, **flat}


def _is_covered(name: str, paths: tuple[str, ...]) -> bool:
    return any(name == path or name.startswith(path + ".") for path in paths)
