"""State of a session from another command, as planning commands accept and repeat it."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer


class FromState(Answer):
    """The part of a status, handoff or packet that a plan continues from."""

    session: str = ""
    status: str = ""
    session_state: str = ""
    reason: str = ""
    next_action: str | dict[str, Any] | UnsetType = UNSET
    """As given: a name, or an object with name, command, id and commandAst."""
