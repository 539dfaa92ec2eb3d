"""Usage per hour: rows of the sessions API."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType


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


class UsageSum(Struct, frozen=True, kw_only=True):
    """Usage of one session, lane, model, day or project."""

    key: str
    """Name of the session, lane, model or project, or the day in UTC; empty: sessions without a lane."""
    session_id: str | UnsetType = UNSET
    """Only by session: a name is used again."""
    project: str | UnsetType = UNSET
    """Only by session: name of its project."""
    sessions: int
    """Number of sessions."""
    input_tokens: int
    """Input neither read from nor written to a cache."""
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: float | None
    """Dollars of all models that have a price; None if none of them has one."""
    estimated: bool
    """True if some of the dollars are those of the price table, not the agent's own."""
    unpriced_tokens: int
    """Tokens of models without a price; the dollars do not include them."""
