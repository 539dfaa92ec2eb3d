"""Limits of a session and their use, as answers carry them."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer

OnLimit = Literal["wait", "stop"]
"""Effect of a usage limit: the turn continues at its end, or the session ends."""


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
    on_limit: OnLimit | UnsetType = UNSET
    """Effect of a usage limit; `session limit` changes it."""
    continues_at: str | UnsetType = UNSET
    """Time at which the interrupted turn continues."""
    enforced: bool
    """True while the process that enforces the limits runs, or is being started with the session."""
    warned: tuple[str, ...] | UnsetType = UNSET
    """Limits of which four fifths are used."""
    reached: str | UnsetType = UNSET
    """The limit that ends the session."""


class UsageLimit(Answer):
    """A limit of the account that the agent has reached; what the agent does not say is omitted."""

    resets_at: str | UnsetType = UNSET
    """Time of its end in UTC, as the agent gives it."""
    window: str | UnsetType = UNSET
    """Period or model that it counts: `5 hours`, `7 days`, `Opus`."""
    account: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    """The agent's words."""
