"""Usage per hour: rows of the sessions API."""

from __future__ import annotations

from msgspec import Struct


class UsagePoint(Struct, frozen=True, kw_only=True):
    """Usage of one model in one hour."""

    hour: str
    """Begin of the hour, RFC 3339."""
    input_tokens: int
    """Input neither read from nor written to a cache."""
    output_tokens: int
    cache_read_tokens: int
    cost_usd: float | None
    """Dollars; None if the model has no price."""
    estimated: bool
    """True if dollars are those of the price table, not the agent's own."""
    model: str
    provider: str
