"""What a session has really used, by its agent's own transcript: tokens call by call, turns, and time."""

from __future__ import annotations

import math

from msgspec import Struct

from lisa_py.contract.frames import Usage
from lisa_py.contract.records import SessionMeta
from lisa_py.core.advice.budget import Report
from lisa_py.core.advice.metrics import Reading
from lisa_py.core.context import Context
from lisa_py.core.relay import conversation, pane_text
from lisa_py.core.watch.transcript import Reader
from lisa_py.store import session
from lisa_py.store.places import Place
from lisa_py.store.records import Unreadable


class Used(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one session used so far."""

    tokens: int | None
    """None: there is no transcript that tells."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Part of the input that came from a cache."""
    calls: int = 0
    """Of the model."""
    turns: int = 0
    """That have ended."""
    seconds: int | None = None
    """From the session's start until now, or until its end."""
    reason: str = ""
    """Why the tokens are not known."""

    @property
    def reading(self) -> Reading:
        """As budgets take it."""
        known = self.tokens is not None
        return Reading(tokens=self.tokens, seconds=self.seconds, steps=self.turns if known else None)


class _Tally:
    """Adds up frames; records that repeat a call count once, by what the last of them says."""

    def __init__(self) -> None:
        self.calls: dict[str, Usage] = {}
        self.turns = 0

    def read(self, reader: Reader) -> None:
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


def of_session(ctx: Context, place: Place) -> Used:
    """Of a living or ended session. Raises TmuxUnavailable when tmux cannot be asked."""
    found = conversation.locate(ctx, place, ctx.server(place).pane(place.session))
    seconds = _seconds(ctx, place, pane_text.meta_of(place))
    if found.reason:
        return Used(tokens=None, seconds=seconds, reason=found.reason)
    tally = _Tally()
    tally.read(Reader(found.agent, found.binding.transcript))
    return Used(
        tokens=tally.total("total_tokens"),
        input_tokens=tally.total("input_tokens"),
        output_tokens=tally.total("output_tokens"),
        cached_tokens=tally.total("cached_tokens"),
        calls=len(tally.calls),
        turns=tally.turns,
        seconds=seconds,
    )


def report(ctx: Context, place: Place) -> Report:
    """The same as one source of a budget."""
    return Report(f"session:{place.session}", of_session(ctx, place).reading)


def _seconds(ctx: Context, place: Place, meta: SessionMeta) -> int | None:
    if not meta.created_unix:
        return None
    try:
        end = session.read_end(place)
    except Unreadable:
        end = None
    until = end.at if end is not None and end.run_id == meta.run_id else ctx.clock.now()
    return max(0, math.ceil(until - meta.created_unix))
