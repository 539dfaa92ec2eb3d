"""Program status: the words of the Program Status Protocol (OSC 7501) for the state of a session."""

from __future__ import annotations

from typing import Literal

ProgramStatus = Literal["idle", "working", "blocked", "done", "error", "unknown"]
"""unknown is no word of the protocol: such a session has no record."""
BlockedKind = Literal["permission", "question", "auth"]

_BY_SESSION_STATE: dict[str, ProgramStatus] = {
    "just_started": "working",
    "in_progress": "working",
    "completed": "done",
    "crashed": "error",
    "stuck": "error",
}
_BY_WAITING_FOR: dict[str, ProgramStatus] = {"": "idle", "prompt": "idle", "error": "error", "limit": "error"}
_KINDS: dict[str, BlockedKind] = {
    "permission": "permission",
    "trust": "permission",
    "bypass": "permission",
    "hooks_trust": "permission",
    "login": "auth",
    "api_key": "auth",
}


def derive_program_status(session_state: str, agent_state: str, waiting_for: str) -> ProgramStatus:
    """Return the program status of a state. An agent that waits for an answer is blocked, also in a one-shot run."""
    if session_state == "waiting_input":
        return _BY_WAITING_FOR.get(waiting_for, "blocked")
    if session_state == "in_progress" and agent_state == "waiting":
        return "blocked"
    return _BY_SESSION_STATE.get(session_state, "unknown")


def derive_blocked_kind(waiting_for: str) -> BlockedKind:
    """Return the kind of a blocked program; every other dialog is a question."""
    return _KINDS.get(waiting_for, "question")
