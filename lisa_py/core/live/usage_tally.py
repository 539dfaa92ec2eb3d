"""Add up the frames of a session: tokens per model call, turns, and the time of the last one."""

from __future__ import annotations

from lisa_py.contract.frames import Frame, Usage
from lisa_py.store.live_records import RecordedUsage

_OPEN_CALLS = 256
"""Newest calls whose records may be repeated: claude writes one per block of a message."""


class UsageTally:
    """A running sum; repeated records of one call count once, by the last of them."""

    def __init__(self) -> None:
        self._total = RecordedUsage()
        self._calls: dict[str, Usage] = {}

    def add(self, frame: Frame) -> None:
        total = self._total
        total.last_activity_at = max(total.last_activity_at, frame.at)
        total.num_turns += frame.kind == "turn_end"
        total.model = frame.model or total.model
        if frame.kind == "usage" and frame.usage is not None:
            self._add_usage(frame.id, frame.usage)

    def _add_usage(self, identity: str, usage: Usage) -> None:
        total, before = self._total, self._calls.pop(identity, None)
        total.calls += before is None
        before = before or Usage()
        total.input_tokens += usage.input_tokens - before.input_tokens
        total.output_tokens += usage.output_tokens - before.output_tokens
        total.cached_tokens += usage.cached_tokens - before.cached_tokens
        total.model = usage.model or total.model
        if identity:
            self._calls[identity] = usage
            if len(self._calls) > _OPEN_CALLS:
                del self._calls[next(iter(self._calls))]

    def totals(self) -> RecordedUsage:
        """Return the sums so far."""
        return self._total
