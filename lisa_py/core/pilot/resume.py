"""Reads the summary of an earlier autopilot run: where to go on, and with which orders."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from lisa_py import agents
from lisa_py.contract.errors import LisaError
from lisa_py.contract.flags import INTENT_ALIASES, INTENTS, MODE_ALIASES, MODES, POLICIES
from lisa_py.core.advice import goals
from lisa_py.core.advice.given import Inputs, Unusable
from lisa_py.core.context import Context
from lisa_py.core.pilot.journey import STEPS, Orders, Step
from lisa_py.store import places

_WORDS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "goal": (tuple(goals.GOALS), goals.ALIASES),
    "mode": (MODES, MODE_ALIASES),
    "nested_policy": (POLICIES, {}),
    "nesting_intent": (INTENTS, INTENT_ALIASES),
    "summary_style": (("terse", "ops", "debug"), {}),
}


class Earlier(Struct, frozen=True, kw_only=True):
    """The run before."""

    path: str
    step: str
    """Where to go on; empty: it is complete."""
    steps: dict[str, Step]
    orders: dict[str, Any]
    """What it was told, in the names of Orders; as much of it as the summary holds."""

    def filled(self, orders: Orders, given: Collection[str]) -> Orders:
        """The orders of now, with those of before where nothing was given."""
        kept = {name: value for name, value in self.orders.items() if name not in given}
        return msgspec.structs.replace(orders, **kept)


def load(ctx: Context, path: str, *, kill_after: bool | None) -> Earlier:
    """Read and check; `kill_after` is the flag of now, None when it was not given.

    Raises LisaError: invalid_resume_from, autopilot_resume_missing_session.
    """
    try:
        payload = _decoded(Inputs(ctx).raw(path))
        orders = _orders(payload)
        steps = {name: _step(payload.get(name), name) for name in STEPS}
    except Unusable as problem:
        raise LisaError("invalid_resume_from", f"failed to load --resume-from: {problem}") from problem
    kills = orders.get("kill_after", False) if kill_after is None else kill_after
    step = _first(payload, steps, bool(kills))
    if not orders.get("session") and step not in ("", "spawn"):
        raise LisaError(
            "autopilot_resume_missing_session",
            "the summary of --resume-from names no session, so there is nothing to go on with",
        )
    return Earlier(path=path.strip(), step=step, steps=steps, orders=orders)


def _decoded(raw: bytes) -> dict[str, Any]:
    if not raw.strip():
        raise Unusable("the input is empty")
    try:
        found = msgspec.json.decode(raw.strip().splitlines()[-1])  # of a stream the last line is the summary
    except msgspec.DecodeError:
        try:
            found = msgspec.json.decode(raw)
        except msgspec.DecodeError as problem:
            raise Unusable(f"not JSON: {problem}") from problem
    if not isinstance(found, dict):
        raise Unusable("the summary must be a JSON object")
    if not any(isinstance(found.get(name), dict) for name in STEPS):
        raise Unusable(f"it is no summary of an autopilot run: none of {', '.join(STEPS)} is in it")
    return found


def _orders(payload: dict[str, Any]) -> dict[str, Any]:
    """Each of the types and words it must be; what is missing or empty stays away."""
    found: dict[str, Any] = {}
    for info in msgspec.structs.fields(Orders):
        value = payload.get(info.encode_name)
        if value is None or value == "":
            continue
        try:
            value = msgspec.convert(value, info.type)
        except msgspec.ValidationError as problem:
            raise Unusable(f"{info.encode_name}: {problem}") from problem
        found[info.name] = _word(info.name, info.encode_name, value)
    return found


def _word(name: str, key: str, value: Any) -> Any:
    if name in _WORDS:
        choices, aliases = _WORDS[name]
        word = aliases.get(value.strip().lower(), value.strip().lower())
        if word not in choices:
            raise Unusable(f"{key}: {value} (expected {'|'.join(choices)})")
        return word
    if name == "agent" and value.strip().lower() not in agents.names():
        raise Unusable(f"{key}: {value} (expected {'|'.join(agents.names())})")
    if name == "session":
        try:
            return places.checked_name(value.strip())
        except LisaError as problem:
            raise Unusable(f"{key}: {problem.message}") from problem
    if isinstance(value, int) and not isinstance(value, bool) and value < (0 if name == "timeout_seconds" else 1):
        raise Unusable(f"{key}: {value} is too small")
    return value


def _step(value: object, name: str) -> Step:
    if value is None:
        return Step(ok=False)
    if not isinstance(value, dict):
        raise Unusable(f"{name}: not an object")
    output = value.get("output")
    try:
        return Step(
            ok=bool(value.get("ok")),
            resumed=True,
            elapsed_seconds=msgspec.convert(value.get("elapsedSeconds", 0.0), float, strict=False),
            exit_code=msgspec.convert(value["exitCode"], int) if value.get("exitCode") else UNSET,
            error_code=str(value["errorCode"]) if value.get("errorCode") else UNSET,
            error=str(value["error"]) if value.get("error") else UNSET,
            output=output if isinstance(output, dict) else UNSET,
        )
    except msgspec.ValidationError as problem:
        raise Unusable(f"{name}: {problem}") from problem


def _first(payload: dict[str, Any], steps: dict[str, Step], kills: bool) -> str:
    """The first step that is not done: also before the one that is called failed, if a summary says so."""
    needed = STEPS if kills else STEPS[:-1]
    undone = [name for name in needed if not steps[name].ok or name == payload.get("failedStep")]
    return undone[0] if undone else ""
