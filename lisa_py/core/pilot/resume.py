"""Reads the summary of an earlier autopilot run, from a file or from its log: where to go on, and with which orders."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from lisa_py import agents
from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.contract.flags import INTENT_ALIASES, INTENTS, MODE_ALIASES, MODES, POLICIES
from lisa_py.core.advice import goals
from lisa_py.core.advice.given import Inputs, Unusable
from lisa_py.core.context import Context
from lisa_py.core.pilot.journey import STEPS, Orders, Step
from lisa_py.host import files
from lisa_py.store import places, runs
from lisa_py.store.runs import Run

LAST = "last"
"""Stands for the id of the project's newest run."""
_WORDS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "goal": (tuple(goals.GOALS), goals.ALIASES),
    "mode": (MODES, MODE_ALIASES),
    "nested_policy": (POLICIES, {}),
    "nesting_intent": (INTENTS, INTENT_ALIASES),
    "summary_style": (("terse", "ops", "debug"), {}),
}


class Earlier(Struct, frozen=True, kw_only=True):
    """The run before."""

    source: str
    """A path, `-`, or the id of the run whose log was read."""
    id: str
    """Of the run; empty in summaries that name none."""
    step: str
    """Where to go on; empty: it is complete."""
    steps: dict[str, Step]
    orders: dict[str, Any]
    """What it was told, in the names of Orders; as much of it as the summary holds."""
    log: Run | None = None
    """Where it was read, and `raw` what was read there; None: not from a log."""
    raw: bytes = b""

    def filled(self, orders: Orders, given: Collection[str]) -> Orders:
        """The orders of now, with those of before where nothing was given."""
        kept = {name: value for name, value in self.orders.items() if name not in given}
        return msgspec.structs.replace(orders, **kept)


def load(ctx: Context, word: str, *, root: str = "", kill_after: bool | None = None) -> Earlier:
    """Read and check what `word` names: a path, `-`, a run's id, or `last`.

    `root` says in which project to look for a run; `kill_after` is the flag of now, None when it was not given. A log
    that cannot be read is set aside. Raises LisaError: invalid_resume_from, autopilot_resume_missing_session,
    autopilot_run_busy.
    """
    name = word.strip()
    run = _logged(ctx, name, root)
    try:
        raw = Inputs(ctx).raw(name) if run is None else _log(run)
        payload = _decoded(raw)
        ident = _ident(payload)
        orders = _orders(payload)
        steps = {name: _step(payload.get(name), name) for name in STEPS}
    except Unusable as problem:
        moved = f"; the log was moved to {runs.set_aside(run, ctx.clock.now())}" if run else ""
        raise _unusable(f"{problem}{moved}") from problem
    kills = orders.get("kill_after", False) if kill_after is None else kill_after
    step = _first(payload, steps, bool(kills))
    if not orders.get("session") and step not in ("", "spawn"):
        raise LisaError(
            "autopilot_resume_missing_session",
            "the summary of --resume-from names no session, so there is nothing to go on with",
        )
    source = run.id if run else name
    return Earlier(source=source, id=ident, step=step, steps=steps, orders=orders, log=run, raw=raw if run else b"")


def _unusable(why: str) -> LisaError:
    return LisaError("invalid_resume_from", f"failed to load --resume-from: {why}")


def _logged(ctx: Context, name: str, root: str) -> Run | None:
    """The run that is meant; None: standard input or a file, which goes before a run of the same name.

    Raises LisaError: invalid_resume_from, autopilot_run_busy.
    """
    named = name == LAST or runs.ID.match(name)
    if not named or files.exists(os.path.join(ctx.cwd, name)):
        return None
    project = ctx.project(root)
    if name == LAST:
        run = next(iter(runs.known(project)), None)
    else:
        run = runs.find(name, project, ctx.settings, anywhere=not root)
    if run is None:
        what = "no run" if name == LAST else f"no run {name}"
        raise _unusable(f"there is {what} (lisa session autopilot --list-runs shows those of a project)")
    if runs.is_under_way(run):
        raise runs.busy(run)
    return run


def _log(run: Run) -> bytes:
    try:
        return runs.read(run) or b""
    except OSError as problem:
        raise Unusable(f"cannot read {run.log}: {(problem.strerror or str(problem)).lower()}") from problem


def _decoded(raw: bytes) -> dict[str, Any]:
    if not raw.strip():
        raise Unusable("the input is empty")
    try:
        found = jsontext.decode(raw.strip().splitlines()[-1])  # of a stream the last line is the summary
    except msgspec.DecodeError:
        try:
            found = jsontext.decode(raw)
        except msgspec.DecodeError as problem:
            raise Unusable(f"not JSON: {problem}") from problem
    if not isinstance(found, dict):
        raise Unusable("the summary must be a JSON object")
    if not any(isinstance(found.get(name), dict) for name in STEPS):
        raise Unusable(f"it is no summary of an autopilot run: none of {', '.join(STEPS)} is in it")
    return found


def _ident(payload: dict[str, Any]) -> str:
    found = payload.get("autopilotId", "")
    if not isinstance(found, str) or not (found == "" or runs.ID.match(found)):
        raise Unusable(f"autopilotId: {found} is not the id of a run")
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
