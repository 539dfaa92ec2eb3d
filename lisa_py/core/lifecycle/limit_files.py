"""Prepare the limits of a session: check them, and write what its limit process needs."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from lisa_py.contract.errors import UsageError
from lisa_py.contract.quoting import quote_posix
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.context import Context
from lisa_py.core.lifecycle.environment import build_python_command
from lisa_py.host import files
from lisa_py.host.env import API_KEY_VARIABLE, ROUTING_VARIABLES, VARIABLES, Settings
from lisa_py.store import json_records, limit_records
from lisa_py.store.paths import SessionRef

ERRORS = ("price_unknown", "invalid_prices")
"""Error codes of check_prices."""
ONE_SHOT_SECONDS = 4 * 3600
_SYSTEM_VARIABLES = ("HOME", "PATH", "LANG", "LC_ALL", "TMPDIR", "TMUX_TMPDIR", "USER", "LOGNAME")
_OMITTED = (*ROUTING_VARIABLES, API_KEY_VARIABLE, "LISA_WEBHOOK_SECRET")


def check_prices(ctx: Context, settings: SessionSettings, model: str, resolved: frozenset[str]) -> None:
    """Refuse a dollar limit for a model without a price; `resolved`: names that the agent itself resolves.

    Raise UsageError(price_unknown), LisaError(invalid_prices).
    """
    if not settings.max_budget_usd:
        return
    from lisa_py.core.usage import prices  # noqa: PLC0415 - few sessions have a dollar limit

    known = prices.PriceList(prices.read_user_prices(ctx.settings))
    if model and model.lower() not in resolved and known.find(model) is None:
        raise UsageError(
            "price_unknown",
            f"no price is known for the model {model}, so max_budget_usd cannot be enforced; give its price in"
            f" {os.path.join(ctx.settings.state_dir, prices.USER_FILE)} or use task_budget_tokens",
            model=model,
        )


def complete_limits(
    settings: SessionSettings, longest: int, *, custom: bool
) -> tuple[SessionSettings, tuple[str, ...]]:
    """Return the settings with the lifetime that applies, and warnings; a one-shot session without one gets 4 hours.

    `longest` is the longest lifetime in seconds; `custom` is True for a command instead of an agent.
    """
    warnings = []
    if settings.one_shot and not settings.ttl_seconds:
        settings = msgspec.structs.replace(settings, ttl_seconds=min(ONE_SHOT_SECONDS, longest))
    if settings.ttl_seconds and settings.ttl_seconds > longest:
        warnings.append(f"ttl_seconds {settings.ttl_seconds} is over the maximum of {longest} (LISA_MAX_TTL_SECONDS)")
        settings = msgspec.structs.replace(settings, ttl_seconds=longest)
    uncounted = [field for field in limit_records.LIMIT_FIELDS if field != "ttl_seconds" and getattr(settings, field)]
    if custom and uncounted:
        warnings.append(f"a command reports no turns and tokens: {', '.join(uncounted)} cannot be enforced")
    return settings, tuple(warnings)


def write_limits(ctx: Context, ref: SessionRef, settings: SessionSettings, run_id: str, now: float) -> None:
    """Write the limits and the script that starts their process; nothing without limits.

    Raise LisaError(store_unwritable).
    """
    record = limit_records.build_record(settings, run_id, now, ctx.clock.monotonic())
    if record is None:
        return
    json_records.save(ref.file(limit_records.FILE), record)
    write_script(ctx, ref, run_id)


def write_script(ctx: Context, ref: SessionRef, run_id: str) -> None:
    """Write the script with which the supervisor keeps the limit process running. Raise LisaError(store_unwritable)."""
    code = "from lisa_py.core.limits.process import run; run(sys.argv[1:])"
    files.write(ref.file(limit_records.SCRIPT), build_script(ctx.settings, code, ref.folder, run_id))


def build_script(settings: Settings, code: str, *arguments: str) -> str:
    """Return the command line of a process beside a session, with lisa's own variables and no other."""
    variables = [f"{name}={quote_posix(value)}" for name, value in _select_variables(settings.environ).items()]
    return f"exec env -i {' '.join(variables)} {build_python_command(code, *arguments)}\n"


def _select_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return lisa's own variables, without secrets and those that describe the pane of the caller."""
    names = (*_SYSTEM_VARIABLES, *(each.name for each in VARIABLES if each.name not in _OMITTED))
    return {name: environ[name] for name in names if environ.get(name)}
