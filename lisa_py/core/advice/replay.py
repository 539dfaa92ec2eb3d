"""Going on from a checkpoint: reads it in any form it is handed on in, and writes out the commands that continue."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from lisa_py.agents.base import quote
from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.core.advice import next_action
from lisa_py.core.advice.given import Inputs, Unusable
from lisa_py.core.advice.metrics import number
from lisa_py.core.advice.remedy import Patient

GO_ON = "Continue from checkpoint context."
AGAIN = "Resume from checkpoint replay and continue."


class Checkpoint(Struct, frozen=True, kw_only=True):
    """The part of a checkpoint that a replay goes by."""

    session: str
    project_root: str = ""
    session_state: str = ""
    next_action: str = ""
    next_offset: int = 0

    @property
    def deterministic_id(self) -> str:
        """The same for the same point of the same session."""
        return f"{self.session}|{self.session_state}|{self.next_action}|{self.next_offset}"


class Step(Struct, frozen=True, kw_only=True):
    """One command."""

    id: str
    command: str
    reason: str


def load(inputs: Inputs, path: str) -> tuple[Checkpoint, str]:
    """The checkpoint and the file it lies in; the answer of `checkpoint save` or `resume` will do as well.

    Raises LisaError(checkpoint_read_failed).
    """
    try:
        found, file = bundle(inputs, path)
        return _parse(found), file
    except Unusable as problem:
        raise LisaError("checkpoint_read_failed", f"failed reading checkpoint: {problem}") from problem


def bundle(inputs: Inputs, path: str) -> tuple[dict[str, Any], str]:
    """The checkpoint as it was written, and the file it lies in. Raises Unusable."""
    found = _object(inputs.raw(path))
    held, file = found.get("checkpoint"), found.get("file")
    if isinstance(held, dict):
        return held, str(file or path)
    if found.get("action") == "save" and isinstance(file, str):
        return _object(inputs.raw(file)), file
    return found, path


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = jsontext.decode(raw)
    except msgspec.DecodeError as problem:
        raise Unusable(f"not JSON: {problem}") from problem
    if not isinstance(found, dict):
        raise Unusable("not a JSON object")
    return found


def _parse(found: dict[str, Any]) -> Checkpoint:
    session, state = _text(found, "session"), _text(found, "sessionState")
    if not session:
        raise Unusable("checkpoint missing session")
    action = found.get("nextAction")
    name = _text(action, "name") if isinstance(action, dict) else _text(found, "nextAction")
    return Checkpoint(
        session=session,
        project_root=_text(found, "projectRoot"),
        session_state=state,
        next_action=name or next_action.name(state),
        next_offset=number(found.get("nextOffset")) or 0,
    )


def _text(found: dict[str, Any], key: str) -> str:
    value = found.get(key, "")
    if not isinstance(value, str):
        raise Unusable(f"{key} is not a string")
    return value.strip()


def steps(checkpoint: Checkpoint, patient: Patient) -> tuple[Step, Step]:
    """A look at the session, and the command its next action means."""
    return (
        Step(
            id="status",
            command=patient.line("status", "--json-min"),
            reason="verify the live state before going on",
        ),
        Step(
            id="next",
            command=_next(checkpoint, patient),
            reason=f"the checkpoint's next action is {checkpoint.next_action}",
        ),
    )


def _next(checkpoint: Checkpoint, patient: Patient) -> str:
    match checkpoint.next_action:
        case "session send":
            return patient.line("send", f"--text {quote(GO_ON)} --enter --json-min")
        case "session monitor":
            return patient.line("monitor", "--expect terminal --json-min")
        case "session explain":
            return patient.line("explain", "--events 30 --json-min")
        case "session spawn":
            return patient.spawn(AGAIN)
        case _:
            offset = max(0, checkpoint.next_offset)
            return patient.line("capture", f"--raw --delta-from {offset} --json-min")
