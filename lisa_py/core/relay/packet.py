"""State, a short form of the output and recent events in one payload: what a loop needs to decide on its next step."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.contract.status import Status
from lisa_py.core.advice import next_action
from lisa_py.core.context import Context
from lisa_py.core.life import answering
from lisa_py.core.relay import fields, output_tail, pane_capture, pane_text, summary
from lisa_py.core.relay.fields import Difference
from lisa_py.core.relay.masking import MARGIN, Mask
from lisa_py.core.relay.recent import EventReader, Item, Recent
from lisa_py.core.watch import look
from lisa_py.store.places import Place

NO_CAPTURE = "(no live capture)"


class PacketRequest(Struct, frozen=True, kw_only=True):
    agent: str = "auto"
    mode: str = "auto"
    lines: int = 120
    events: int = 8
    token_budget: int = 320
    summary_style: str = "ops"
    redact: str = ""
    """The rules of `--redact`, as they were given."""


class CaptureBlock(Struct, frozen=True, kw_only=True):
    lines: int
    """How many lines the summary was made of, at most."""
    source: str
    """transcript, pane, saved (the last screen of an ended session) or none."""


class EventsBlock(Struct, frozen=True, kw_only=True, rename="camel"):
    events: tuple[Item, ...]
    dropped_recent: int


class Packet(Struct, frozen=True, kw_only=True, rename="camel"):
    """One packet in full."""

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
    recent: tuple[Item, ...] | UnsetType = UNSET
    """The events of `handoff`, in the small form."""
    delta_from: int | UnsetType = UNSET
    next_delta_offset: int | UnsetType = UNSET
    delta_count: int | UnsetType = UNSET
    delta_remaining: int | UnsetType = UNSET
    delta_missed: int | UnsetType = UNSET
    delta_reset: bool | UnsetType = UNSET
    cursor_file: str | UnsetType = UNSET
    cursor_recovered: bool | UnsetType = UNSET
    redact_rules: tuple[str, ...] | UnsetType = UNSET
    redacted: dict[str, int] | UnsetType = UNSET
    """How often each rule found something."""
    error_code: str | UnsetType = UNSET


STABLE = (
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
"""The keys that `--delta-json` compares."""


class PacketDelta(Struct, frozen=True, kw_only=True, rename="camel"):
    """What changed since the cursor file's last packet."""

    session: str
    delta: Difference
    delta_count: int
    cursor_file: str | UnsetType = UNSET
    cursor_recovered: bool | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def build(ctx: Context, place: Place, request: PacketRequest, reader: EventReader) -> Packet:
    """Look at the session and put the packet together; writes nothing, `save` does.

    Raises LisaError(invalid_redact_rules).
    """
    mask = Mask(request.redact)
    seen = look.shown(look.status(ctx, place, agent=request.agent, mode=request.mode))
    recent = reader.read(place, request.events)
    words, source, offset = _output(ctx, place, request.lines, mask, dialog=answering.asks(seen))
    short = _summary(words, request, place, seen)
    missing = seen.session_state == "not_found"
    made = Packet(
        session=place.session,
        project_root=place.project.root,
        status=seen.status,
        session_state=seen.session_state,
        reason=seen.classification_reason,
        next_action=next_action.name(seen.session_state),
        next_offset=offset,
        summary=short.text,
        summary_style=short.style,
        token_budget=request.token_budget,
        truncated=short.truncated,
        waiting_for=seen.waiting_for or UNSET,
        capture=CaptureBlock(lines=request.lines, source=source),
        handoff=EventsBlock(events=recent.items, dropped_recent=recent.dropped),
        cursor_file=reader.path or UNSET,
        cursor_recovered=reader.recovered or UNSET,
        error_code="session_not_found" if missing else seen.error_code,
        **_delta(recent),
    )
    return mask.told(made)


def _delta(recent: Recent) -> dict[str, Any]:
    if recent.since is None:
        return {}
    return {
        "delta_from": recent.since,
        "next_delta_offset": recent.next,
        "delta_count": len(recent.items),
        "delta_remaining": recent.remaining or UNSET,
        "delta_missed": recent.missed or UNSET,
        "delta_reset": recent.reset or UNSET,
    }


def _output(ctx: Context, place: Place, lines: int, mask: Mask, *, dialog: bool) -> tuple[str, str, int]:
    """The last lines, masked before they are cut, where they come from, and where the next reader of the pane goes on.

    An agent's own words come from its transcript; while it shows a dialog, what it asks is only on its screen.
    """
    if not dialog:
        tail = output_tail.read(ctx, place, lines, mask)
        return "\n".join(tail.lines), tail.source, tail.next_offset
    try:
        text = pane_text.read(ctx, place)
    except TmuxUnavailable:
        text = None
    if text is None:
        return "", "none", 0
    kept = pane_capture.sift(text, pane_text.meta_of(place))
    wanted = kept.of(text.lines, max(0, len(text.lines) - lines))
    clean = mask.lines(kept.of(text.lines, max(0, len(text.lines) - lines - MARGIN)))
    return "\n".join(clean[len(clean) - len(wanted) :]), "pane", text.size


def _summary(words: str, request: PacketRequest, place: Place, seen: Status) -> summary.Summary:
    if request.summary_style == "debug":
        from lisa_py.core.relay import redact  # noqa: PLC0415 - 20 ms of patterns

        words = redact.secrets(words)
    return summary.make(
        words or NO_CAPTURE,
        request.summary_style,
        request.token_budget,
        session=place.session,
        state=f"{seen.session_state}/{seen.status} reason={seen.classification_reason}",
    )


def difference(packet: Packet, reader: EventReader, paths: tuple[str, ...]) -> tuple[PacketDelta, dict[str, Any]]:
    """What changed since the cursor's last packet, and the flat fields to remember.

    Narrowing `paths` narrows what is compared; fields that were not asked for now stay as they are remembered.
    """
    payload = msgspec.to_builtins(packet)
    current = {key: payload[key] for key in STABLE if key in payload}
    known = reader.file.fields or {}
    if paths:
        current = fields.project(payload, paths)
    flat = fields.flatten(current)
    before = {name: value for name, value in known.items() if _covered(name, paths or STABLE)}
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


def _covered(name: str, paths: tuple[str, ...]) -> bool:
    return any(name == path or name.startswith(path + ".") for path in paths)
