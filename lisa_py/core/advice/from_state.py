"""Going on from what another command said: reads its JSON, forgivingly or strictly, and words the prompt for it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.contract.from_state import FromState
from lisa_py.core.advice import command_ast
from lisa_py.core.advice.given import Inputs, Unusable

_FIELDS = ("session", "status", "sessionState", "reason", "classificationReason")
_FLAG = "--from-state"


class Strict(Exception):
    """A field breaks the rules of --strict: a code and what is wrong with which field."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"from_state_{code}: {message}")
        self.code = f"from_state_{code}"


def load(inputs: Inputs, path: str, *, strict: bool = False) -> FromState:
    """Read and understand the input.

    Raises LisaError(invalid_from_state | invalid_from_state_strict).
    """
    try:
        return parse(_decoded(inputs.raw(path)), strict=strict)
    except (Unusable, Strict) as problem:
        code = "invalid_from_state_strict" if strict else "invalid_from_state"
        raise LisaError(code, f"failed to load {_FLAG}: {problem}") from problem


def _decoded(raw: bytes) -> object:
    if not raw.strip():
        raise Unusable("the input is empty")
    try:
        return jsontext.decode(raw)
    except msgspec.DecodeError as problem:
        raise Unusable(f"not JSON: {problem}") from problem


def parse(payload: object, *, strict: bool = False) -> FromState:
    """Raises Unusable, and in strict mode Strict."""
    if not isinstance(payload, dict):
        if strict:
            raise Strict("not_object", "the payload must be a JSON object")
        raise Unusable("from-state payload must be a JSON object")
    if strict:
        _check(payload)
    words = {field: _word(payload.get(field)) for field in _FIELDS}
    state = FromState(
        session=words["session"],
        status=words["status"] or words["sessionState"],
        session_state=words["sessionState"],
        reason=words["reason"] or words["classificationReason"],
        next_action=_action(payload.get("nextAction")),
    )
    if not (state.session or state.session_state or state.reason or state.next_action):
        raise Unusable("from-state payload missing session/state fields")
    return state


def _word(value: object) -> str:
    """Text as it is, anything else as its JSON."""
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else msgspec.json.encode(value).decode()


def _action(value: object) -> Any:
    if isinstance(value, dict):
        trimmed = {key: item.strip() if isinstance(item, str) else item for key, item in value.items()}
        return trimmed or UNSET
    return _word(value) or UNSET


def _check(payload: dict[str, Any]) -> None:
    session = payload.get("session")
    if "session" not in payload:
        raise Strict("missing_session", "session is missing")
    if not isinstance(session, str):
        raise Strict("invalid_session_type", "session is not a string")
    if not session.strip():
        raise Strict("empty_session", "session is empty")
    for field in _FIELDS[1:]:
        if field in payload and not isinstance(payload[field], str):
            raise Strict(f"invalid_{field}_type", f"{field} is not a string")
    if not (payload.get("sessionState", "").strip() or payload.get("status", "").strip()):
        raise Strict("missing_state", "neither sessionState nor status is given")
    if "nextAction" in payload:
        _check_action(payload["nextAction"])


def _check_action(action: object) -> None:
    if isinstance(action, str):
        if not action.strip():
            raise Strict("empty_next_action", "nextAction is empty")
        return
    if not isinstance(action, dict):
        raise Strict("invalid_next_action_type", "nextAction is neither a string nor an object")
    if not any(key in action for key in ("name", "command", "commandAst")):
        raise Strict("invalid_next_action_object", "nextAction holds neither name, command nor commandAst")
    for key in ("name", "command"):
        if key in action and not isinstance(action[key], str):
            raise Strict(f"invalid_next_action_{key}_type", f"nextAction.{key} is not a string")
        if key in action and not action[key].strip():
            raise Strict(f"empty_next_action_{key}", f"nextAction.{key} is empty")
    if "commandAst" in action:
        try:
            command_ast.check(action["commandAst"], "nextAction.commandAst")
        except command_ast.Malformed as problem:
            raise Strict(problem.code, str(problem)) from problem


def prompt(state: FromState) -> str:
    """The prompt with which another agent goes on from there."""
    name, command = _recommended(state.next_action)
    said = (
        ("Session", state.session),
        ("State", state.session_state or state.status),
        ("Reason", state.reason),
        ("Recommended next action", name),
        ("Recommended command", command if command != name else ""),
    )
    lines = [f"{label}: {value}" for label, value in said if value]
    return "\n".join(("Continue orchestration from existing state context.", *lines, "Return concrete next steps."))


def _recommended(action: Any) -> tuple[str, str]:
    """The name and the command line of an action, as far as it has them."""
    if not isinstance(action, dict):
        return action or "", ""
    name, command = _word(action.get("name")), _word(action.get("command"))
    tree = action.get("commandAst")
    if isinstance(tree, dict):
        command = command or command_ast.line(tree)
        return name or _word(action.get("command")) or command_ast.title(tree), command
    return name or command, command
