"""Sums of a session for its record and its description."""

from __future__ import annotations

from collections.abc import Sequence

from lisa_py.agents.base import Agent
from lisa_py.core.context import Context
from lisa_py.core.usage import hourly
from lisa_py.core.usage.limits import count_turns
from lisa_py.core.usage.usage_reader import UsageReader
from lisa_py.store.live_records import RecordedUsage
from lisa_py.store.paths import SessionRef


def read_recorded_usage(
    ctx: Context, ref: SessionRef, agent: Agent, transcripts: Sequence[str], *, log: bool = False
) -> RecordedUsage:
    """Return the sums of the transcripts, of which only the new part is read; `log` writes it to the usage log."""
    reader = UsageReader(ctx, ref)
    reader.agent = agent
    reader.count(transcripts)
    if log:
        hourly.log_usage(ctx, ref, reader.own_cost())
    used, state = reader.summarize(), reader.state
    return RecordedUsage(
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cache_read_tokens=used.cache_read_tokens,
        cache_write_tokens=used.cache_write_tokens,
        cost_usd=used.cost_usd,
        estimated=used.estimated,
        num_turns=count_turns(used),
        ended_turns=used.turns,
        model=state.recent[-1].model if state.recent else "",
        last_activity_at=state.last_at,
    )
