"""Read the summary of an earlier autopilot run from a file or its log: the next step and its options."""

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
from lisa_py.contract.session_settings import ON_LIMIT
from lisa_py.core.context import Context
from lisa_py.core.inputs import InputError, Inputs
from lisa_py.core.planning import goals
from lisa_py.core.workflows.autopilot_steps import STEPS, AutopilotOptions, AutopilotStep
from lisa_py.host import files
from lisa_py.store import autopilot_runs, paths
from lisa_py.store.autopilot_runs import RunRef

LAST = "last"
"""Word for the id of the newest run of the project."""
_CHOICES: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "goal": (tuple(goals.GOALS), goals.ALIASES),
    "mode": (MODES, MODE_ALIASES),
    "nested_policy": (POLICIES, {}),
    "nesting_intent": (INTENTS, INTENT_ALIASES),
    "on_limit": (ON_LIMIT, {}),
    "summary_style": (("terse", "ops", "debug"), {}),
}


class PreviousRun(Struct, frozen=True, kw_only=True):
    """Summary of an earlier run."""

    source: str
    """A path, `-`, or the id of the run whose log was read."""
    id: str
    """Id of the run; empty in summaries without one."""
    step: str
    """Next step; empty if the run is complete."""
    steps: dict[str, AutopilotStep]
    options: dict[str, Any]
    """Options of the earlier run by the field names of AutopilotOptions, as far as the summary holds them."""
    log: RunRef | None = None
    """Log that was read, with its bytes in `raw`; None if it was not a log."""
    raw: bytes = b""

    def merge_options(self, options: AutopilotOptions, given: Collection[str]) -> AutopilotOptions:
        """Merge the options of this call with those of the earlier run."""
        kept = {name: value for name, value in self.options.items() if name not in given}
        return msgspec.structs.replace(options, **kept)


def load_previous_run(ctx: Context, word: str, *, root: str = "", kill_after: bool | None = None) -> PreviousRun:
    """Read and check the summary that `word` names: a path, `-`, a run id, or `last`.

    `root` is the project to look for runs in; `kill_after` is the flag of this call, None if not given. An unreadable
    log is set aside. Raise LisaError: invalid_resume_from, autopilot_resume_missing_session, autopilot_run_busy.
    """
    name = word.strip()
    run = _find_run(ctx, name, root)
    try:
        raw = Inputs(ctx).read_bytes(name) if run is None else _read_log(run)
        payload = _decode(raw)
        ident = _read_id(payload)
        options = _read_options(payload)
        steps = {name: _read_step(payload.get(name), name) for name in STEPS}
    except InputError as problem:
        moved = f"; the log was moved to {autopilot_runs.set_aside(run, ctx.clock.now())}" if run else ""
        raise _build_error(f"{problem}{moved}") from problem
    kills = options.get("kill_after", False) if kill_after is None else kill_after
    step = _first_pending_step(payload, steps, bool(kills))
    if not options.get("session") and step not in ("", "spawn"):
        raise LisaError(
            "autopilot_resume_missing_session",
            "the summary of --resume-from names no session, so there is nothing to resume",
        )
    source = run.id if run else name
    return PreviousRun(
        source=source, id=ident, step=step, steps=steps, options=options, log=run, raw=raw if run else b""
    )


def _build_error(why: str) -> LisaError:
    return LisaError("invalid_resume_from", f"failed to load --resume-from: {why}")


def _find_run(ctx: Context, name: str, root: str) -> RunRef | None:
    """Return the run that `word` names; None for standard input or a file, which precedes a run of the same name.

    Raise LisaError: invalid_resume_from, autopilot_run_busy.
    """
    named = name == LAST or autopilot_runs.RUN_ID.match(name)
    if not named or files.exists(os.path.join(ctx.cwd, name)):
        return None
    project = ctx.project(root)
    if name == LAST:
        run = next(iter(autopilot_runs.list_runs(project)), None)
    else:
        run = autopilot_runs.find(name, project, ctx.settings, anywhere=not root)
    if run is None:
        what = "no run" if name == LAST else f"no run {name}"
        raise _build_error(f"there is {what} (lisa session autopilot --list-runs shows those of a project)")
    if autopilot_runs.is_running(run):
        raise autopilot_runs.busy_error(run)
    return run


def _read_log(run: RunRef) -> bytes:
    try:
        return autopilot_runs.read(run) or b""
    except OSError as problem:
        raise InputError(f"cannot read {run.log}: {(problem.strerror or str(problem)).lower()}") from problem


def _decode(raw: bytes) -> dict[str, Any]:
    if not raw.strip():
        raise InputError("the input is empty")
    try:
        found = jsontext.decode(raw.strip().splitlines()[-1])  # of a stream the last line is the summary
    except msgspec.DecodeError:
        try:
            found = jsontext.decode(raw)
        except msgspec.DecodeError as problem:
            raise InputError(f"not JSON: {problem}") from problem
    if not isinstance(found, dict):
        raise InputError("the summary must be a JSON object")
    if not any(isinstance(found.get(name), dict) for name in STEPS):
        raise InputError(f"not the summary of an autopilot run: it has none of {', '.join(STEPS)}")
    return found


def _read_id(payload: dict[str, Any]) -> str:
    found = payload.get("autopilotId", "")
    if not isinstance(found, str) or not (found == "" or autopilot_runs.RUN_ID.match(found)):
        raise InputError(f"autopilotId: {found} is not the id of a run")
    return found


def _read_options(payload: dict[str, Any]) -> dict[str, Any]:
    """Convert each value to its field type and check its choices; omit missing and empty ones."""
    found: dict[str, Any] = {}
    for info in msgspec.structs.fields(AutopilotOptions):
        value = payload.get(info.encode_name)
        if value is None or value == "":
            continue
        try:
            value = msgspec.convert(value, info.type)
        except msgspec.ValidationError as problem:
            raise InputError(f"{info.encode_name}: {problem}") from problem
        found[info.name] = _check_value(info.name, info.encode_name, value)
    return found


def _check_value(name: str, key: str, value: Any) -> Any:
    if name in _CHOICES:
        choices, aliases = _CHOICES[name]
        word = aliases.get(value.strip().lower(), value.strip().lower())
        if word not in choices:
            raise InputError(f"{key}: {value} (expected {'|'.join(choices)})")
        return word
    if name == "agent" and value.strip().lower() not in agents.names():
        raise InputError(f"{key}: {value} (expected {'|'.join(agents.names())})")
    if name == "session":
        try:
            return paths.check_name(value.strip())
        except LisaError as problem:
            raise InputError(f"{key}: {problem.message}") from problem
    if isinstance(value, int) and not isinstance(value, bool) and value < (0 if name == "timeout_seconds" else 1):
        raise InputError(f"{key}: {value} is too small")
    return value


def _read_step(value: object, name: str) -> AutopilotStep:
    if value is None:
        return AutopilotStep(ok=False)
    if not isinstance(value, dict):
        raise InputError(f"{name}: not an object")
    output = value.get("output")
    try:
        return AutopilotStep(
            ok=bool(value.get("ok")),
            resumed=True,
            elapsed_seconds=msgspec.convert(value.get("elapsedSeconds", 0.0), float, strict=False),
            exit_code=msgspec.convert(value["exitCode"], int) if value.get("exitCode") else UNSET,
            error_code=str(value["errorCode"]) if value.get("errorCode") else UNSET,
            error=str(value["error"]) if value.get("error") else UNSET,
            output=output if isinstance(output, dict) else UNSET,
        )
    except msgspec.ValidationError as problem:
        raise InputError(f"{name}: {problem}") from problem


def _first_pending_step(payload: dict[str, Any], steps: dict[str, AutopilotStep], kill_after: bool) -> str:
    """Return the first step that is not done, even if the summary marks a later step as failed."""
    needed = STEPS if kill_after else STEPS[:-1]
    pending = [name for name in needed if not steps[name].ok or name == payload.get("failedStep")]
    return pending[0] if pending else ""
