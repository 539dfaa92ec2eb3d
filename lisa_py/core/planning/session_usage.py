"""Actual usage of a session from its transcript: tokens per call, turns, and time."""

from __future__ import annotations

import math

from lisa_py.contract.answer import Answer
from lisa_py.contract.frames import Usage
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.core.output import conversation, pane_text
from lisa_py.core.planning.budget import UsageReport
from lisa_py.core.planning.usage_metrics import UsageReading
from lisa_py.core.status.transcript import TranscriptReader
from lisa_py.store import session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import SessionRef


class SessionUsage(Answer):
    """Usage of one session so far."""

    tokens: int | None
    """Number of tokens; None if no transcript reports them."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Part of the input read from or written to a cache."""
    calls: int = 0
    """Number of model calls."""
    turns: int = 0
    """Number of ended turns."""
    seconds: int | None = None
    """Seconds from the start of the session until now, or until its end."""
    reason: str = ""
    """Reason for unknown tokens."""

    @property
    def reading(self) -> UsageReading:
        """Return the usage as budget metrics."""
        known = self.tokens is not None
        return UsageReading(tokens=self.tokens, seconds=self.seconds, steps=self.turns if known else None)


class _Tally:
    """Adds up frames; repeated records of a call count once, by the last of them."""

    def __init__(self) -> None:
        self.calls: dict[str, Usage] = {}
        self.turns = 0

    def read(self, reader: TranscriptReader) -> None:
        while True:
            before = reader.offset
            for frame in reader.read().frames:
                if frame.kind == "usage" and frame.usage is not None:
                    self.calls[frame.id or f"@{frame.offset}"] = frame.usage
                self.turns += frame.kind == "turn_end"
            if reader.offset == before:
                return

    def total(self, field: str) -> int:
        return sum(int(getattr(usage, field)) for usage in self.calls.values())


def read_usage(ctx: Context, ref: SessionRef) -> SessionUsage:
    """Return the usage of a live or ended session. Raise TmuxUnavailable if tmux cannot be queried."""
    found = conversation.locate(ctx, ref, ctx.find_pane(ref))
    seconds = _elapsed_seconds(ctx, ref, pane_text.read_meta_or_default(ref))
    if found.reason:
        return SessionUsage(tokens=None, seconds=seconds, reason=found.reason)
    tally = _Tally()
    tally.read(TranscriptReader(found.agent, found.binding.transcript))
    return SessionUsage(
        tokens=tally.total("total_tokens"),
        input_tokens=tally.total("input_tokens"),
        output_tokens=tally.total("output_tokens"),
        cached_tokens=tally.total("cached_tokens"),
        calls=len(tally.calls),
        turns=tally.turns,
        seconds=seconds,
    )


def build_report(ctx: Context, ref: SessionRef) -> UsageReport:
    """Return the usage as a source of a budget."""
    return UsageReport(f"session:{ref.session}", read_usage(ctx, ref).reading)


def _elapsed_seconds(ctx: Context, ref: SessionRef, meta: SessionMeta) -> int | None:
    if not meta.created_unix:
        return None
    try:
        end = session_records.read_end(ref)
    except UnreadableRecord:
        end = None
    until = end.at if end is not None and end.run_id == meta.run_id else ctx.clock.now()
    return max(0, math.ceil(until - meta.created_unix))
