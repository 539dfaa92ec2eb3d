"""Store meaningful lines of sessions and packs under keys."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import MAX_HOURS, ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.handoff import context_cache
from lisa_py.core.handoff.context_cache import CacheEntry
from lisa_py.core.inputs import Inputs
from lisa_py.store.context_cache import ContextCacheRecord
from lisa_py.store.paths import Project, SessionRef


class Args(Struct, kw_only=True):
    key: Annotated[str, Flag(help="key of the lines; default: session:NAME", metavar="KEY")] = ""
    session: Session = ""
    project_root: ProjectRoot = ""
    refresh: Annotated[bool, Flag(help="addition of the current output of the session")] = False
    from_: Annotated[
        str, Flag(help="pack, capture or text to add; `-` is standard input",
                  metavar="PATH")
    ] = ""  # fmt: skip
    ttl_hours: Annotated[int, Flag(help="lifetime in hours after the last change", minimum=1, maximum=MAX_HOURS)] = 48
    max_lines: Annotated[int, Flag(help="number of newest lines to keep", minimum=1)] = 240
    list: Annotated[bool, Flag(help="list of all keys")] = False
    clear: Annotated[bool, Flag(help="removal of the key")] = False


class ContextCacheListResult(Answer):
    project_root: str
    count: int
    keys: tuple[str, ...]
    items: tuple[ContextCacheRecord, ...]


class ContextCacheResult(Answer):
    action: str
    """read, updated or cleared."""
    project_root: str
    key: str
    exists: bool
    existed: bool | UnsetType = UNSET
    """After clear: True if the key existed."""
    record: ContextCacheRecord | UnsetType = UNSET
    line_count: int | UnsetType = UNSET
    recovered: bool | UnsetType = UNSET
    """True if a corrupt cache was moved aside."""
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> ContextCacheListResult | ContextCacheResult:
    ref = ctx.ref(args.session.strip(), args.project_root) if args.session.strip() else None
    project = ref.project if ref else ctx.project(args.project_root)
    _check_flag_combination(args)
    if args.list:
        records = tuple(context_cache.list_records(ctx, project))
        keys = tuple(record.key for record in records)
        return ContextCacheListResult(project_root=project.root, count=len(records), keys=keys, items=records)
    key = args.key.strip() or (f"session:{ref.session}" if ref else "")
    if not key:
        raise UsageError("missing_required_flag", "--key is required (or provide --session)")
    if args.clear:
        return _build_result("cleared", project, key, context_cache.remove(ctx, project, key))
    return _read_or_update(args, ctx, project, key, ref)


def _check_flag_combination(args: Args) -> None:
    others = {"--clear": args.clear, "--refresh": args.refresh, "--from": bool(args.from_.strip())}
    given = [flag for flag, value in others.items() if value]
    if args.list and given:
        raise UsageError("invalid_flag_combination", f"--list cannot be combined with {given[0]}")
    if args.refresh and not args.session.strip():
        raise UsageError("missing_required_flag", "--refresh requires --session")


def _read_or_update(args: Args, ctx: Context, project: Project, key: str, ref: SessionRef | None) -> ContextCacheResult:
    lines = context_cache.read_input_lines(Inputs(ctx), args.from_) if args.from_.strip() else ()
    if args.refresh and ref is not None:
        lines += context_cache.read_session_lines(ctx, ref)
    if not lines:
        return _build_result("read", project, key, context_cache.get(ctx, project, key))
    session = ref.session if ref else ""
    entry = context_cache.add(
        ctx, project, key, lines, session=session, ttl_hours=args.ttl_hours, max_lines=args.max_lines
    )
    return _build_result("updated", project, key, entry)


def _build_result(action: str, project: Project, key: str, entry: CacheEntry) -> ContextCacheResult:
    record = entry.record
    return ContextCacheResult(
        action=action,
        project_root=project.root,
        key=key,
        exists=record is not None,
        existed=entry.existed if action == "cleared" else UNSET,
        record=record or UNSET,
        line_count=len(record.lines) if record else UNSET,
        recovered=entry.recovered or UNSET,
        error_code="context_cache_not_found" if action == "read" and record is None else UNSET,
    )


def text(answer: ContextCacheListResult | ContextCacheResult, args: Args) -> str:
    if isinstance(answer, ContextCacheListResult):
        return "".join(f"{key}\n" for key in answer.keys)
    if answer.action == "cleared":
        return f"context-cache cleared key={answer.key}\n"
    if not isinstance(answer.record, ContextCacheRecord):
        return "context-cache not found\n"
    lines = answer.record.lines
    return "\n".join((f"context-cache key={answer.key} lines={len(lines)}", *lines)) + "\n"


COMMAND = Command(
    group="reading",
    args=Args,
    answer=ContextCacheListResult | ContextCacheResult,
    run=run,
    text=text,
    newline=False,
    exit_code=lambda answer: 1 if isinstance(answer, ContextCacheResult) and answer.error_code is not UNSET else 0,
    exits={0: "done", 1: "the key is unknown, or the call failed"},
    errors=(
        "invalid_flag_combination",
        "invalid_from",
        "context_cache_not_found",
        "context_cache_read_failed",
        "context_cache_write_failed",
        "context_cache_lock_failed",
        "context_cache_refresh_failed",
    ),
    example="lisa session context-pack --for lisa-demo-1 --json |\n"
    "  lisa session context-cache --key auth --from - --json",
    notes="""\
--from and --refresh add lines to the key; duplicates are dropped and the newest --max-lines are kept. --clear takes
precedence over both. --from accepts packs and captures as JSON, a JSON list of lines, or any text. The memory of the
session is not changed.""",
)
