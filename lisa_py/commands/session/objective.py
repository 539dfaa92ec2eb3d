"""Manage the objectives of the project; the current open one precedes every prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.flags import MAX_HOURS, ProjectRoot
from lisa_py.core.context import Context
from lisa_py.host.clock import format_rfc3339
from lisa_py.store.objectives import Objective, Objectives, registry


class Args(Struct, kw_only=True):
    project_root: ProjectRoot = ""
    id: Annotated[str, Flag(help="objective id", metavar="ID")] = ""
    goal: Annotated[str, Flag(help="goal", metavar="TEXT")] = ""
    acceptance: Annotated[str, Flag(help="acceptance criteria", metavar="TEXT")] = ""
    budget: Annotated[int, Flag(help="token budget", minimum=1)] = 0
    status: Annotated[
        str, Flag(help="status; only open objectives precede prompts", choices=("open", "done", "paused"))
    ] = ""
    ttl_hours: Annotated[int, Flag(help="lifetime in hours", metavar="N", minimum=1, maximum=MAX_HOURS)] = 0
    activate: Annotated[bool, Flag(help="activation as the current objective")] = False
    clear: Annotated[bool, Flag(help="removal of the objective")] = False
    list: Annotated[bool, Flag(help="list of all objectives")] = False


class ObjectiveResult(Answer):
    action: str
    project_root: str
    current_id: str
    count: int
    objectives: tuple[Objective, ...]
    id: str | UnsetType = UNSET
    objective: Objective | UnsetType = UNSET
    recovered: bool | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


ObjectiveChange = Callable[[Args, Context, str, Objectives], None]


def run(args: Args, ctx: Context) -> ObjectiveResult:
    name = args.id.strip().lower()
    if args.clear:
        return _apply_change(args, ctx, "cleared", _require_id(name, "--clear requires --id"), _remove)
    if _sets_any_field(args) or args.ttl_hours:
        return _apply_change(args, ctx, "upserted", _require_id(name, "upsert requires --id"), _upsert)
    if args.activate:
        return _apply_change(args, ctx, "activated", _require_id(name, "--activate requires --id"), _activate)
    content = registry(ctx.project(args.project_root)).read()
    content.drop_expired(ctx.clock.now())
    missing = bool(name) and name not in content.objectives and not args.list
    return _build_result(args, ctx, "read", name, content, error_code="objective_not_found" if missing else UNSET)


def _sets_any_field(args: Args) -> bool:
    return bool(args.goal.strip() or args.acceptance.strip() or args.budget or args.status)


def _require_id(name: str, message: str) -> str:
    if not name:
        raise UsageError("missing_required_flag", message)
    return name


def _apply_change(args: Args, ctx: Context, action: str, name: str, change: ObjectiveChange) -> ObjectiveResult:
    with registry(ctx.project(args.project_root)).change(ctx.settings, ctx.clock.now()) as opened:
        opened.content.drop_expired(ctx.clock.now())
        change(args, ctx, name, opened.content)
        opened.content.updated_at = format_rfc3339(ctx.clock.now())
    return _build_result(args, ctx, action, name, opened.content, recovered=bool(opened.recovered) or UNSET)


def _remove(args: Args, ctx: Context, name: str, content: Objectives) -> None:
    content.objectives.pop(name, None)
    if content.current_id == name:
        content.current_id = ""


def _activate(args: Args, ctx: Context, name: str, content: Objectives) -> None:
    _require_existing(name, content)
    content.current_id = name


def _require_existing(name: str, content: Objectives) -> None:
    if name not in content.objectives:
        raise LisaError("objective_not_found", f"no objective {name} (lisa session objective --list)", id=name)


def _upsert(args: Args, ctx: Context, name: str, content: Objectives) -> None:
    now = ctx.clock.now()
    if not _sets_any_field(args):
        _require_existing(name, content)  # a time limit alone does not create an objective
    item = content.objectives.setdefault(name, Objective(id=name, status="open", created_at=format_rfc3339(now)))
    for field in ("goal", "acceptance", "status"):
        value = getattr(args, field).strip()
        if value:
            setattr(item, field, value)
    if args.budget:
        item.budget = args.budget
    if args.ttl_hours:
        item.expires_at = format_rfc3339(now + args.ttl_hours * 3600)
    item.updated_at = format_rfc3339(now)
    content.current_id = name


def _build_result(
    args: Args,
    ctx: Context,
    action: str,
    name: str,
    content: Objectives,
    *,
    error_code: str | UnsetType = UNSET,
    recovered: bool | UnsetType = UNSET,
) -> ObjectiveResult:
    objectives = tuple(content.objectives[key] for key in sorted(content.objectives))
    return ObjectiveResult(
        action=action, project_root=ctx.project(args.project_root).root, current_id=content.current_id,
        count=len(objectives), objectives=objectives, id=name or UNSET,
        objective=content.objectives.get(name or content.current_id, UNSET), recovered=recovered,
        error_code=error_code,
    )  # fmt: skip


def text(answer: ObjectiveResult, args: Args) -> str:
    if answer.error_code is not UNSET:
        return f"no objective {answer.id} (lisa session objective --list shows the objectives)"
    if answer.action == "cleared":
        return f"objective cleared: {answer.id}"
    if isinstance(answer.objective, Objective) and not args.list:
        item = answer.objective
        return f"objective={item.id} status={item.status} budget={item.budget}\n{item.goal}"
    rows = [f"{item.id},{item.status},{item.budget},{item.goal}" for item in answer.objectives]
    return "\n".join(rows) or "no objectives"


COMMAND = Command(
    group="planning",
    args=Args,
    answer=ObjectiveResult,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.error_code is UNSET else 1,
    errors=(
        "objective_not_found",
        "objective_store_read_failed",
        "objective_store_write_failed",
    ),
    example='lisa session objective --id auth --goal "log in with a passkey" --acceptance "tests pass" --budget 4000',
    notes="""\
Setting an objective makes it the current one. While it is open, spawn puts it before the first prompt and send before
each text; one that is done, paused or expired is omitted. --ttl-hours alone extends an existing objective. An unknown
id is exit code 1, in text too.""",
)
