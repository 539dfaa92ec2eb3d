"""Live view and final report of the demo."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.core.fleet.status_table import StatusRow


class DemoUpdate(Struct, frozen=True, kw_only=True):
    """Something to show: a headline, the table, or both."""

    at: float
    text: str = ""
    rows: tuple[StatusRow, ...] = ()
    changed: tuple[StatusRow, ...] = ()
    """Rows whose state differs from the previous step."""


class DemoAnswer(Answer):
    role: str
    waiting_for: str
    choice: str
    delivered_by: str


class DemoSessionSummary(Answer):
    """One session at the end of the demo."""

    role: str
    session: str
    session_state: str
    agent_state: str
    waiting_for: str
    error_kind: str
    states: tuple[str, ...]
    """Observed states, in order."""
    said: str
    """Its last reply, as captured."""
    source: str
    """Source of the capture: transcript or pane."""


class DemoResult(Answer):
    """Result of the demo."""

    ok: bool
    agent: str
    seconds: float
    sessions: tuple[DemoSessionSummary, ...]
    answered: tuple[DemoAnswer, ...]
    handed_to: str
    """Role that received the result of the first agent; empty if none did."""
    hand_delivered: bool
    killed: int
    left_behind: tuple[str, ...]
    """Files and sessions that could not be removed; normally empty."""
