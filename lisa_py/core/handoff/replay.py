"""Continue from a checkpoint: read it in any form and list the commands that continue."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.core.advice.next_step import Situation
from lisa_py.core.advice.target import AdviceTarget
from lisa_py.core.inputs import InputError, Inputs
from lisa_py.core.planning.usage_metrics import parse_integer

CONTINUE_PROMPT = "Continue from checkpoint context."
RESTART_PROMPT = "Resume from checkpoint replay and continue."


class ReplayCheckpoint(Struct, frozen=True, kw_only=True):
    """The part of a checkpoint that a replay needs."""

    session: str
    project_root: str = ""
    session_state: str = ""
    next_action: str = ""
    next_offset: int = 0

    @property
    def deterministic_id(self) -> str:
        """Id of the replay; the same for the same point of the same session."""
        return f"{self.session}|{self.session_state}|{self.next_action}|{self.next_offset}"


class ReplayStep(Struct, frozen=True, kw_only=True):
    """One command."""

    id: str
    command: str
    reason: str


def load_checkpoint(inputs: Inputs, path: str) -> tuple[ReplayCheckpoint, str]:
    """Read a checkpoint and its path; the answers of `checkpoint save` and `resume` are accepted, too.

    Raise LisaError(checkpoint_read_failed).
    """
    try:
        found, file = read_checkpoint(inputs, path)
        return _parse_checkpoint(found), file
    except InputError as problem:
        raise LisaError("checkpoint_read_failed", f"failed reading checkpoint: {problem}") from problem


def read_checkpoint(inputs: Inputs, path: str) -> tuple[dict[str, Any], str]:
    """Parse the checkpoint and its path. Raise InputError."""
    found = _decode_object(inputs.read_bytes(path))
    nested, file = found.get("checkpoint"), found.get("file")
    if isinstance(nested, dict):
        return nested, str(file or path)
    if found.get("action") == "save" and isinstance(file, str):
        return _decode_object(inputs.read_bytes(file)), file
    return found, path


def _decode_object(raw: bytes) -> dict[str, Any]:
    try:
        found = jsontext.decode(raw)
    except msgspec.DecodeError as problem:
        raise InputError(f"not JSON: {problem}") from problem
    if not isinstance(found, dict):
        raise InputError("not a JSON object")
    return found


def _parse_checkpoint(found: dict[str, Any]) -> ReplayCheckpoint:
    session, state = _read_text(found, "session"), _read_text(found, "sessionState")
    if not session:
        raise InputError("checkpoint missing session")
    action = found.get("nextAction")
    name = _read_text(action, "name") if isinstance(action, dict) else _read_text(found, "nextAction")
    return ReplayCheckpoint(
        session=session,
        project_root=_read_text(found, "projectRoot"),
        session_state=state,
        next_action=name or Situation(session_state=state, waiting_for=_read_text(found, "waitingFor")).action,
        next_offset=parse_integer(found.get("nextOffset")) or 0,
    )


def _read_text(found: dict[str, Any], key: str) -> str:
    value = found.get(key, "")
    if not isinstance(value, str):
        raise InputError(f"{key} is not a string")
    return value.strip()


def build_steps(checkpoint: ReplayCheckpoint, target: AdviceTarget) -> tuple[ReplayStep, ReplayStep]:
    """Return a status command, and the command for its next action."""
    return (
        ReplayStep(
            id="status",
            command=str(target.build_line("session status", json_min=True)),
            reason="verify the live state before continuing",
        ),
        ReplayStep(
            id="next",
            command=_next_command(checkpoint, target),
            reason=f"the checkpoint's next action is {checkpoint.next_action}",
        ),
    )


def _next_command(checkpoint: ReplayCheckpoint, target: AdviceTarget) -> str:
    match checkpoint.next_action:
        case "session send":
            return str(target.build_line("session send", text=CONTINUE_PROMPT, enter=True, json_min=True))
        case "session monitor":
            return str(target.build_line("session monitor", expect="terminal", json_min=True))
        case "session snapshot":
            return str(target.build_line("session snapshot", json_min=True))
        case "session dialogs":
            return str(target.build_line("session dialogs", json_min=True))
        case "session explain":
            return str(target.build_line("session explain", events=30, json_min=True))
        case "session spawn":
            return str(target.build_spawn_line(RESTART_PROMPT))
        case _:
            offset = max(0, checkpoint.next_offset)
            return str(target.build_line("session capture", raw=True, delta_from=offset, json_min=True))
