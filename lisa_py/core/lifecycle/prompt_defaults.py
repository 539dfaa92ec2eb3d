"""Add the defaults of the lane and the current objective to a spawn request."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.core.lifecycle.launch import LaunchRequest
from lisa_py.core.send.input_text import objective_parts
from lisa_py.store import lanes, objectives
from lisa_py.store.objectives import Objective
from lisa_py.store.paths import Project

LANE_FIELDS = ("agent", "mode", "nested_policy", "nesting_intent", "prompt", "model")


def apply_lane(
    project: Project, request: LaunchRequest, lane: str, given: Collection[str]
) -> tuple[LaunchRequest, str]:
    """Fill missing values from the lane; also return the canonical name of the lane.

    Raise LisaError(lane_not_found | lane_load_failed).
    """
    name = lane.strip().lower()
    if not name:
        return request, ""
    try:
        found = lanes.find(project, name)
    except LisaError as problem:
        raise LisaError("lane_load_failed", problem.message) from problem
    if found is None:
        raise LisaError("lane_not_found", f"no lane named {name} (lisa session lane --list shows the lanes)")
    filled = {field: getattr(found, field) for field in LANE_FIELDS if field not in given and getattr(found, field)}
    return msgspec.structs.replace(request, **filled), name


def apply_objective(
    ctx: Context, project: Project, request: LaunchRequest, lane: str
) -> tuple[LaunchRequest, Objective | None]:
    """Put the current objective of the project before the prompt, unless the prompt has it already."""
    found = objectives.find_current(project, ctx.clock.now())
    if found is None:
        return request, None
    prompt = request.prompt.lower()
    if any(word and word.lower() in prompt for word in (found.goal, found.id)):
        return request, found
    meta = SessionMeta(
        session="",
        lane=lane,
        objective_id=found.id,
        objective_goal=found.goal,
        objective_acceptance=found.acceptance,
        objective_budget=found.budget,
    )
    context = "Objective context: " + " | ".join(objective_parts(meta))
    return msgspec.structs.replace(request, prompt="\n\n".join(filter(None, (context, request.prompt)))), found
