"""Limits of a session and their use, as answers carry them."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer


class SessionLimits(Answer):
    """Limits of a session and what it has used of them; limits that are not set are omitted."""

    max_turns: int | UnsetType = UNSET
    turns: int | UnsetType = UNSET
    """Answers of the model so far, each a turn of the agent."""
    max_budget_usd: float | UnsetType = UNSET
    cost_usd: float | UnsetType | None = UNSET
    """Dollars so far; None if a model has no price."""
    cost_estimated: bool | UnsetType = UNSET
    """True if the dollars are those of the price table, not the agent's own."""
    task_budget_tokens: int | UnsetType = UNSET
    tokens: int | UnsetType = UNSET
    ttl_seconds: int | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET
    one_shot: bool | UnsetType = UNSET
    enforced: bool
    """True while the process that enforces the limits runs, or is being started with the session."""
    warned: tuple[str, ...] | UnsetType = UNSET
    """Limits of which four fifths are used."""
    reached: str | UnsetType = UNSET
    """The limit that ends the session."""
