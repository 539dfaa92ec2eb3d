"""Save, restore and clear the objectives and lanes of a project, for repeatable runs."""

from __future__ import annotations

import os
from typing import Annotated

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import jsontext
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.core.context import Context
from lisa_py.core.inputs import InputError, Inputs
from lisa_py.host import files
from lisa_py.store import context_cache, lanes, objectives, registry_snapshot
from lisa_py.store.lanes import Lane
from lisa_py.store.objectives import Objective
from lisa_py.store.paths import Project
from lisa_py.store.registry_snapshot import EXTRAS, RegistrySnapshot
from lisa_py.terminal import table
from lisa_py.terminal.table import Screen, TableRow

ACTIONS = ("list", "snapshot", "restore", "clear")


class Args(Struct, kw_only=True):
    action: Annotated[str, Flag(help="action", choices=ACTIONS, positional=True)] = "list"
    project_root: Annotated[
        str, Flag(help="project folder; default: the snapshot's, else the current folder", metavar="PATH")
    ] = ""
    file: Annotated[str, Flag(help="snapshot file; with restore `-` is standard input", metavar="PATH")] = ""
    include: Annotated[str, Flag(help="further stores: memory, context-cache", metavar="CSV")] = ""


class StateSandboxListResult(Answer):
    action: str = "list"
    project_root: str
    objective_count: int
    lane_count: int
    current_id: str
    memory_count: int | UnsetType = UNSET
    context_cache_count: int | UnsetType = UNSET
    objective_store_path: str | UnsetType = UNSET
    lane_store_path: str | UnsetType = UNSET
    context_cache_path: str | UnsetType = UNSET
    objectives: tuple[Objective, ...] | UnsetType = UNSET
    lanes: tuple[Lane, ...] | UnsetType = UNSET


class StateSandboxSnapshotResult(Answer):
    action: str = "snapshot"
    project_root: str
    objective_count: int
    lane_count: int
    memory_count: int | UnsetType = UNSET
    context_cache_count: int | UnsetType = UNSET
    file: str | UnsetType = UNSET
    snapshot: RegistrySnapshot | UnsetType = UNSET


class StateSandboxRestoreResult(Answer):
    action: str = "restore"
    project_root: str
    source_file: str
    version: str
    objective_count: int
    lane_count: int
    memory_count: int | UnsetType = UNSET
    context_cache_count: int | UnsetType = UNSET
    objective_store_path: str | UnsetType = UNSET
    lane_store_path: str | UnsetType = UNSET


class StateSandboxClearResult(Answer):
    action: str = "clear"
    project_root: str
    cleared_objectives: bool
    cleared_lanes: bool
    cleared_memories: int | UnsetType = UNSET
    cleared_context_cache: bool | UnsetType = UNSET
    objective_store_path: str | UnsetType = UNSET
    lane_store_path: str | UnsetType = UNSET


StateSandboxResult = (
    StateSandboxListResult | StateSandboxSnapshotResult | StateSandboxRestoreResult | StateSandboxClearResult
)


def run(args: Args, ctx: Context) -> StateSandboxResult:
    extras = _parse_extras(args.include)
    if args.action == "restore":
        return _restore(args, ctx)
    project = ctx.project(args.project_root)
    if args.action == "clear":
        return _clear(project, extras, ctx)
    snapshot = registry_snapshot.take(project, extras)
    return _list(project, snapshot) if args.action == "list" else _save(args, ctx, project, snapshot)


def _parse_extras(csv: str) -> frozenset[str]:
    words = [word.strip().lower() for word in csv.split(",") if word.strip()]
    for word in words:
        if word not in EXTRAS:
            raise UsageError("invalid_include", f"invalid --include: {word} (expected {','.join(EXTRAS)})")
    return frozenset(words)


def _count_items(snapshot: RegistrySnapshot) -> tuple[int | UnsetType, int | UnsetType]:
    """Number of memories and context cache keys."""
    cache = snapshot.context_cache
    return (
        UNSET if snapshot.memories is UNSET else len(snapshot.memories),
        UNSET if cache is UNSET else len(cache.items),
    )


def _list(project: Project, snapshot: RegistrySnapshot) -> StateSandboxListResult:
    objective_store, lane_records = snapshot.objective_store, snapshot.lane_store.lanes
    memory_count, cache_count = _count_items(snapshot)
    return StateSandboxListResult(
        project_root=project.root,
        objective_count=len(objective_store.objectives),
        lane_count=len(lane_records),
        current_id=objective_store.current_id,
        memory_count=memory_count,
        context_cache_count=cache_count,
        objective_store_path=objectives.registry(project).path,
        lane_store_path=lanes.registry(project).path,
        context_cache_path=UNSET if cache_count is UNSET else context_cache.registry(project).path,
        objectives=tuple(objective_store.objectives[key] for key in sorted(objective_store.objectives)),
        lanes=tuple(lane_records[key] for key in sorted(lane_records)),
    )


def _save(args: Args, ctx: Context, project: Project, snapshot: RegistrySnapshot) -> StateSandboxSnapshotResult:
    path = _resolve_path(args, ctx)
    if path:
        _write(path, snapshot)
    memory_count, cache_count = _count_items(snapshot)
    return StateSandboxSnapshotResult(
        project_root=project.root,
        objective_count=len(snapshot.objective_store.objectives),
        lane_count=len(snapshot.lane_store.lanes),
        memory_count=memory_count,
        context_cache_count=cache_count,
        file=path or UNSET,
        snapshot=snapshot,
    )


def _resolve_path(args: Args, ctx: Context) -> str:
    name = args.file.strip()
    if name == "-":
        raise UsageError(
            "invalid_file_path",
            "invalid --file: - (only restore reads standard input; without --file the answer contains the snapshot)",
        )
    path = os.path.abspath(os.path.join(ctx.cwd, os.path.expanduser(name))) if name else ""
    if path and files.is_dir(path):
        raise UsageError("invalid_file_path", f"invalid --file: {path} is a folder")
    return path


def _write(path: str, snapshot: RegistrySnapshot) -> None:
    folder = os.path.dirname(path)
    try:
        if not files.is_dir(folder):  # an existing folder keeps its mode
            files.ensure_private_dir(folder)
        files.write(path, jsontext.encode_document(snapshot))
    except LisaError as problem:
        raise LisaError("snapshot_write_failed", problem.message, file=path) from problem


def _restore(args: Args, ctx: Context) -> StateSandboxRestoreResult:
    name = args.file.strip()
    if not name:
        raise UsageError("missing_required_flag", "--file is required for restore")
    try:
        raw = Inputs(ctx).read_bytes(name)
    except InputError as problem:
        raise LisaError("snapshot_read_failed", f"failed reading the snapshot: {problem}") from problem
    snapshot = registry_snapshot.parse(raw)
    project = ctx.project(args.project_root or snapshot.project_root)
    registry_snapshot.restore(project, snapshot, ctx.settings)
    memory_count, cache_count = _count_items(snapshot)
    return StateSandboxRestoreResult(
        project_root=project.root,
        source_file=name if name == "-" else os.path.abspath(os.path.join(ctx.cwd, os.path.expanduser(name))),
        version=snapshot.version,
        objective_count=len(snapshot.objective_store.objectives),
        lane_count=len(snapshot.lane_store.lanes),
        memory_count=memory_count,
        context_cache_count=cache_count,
        objective_store_path=objectives.registry(project).path,
        lane_store_path=lanes.registry(project).path,
    )


def _clear(project: Project, extras: frozenset[str], ctx: Context) -> StateSandboxClearResult:
    cleared = registry_snapshot.clear(project, extras, ctx.settings)
    return StateSandboxClearResult(
        project_root=project.root,
        cleared_objectives=bool(cleared["objective_store"]),
        cleared_lanes=bool(cleared["lane_store"]),
        cleared_memories=cleared.get("memories", UNSET),
        cleared_context_cache=bool(cleared["context_cache"]) if "context-cache" in extras else UNSET,
        objective_store_path=objectives.registry(project).path,
        lane_store_path=lanes.registry(project).path,
    )


_FULL_ONLY = ("objective_store_path", "lane_store_path", "context_cache_path", "objectives", "lanes", "snapshot")


def minimize(
    answer: StateSandboxResult, args: Args
) -> StateSandboxListResult | StateSandboxSnapshotResult | StateSandboxRestoreResult | StateSandboxClearResult:
    """Return counts only; a snapshot without a file stays in the answer."""
    removed_fields = {name: UNSET for name in _FULL_ONLY if hasattr(answer, name)}
    if isinstance(answer, StateSandboxSnapshotResult) and answer.file is UNSET:
        del removed_fields["snapshot"]
    return msgspec.structs.replace(answer, **removed_fields)


def format_terminal(answer: StateSandboxResult, args: Args, screen: Screen) -> str:
    """Return the action with its counts, and the stored items of a list."""
    if isinstance(answer, StateSandboxClearResult):
        cleared = [("objectives", answer.cleared_objectives), ("lanes", answer.cleared_lanes)]
        return f"cleared in {answer.project_root}: {', '.join(name for name, done in cleared if done) or 'nothing'}"
    counts = f"{answer.objective_count} objectives, {answer.lane_count} lanes"
    if isinstance(answer, StateSandboxRestoreResult):
        return f"restored {counts} in {answer.project_root} from {answer.source_file}"
    if isinstance(answer, StateSandboxSnapshotResult):
        return f"saved {counts} of {answer.project_root}{f' in {answer.file}' if answer.file else ''}"
    rows = [TableRow(cells=("objective", each.id, each.goal)) for each in answer.objectives or ()]
    rows += [TableRow(cells=("lane", each.name, each.goal)) for each in answer.lanes or ()]
    lines = table.format_table(("KIND", "NAME", "GOAL"), rows, screen) if rows else []
    return "\n".join([f"{counts} in {answer.project_root}", *lines])


COMMAND = Command(
    group="checks",
    args=Args,
    answer=StateSandboxResult,
    run=run,
    min=minimize,
    errors=(
        "invalid_file_path",
        "invalid_include",
        "objective_store_read_failed",
        "lane_store_read_failed",
        "memory_read_failed",
        "context_cache_read_failed",
        "objective_store_clear_failed",
        "lane_store_clear_failed",
        "memory_clear_failed",
        "context_cache_clear_failed",
        "snapshot_write_failed",
        "snapshot_read_failed",
        "snapshot_parse_failed",
        "snapshot_version_missing",
        "snapshot_version_unsupported",
        "objective_store_write_failed",
        "lane_store_write_failed",
        "context_cache_write_failed",
        "memory_refresh_failed",
        "context_cache_lock_failed",
    ),
    terminal=format_terminal,
    notes="The answer is always JSON, but words on a terminal without --json. "
    "A restore replaces everything in the snapshot, or nothing if a part fails.",
    example="lisa session state-sandbox snapshot --file before.json\n"
    "  lisa session state-sandbox restore --file before.json --json-min",
)
