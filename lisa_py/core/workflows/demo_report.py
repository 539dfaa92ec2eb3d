"""What the demo shows while it plays, and what it reports at its end."""

from __future__ import annotations

from msgspec import Struct


class DemoRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """One session as the board shows it."""

    role: str
    session: str
    state: str
    doing: str
    waiting_for: str
    task: str
    todos_done: int
    todos_total: int
    seconds: float
    """Since it went into this state."""
    source: str
    """What told."""

    @property
    def key(self) -> tuple[str, ...]:
        return self.state, self.doing, self.waiting_for


class DemoUpdate(Struct, frozen=True, kw_only=True):
    """Something to show: a headline, the board as it stands, or both."""

    at: float
    text: str = ""
    rows: tuple[DemoRow, ...] = ()
    changed: tuple[DemoRow, ...] = ()
    """Rows that are in another state than at the step before."""


class DemoAnswer(Struct, frozen=True, kw_only=True, rename="camel"):
    role: str
    waiting_for: str
    choice: str
    delivered_by: str


class DemoSessionSummary(Struct, frozen=True, kw_only=True, rename="camel"):
    """One session, as it was at the end."""

    role: str
    session: str
    session_state: str
    agent_state: str
    waiting_for: str
    error_kind: str
    states: tuple[str, ...]
    """What it was seen doing, in order."""
    said: str
    """Its last words, as captured."""
    source: str
    """Where they were read: transcript or pane."""


class DemoResult(Struct, frozen=True, kw_only=True, rename="camel"):
    """What happened."""

    ok: bool
    agent: str
    seconds: float
    sessions: tuple[DemoSessionSummary, ...]
    answered: tuple[DemoAnswer, ...]
    handed_to: str
    """The role that got the first one's result; empty when nobody did."""
    hand_delivered: bool
    killed: int
    left_behind: tuple[str, ...]
    """Files and sessions that could not be removed; empty when all is as it was before."""
