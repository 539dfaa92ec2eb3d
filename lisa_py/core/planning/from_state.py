"""Continue from the output of another command: parse its JSON, leniently or strictly, and build the prompt."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.contract.from_state import FromState
from lisa_py.core.advice import command_ast
from lisa_py.core.inputs import InputError, Inputs

_FIELDS = ("session", "status", "sessionState", "reason", "classificationReason")
_FLAG = "--from-state"


class StrictStateError(Exception):
    """A field breaks a rule of --strict: a code and the field with its defect."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"from_state_{code}: {message}")
        self.code = f"from_state_{code}"


def load_state(inputs: Inputs, path: str, *, strict: bool = False) -> FromState:
    """Read and parse the input.

    Raise LisaError(invalid_from_state | invalid_from_state_strict).
    """
    try:
        return parse_state(_decode(inputs.read_bytes(path)), strict=strict)
    except (InputError, StrictStateError) as problem:
        code = "invalid_from_state_strict" if strict else "invalid_from_state"
        raise LisaError(code, f"failed to load {_FLAG}: {problem}") from problem


def _decode(raw: bytes) -> object:
    if not raw.strip():
        raise InputError("the input is empty")
    try:
        return jsontext.decode(raw)
    except msgspec.DecodeError as problem:
        raise InputError(f"not JSON: {problem}") from problem


def parse_state(payload: object, *, strict: bool = False) -> FromState:
    """Parse the input. Raise InputError, and in strict mode StrictStateError."""
    if not isinstance(payload, dict):
        if strict:
            raise StrictStateError("not_object", "the payload must be a JSON object")
        raise InputError("from-state payload must be a JSON object")
    if strict:
        _check_strict(payload)
    words = {field: _read_text(payload.get(field)) for field in _FIELDS}
    state = FromState(
        session=words["session"],
        status=words["status"] or words["sessionState"],
        session_state=words["sessionState"],
        reason=words["reason"] or words["classificationReason"],
        next_action=_read_action(payload.get("nextAction")),
    )
    if not (state.session or state.session_state or state.reason or state.next_action):
        raise InputError("from-state payload missing session/state fields")
    return state


def _read_text(value: object) -> str:
    """Return text unchanged, anything else as JSON."""
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else msgspec.json.encode(value).decode()


def _read_action(value: object) -> Any:
    if isinstance(value, dict):
        trimmed = {key: item.strip() if isinstance(item, str) else item for key, item in value.items()}
        return trimmed or UNSET
    return _read_text(value) or UNSET


def _check_strict(payload: dict[str, Any]) -> None:
    session = payload.get("session")
    if "session" not in payload:
        raise StrictStateError("missing_session", "session is missing")
    if not isinstance(session, str):
        raise StrictStateError("invalid_session_type", "session is not a string")
    if not session.strip():
        raise StrictStateError("empty_session", "session is empty")
    for field in _FIELDS[1:]:
        if field in payload and not isinstance(payload[field], str):
            raise StrictStateError(f"invalid_{field}_type", f"{field} is not a string")
    if not (payload.get("sessionState", "").strip() or payload.get("status", "").strip()):
        raise StrictStateError("missing_state", "sessionState and status are missing")
    if "nextAction" in payload:
        _check_action(payload["nextAction"])


def _check_action(action: object) -> None:
    if isinstance(action, str):
        if not action.strip():
            raise StrictStateError("empty_next_action", "nextAction is empty")
        return
    if not isinstance(action, dict):
        raise StrictStateError("invalid_next_action_type", "nextAction is neither a string nor an object")
    if not any(key in action for key in ("name", "command", "commandAst")):
        raise StrictStateError("invalid_next_action_object", "nextAction has no name, command or commandAst")
    for key in ("name", "command"):
        if key in action and not isinstance(action[key], str):
            raise StrictStateError(f"invalid_next_action_{key}_type", f"nextAction.{key} is not a string")
        if key in action and not action[key].strip():
            raise StrictStateError(f"empty_next_action_{key}", f"nextAction.{key} is empty")
    if "commandAst" in action:
        try:
            command_ast.validate(action["commandAst"], "nextAction.commandAst")
        except command_ast.CommandAstError as problem:
            raise StrictStateError(problem.code, str(problem)) from problem


def build_prompt(state: FromState) -> str:
    """Return the prompt with which another agent continues."""
    name, command = _read_recommendation(state.next_action)
    entries = (
        ("Session", state.session),
        ("State", state.session_state or state.status),
        ("Reason", state.reason),
        ("Recommended next action", name),
        ("Recommended command", command if command != name else ""),
    )
    lines = [f"{label}: {value}" for label, value in entries if value]
    return "\n".join(("Continue orchestration from existing state context.", *lines, "Return concrete next steps."))


def _read_recommendation(action: Any) -> tuple[str, str]:
    """Return the name and the command line of an action, as far as known."""
    if not isinstance(action, dict):
        return action or "", ""
    name, command = _read_text(action.get("name")), _read_text(action.get("command"))
    tree = action.get("commandAst")
    if isinstance(tree, dict):
        command = command or command_ast.format_command(tree)
        return name or _read_text(action.get("command")) or command_ast.command_name(tree), command
    return name or command, command
