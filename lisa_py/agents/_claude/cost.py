"""Dollars of a session by claude's own account, which its status line command receives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lisa_py.agents._claude import home
from lisa_py.agents.launch import AgentLaunch
from lisa_py.contract.quoting import quote_posix
from lisa_py.host import files

PREFIX = "cost-"
"""Begin of the names of the files in the session folder with the first and the last status of a conversation."""


def build_status_line(request: AgentLaunch) -> dict[str, Any]:
    """Return the status line setting of a session with a dollar limit; empty where the user has one of his own.

    An exec run shows no status line.
    """
    if not request.settings.max_budget_usd or request.mode == "exec" or not request.hook:
        return {}
    if any("statusLine" in known for known in home.read_user_settings(request.environ, request.project_root)):
        return {}
    program = os.path.join(os.path.dirname(request.hook), "status_line.sh")
    command = f"/bin/sh {quote_posix(program)} {quote_posix(request.folder)}"
    return {"statusLine": {"type": "command", "command": command}}


def read_cost(folder: str) -> float | None:
    """Return the dollars of all conversations of the session; None if claude has reported none."""
    names = [name for name in files.list_names(folder) if name.startswith(PREFIX) and name.endswith(".last")]
    costs = [_read_total(os.path.join(folder, name)) for name in names]
    known = [cost for cost in costs if cost is not None]
    if not known:
        return None
    before = [_read_earlier_cost(os.path.join(folder, f"{name.removesuffix('.last')}.first")) for name in names]
    return max(0.0, sum(known) - sum(before))


def _read_earlier_cost(path: str) -> float:
    """Return the cost that a conversation had before this session, from its first status.

    After /clear the first status may come only after the first answer (2.1.332): it has a request, and counts whole.
    """
    status = home.read_json_object(path)
    cache = status.get("prompt_cache")
    has_request = isinstance(cache, Mapping) and bool(cache.get("requests"))
    return 0.0 if has_request else _total_of(status) or 0.0


def _read_total(path: str) -> float | None:
    return _total_of(home.read_json_object(path))


def _total_of(status: Mapping[str, Any]) -> float | None:
    cost = status.get("cost")
    total = cost.get("total_cost_usd") if isinstance(cost, Mapping) else None
    return float(total) if isinstance(total, int | float) else None
