"""Read what a session has used from its transcripts, each byte once; memory does not grow with them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lisa_py.agents.base import Agent
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.contract.frames import Frame, Usage
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.core.live import translation
from lisa_py.core.live.conversations import find_transcripts
from lisa_py.core.output import conversation, pane_text
from lisa_py.core.status import transcript
from lisa_py.core.usage.prices import PriceList, read_user_prices
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import session_folder, session_records, usage_state
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import SessionRef
from lisa_py.store.usage_state import CountedCall, TokenTally, TranscriptPlace, UsageState

RECENT_CALLS = 32
"""Calls whose later records are recognised; the records of one call are close together."""
BLOCK_BYTES = 1 << 20
EARLIER_SECONDS = 60.0
"""Records older than the session by more than this were copied from an earlier conversation."""
UNKNOWN_MODEL = "unknown"


class ModelUsage(Answer):
    """Usage of one model."""

    model: str
    provider: str
    input_tokens: int
    """Input neither read from nor written to a cache."""
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: float | None
    """By the price table; None if the model has no price."""


class SessionUsage(Answer):
    """Usage of one session so far."""

    tokens: int | None
    """Number of tokens; None if no transcript reports them."""
    input_tokens: int = 0
    """Input, cached or not."""
    output_tokens: int = 0
    cached_tokens: int = 0
    """Part of the input read from or written to a cache."""
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None
    """Dollars; None if they are unknown."""
    estimated: bool = False
    """True if the dollars are those of the price table, not the agent's own."""
    models: tuple[ModelUsage, ...] = ()
    calls: int = 0
    """Number of model calls of the conversation."""
    turns: int = 0
    """Number of ended turns."""
    seconds: int | None = None
    """Seconds from the start of the session until now, or until its end."""
    reason: str = ""
    """Reason for unknown tokens."""


def read_usage(ctx: Context, ref: SessionRef) -> SessionUsage:
    """Return the usage of a live or ended session. Raise TmuxUnavailable if tmux cannot be queried."""
    return UsageReader(ctx, ref).read()


class UsageReader:
    """Counts the transcripts of one session; the position is kept in the session folder."""

    def __init__(self, ctx: Context, ref: SessionRef) -> None:
        self._ctx = ctx
        self._ref = ref
        self._prices: PriceList | None = None
        self.meta = pane_text.read_meta_or_default(ref)
        self.state = UsageState(run_id=self.meta.run_id)
        self.agent = Agent()

    def read(self) -> SessionUsage:
        """Count what is new and return the usage. Raise TmuxUnavailable."""
        found = conversation.locate(self._ctx, self._ref, self._ctx.find_pane(self._ref))
        self.agent = found.agent
        if not found.reason:
            self.count(find_transcripts(self._ctx, self._ref, found.agent, found.binding))
        return self.summarize(found.reason)

    def count(self, paths: Iterable[str]) -> None:
        """Count what is new in the transcripts. Without the lock or a writable disk the position is not kept."""
        every = tuple(paths)
        try:
            with session_records.session_lock(self._ref, self._ctx.settings, "usage"):
                recorded = self._count(every)
                if (
                    recorded != _position(self.state)
                    and files.is_dir(self._ref.folder)
                    and not session_folder.is_link(self._ref)
                ):
                    usage_state.write_state(self._ref, self.state)
        except LisaError as problem:
            if problem.code not in ("store_unwritable", "state_lock_timeout"):
                raise
            self._count(every)

    def _count(self, paths: tuple[str, ...]) -> tuple[int, int]:
        """Count what is new; return the position that was recorded."""
        recorded = usage_state.read_state(self._ref, self.meta.run_id)
        known = _position(recorded)
        if self._is_newer(recorded):
            self.state = recorded
        for path in paths:
            self._count_file(path, helper=False)
            for helper in self.agent.helper_transcripts(path):
                self._count_file(helper, helper=True)
        return known

    def _is_newer(self, recorded: UsageState) -> bool:
        """Return True if the record is further than this reader, which may have counted while the disk was full."""
        return _position(recorded) >= _position(self.state)

    def _count_file(self, path: str, *, helper: bool) -> None:
        place = next((known for known in self.state.transcripts if known.path == path), None)
        if place is None:
            place = TranscriptPlace(
                path=path, messages=0, helper=helper, copied_until=self._counted_since - EARLIER_SECONDS
            )
            self.state.transcripts.append(place)
        reader = transcript.TranscriptReader(self.agent, path, place.offset)
        parse = self.agent.parse_helper_frames if helper else self.agent.parse_frames
        while True:
            shortened, at, lines = reader.read_lines(BLOCK_BYTES)
            if shortened:
                place.copied_until, place.messages = self.state.last_at, 0
            for line in lines.split(b"\n"):
                at += len(line) + 1
                for frame in parse(line, at) if line else ():
                    if place.messages is not None and translation.is_message(frame):
                        place.messages += 1
                    if frame.kind in ("usage", "turn_end"):
                        self._count_frame(frame, place)
            place.offset = reader.offset
            if not lines:
                return

    @property
    def _counted_since(self) -> float:
        return self.meta.first_unix or self.meta.created_unix

    def _count_frame(self, frame: Frame, place: TranscriptPlace) -> None:
        if frame.kind == "usage" and not place.first_call:
            place.first_call = frame.id or f"@{frame.offset}"
            if any(other is not place and other.first_call == frame.id for other in self.state.transcripts if frame.id):
                place.copied_until = self.state.last_at  # a branch of an earlier conversation begins with a copy of it
        if place.copied_until:
            if frame.at and frame.at <= place.copied_until:
                return
            place.copied_until = 0.0
        if frame.kind == "turn_end":
            if not place.helper:
                self.state.turns += 1
                self.state.last_turn_end = frame.reason or "completed"
        elif frame.usage is not None:
            self._count_call(frame, frame.usage, place)

    def _count_call(self, frame: Frame, usage: Usage, place: TranscriptPlace) -> None:
        state, name = self.state, frame.id or f"{place.path}@{frame.offset}"
        earlier = next((call for call in state.recent if call.id == name), None)
        if earlier is not None:
            state.recent.remove(earlier)
            self._add(earlier, -1)
        else:
            state.calls += not place.helper
        at = frame.at or self._ctx.clock.now()
        state.last_at = max(state.last_at, at)
        hour = earlier.hour if earlier is not None else format_rfc3339(at)[:13]
        call = CountedCall(id=name, model=usage.model, hour=hour, tally=self._tally(usage, at))
        self._add(call, 1)
        state.recent = [*state.recent[-RECENT_CALLS + 1 :], call]

    def _add(self, call: CountedCall, sign: int) -> None:
        for tallies, key in ((self.state.models, call.model), (self.state.unlogged, f"{call.hour} {call.model}")):
            tallies.setdefault(key, TokenTally(provider=call.tally.provider)).add(call.tally, sign)

    def _tally(self, usage: Usage, at: float) -> TokenTally:
        price = self._price_list().find(usage.model)
        cached = usage.cache_read_tokens + usage.cache_write_tokens
        return TokenTally(
            provider=price.provider if price else "",
            input_tokens=usage.input_tokens - cached,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            cost_usd=price.cost(usage, at) if price else 0.0,
            unpriced=0 if price else 1,
        )

    def own_cost(self) -> float | None:
        """Return the agent's own account in dollars; None if it has none."""
        return self.agent.read_own_cost(self._ref.folder)

    def _price_list(self) -> PriceList:
        if self._prices is None:
            try:
                self._prices = PriceList(read_user_prices(self._ctx.settings))
            except LisaError as problem:
                self._ctx.warn_about(problem)
                self._prices = PriceList()
        return self._prices

    def summarize(self, reason: str = "") -> SessionUsage:
        """Return the usage counted so far."""
        seconds = _elapsed_seconds(self._ctx, self._ref, self.meta)
        if reason:
            return SessionUsage(tokens=None, seconds=seconds, reason=reason)
        total = self.state.sum_models()
        own = self.own_cost()
        cached = total.cache_read_tokens + total.cache_write_tokens
        return SessionUsage(
            tokens=total.total_tokens,
            input_tokens=total.input_tokens + cached,
            output_tokens=total.output_tokens,
            cached_tokens=cached,
            cache_read_tokens=total.cache_read_tokens,
            cache_write_tokens=total.cache_write_tokens,
            cost_usd=own if own is not None else None if total.unpriced else round(total.cost_usd, 6),
            estimated=own is None,
            models=tuple(_describe(model, tally) for model, tally in self.state.models.items()),
            calls=self.state.calls,
            turns=self.state.turns,
            seconds=seconds,
        )


def _position(state: UsageState) -> tuple[int, int]:
    return len(state.transcripts), sum(place.offset for place in state.transcripts)


def _describe(model: str, tally: TokenTally) -> ModelUsage:
    return ModelUsage(
        model=model or UNKNOWN_MODEL,
        provider=tally.provider,
        input_tokens=tally.input_tokens,
        output_tokens=tally.output_tokens,
        cache_read_tokens=tally.cache_read_tokens,
        cache_write_tokens=tally.cache_write_tokens,
        cost_usd=None if tally.unpriced else round(tally.cost_usd, 6),
    )


def _elapsed_seconds(ctx: Context, ref: SessionRef, meta: SessionMeta) -> int | None:
    if not meta.created_unix:
        return None
    try:
        end = session_records.read_end(ref)
    except UnreadableRecord:
        end = None
    until = end.at if end is not None and end.run_id == meta.run_id else ctx.clock.now()
    return max(0, math.ceil(until - meta.created_unix))
