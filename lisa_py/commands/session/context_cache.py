"""Keep meaningful lines of sessions and packs under keys, for whoever needs that context later."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import MOST_HOURS, ProjectRoot, Session
from lisa_py.core.advice.given import Inputs
from lisa_py.core.context import Context
from lisa_py.core.relay import context_cache
from lisa_py.core.relay.context_cache import Entry
from lisa_py.store.context_cache import Record
from lisa_py.store.places import Place, Project


class Args(Struct, kw_only=True):
    key: Annotated[str, Flag(help="what the lines are kept under; default: session:NAME", metavar="KEY")] = ""
    session: Session = ""
    project_root: ProjectRoot = ""
    refresh: Annotated[bool, Flag(help="add what the session shows now")] = False
    from_: Annotated[
        str, Flag(help="add the lines of a pack, a capture, a JSON list or plain text; `-` is standard input",
                  metavar="PATH")
    ] = ""  # fmt: skip
    ttl_hours: Annotated[
        int, Flag(help="forget the key so many hours after its last change", minimum=1, maximum=MOST_HOURS)
    ] = 48
    max_lines: Annotated[int, Flag(help="how many lines to keep, the newest", minimum=1)] = 240
    list: Annotated[bool, Flag(help="show all keys")] = False
    clear: Annotated[bool, Flag(help="remove the key")] = False


class Listed(Struct, frozen=True, kw_only=True, rename="camel"):
    project_root: str
    count: int
    keys: tuple[str, ...]
    items: tuple[Record, ...]


class Cached(Struct, frozen=True, kw_only=True, rename="camel"):
    action: str
    """read, updated or cleared."""
    project_root: str
    key: str
    exists: bool
    existed: bool | UnsetType = UNSET
    """After clear: whether there was anything to remove."""
    record: Record | UnsetType = UNSET
    line_count: int | UnsetType = UNSET
    recovered: bool | UnsetType = UNSET
    """A corrupt cache was moved aside."""
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> Listed | Cached:
    place = ctx.place(args.session.strip(), args.project_root) if args.session.strip() else None
    project = place.project if place else ctx.project(args.project_root)
    _refuse_mixtures(args)
    if args.list:
        records = tuple(context_cache.every(ctx, project))
        keys = tuple(record.key for record in records)
        return Listed(project_root=project.root, count=len(records), keys=keys, items=records)
    key = args.key.strip() or (f"session:{place.session}" if place else "")
    if not key:
        raise UsageError("missing_required_flag", "--key is required (or provide --session)")
    if args.clear:
        return _answer("cleared", project, key, context_cache.remove(ctx, project, key))
    return _read_or_update(args, ctx, project, key, place)


def _refuse_mixtures(args: Args) -> None:
    others = {"--clear": args.clear, "--refresh": args.refresh, "--from": bool(args.from_.strip())}
    given = [flag for flag, value in others.items() if value]
    if args.list and given:
        raise UsageError("invalid_flag_combination", f"--list cannot be combined with {given[0]}")
    if args.refresh and not args.session.strip():
        raise UsageError("missing_required_flag", "--refresh requires --session")


def _read_or_update(args: Args, ctx: Context, project: Project, key: str, place: Place | None) -> Cached:
    lines = context_cache.lines_of_input(Inputs(ctx), args.from_) if args.from_.strip() else ()
    if args.refresh and place is not None:
        lines += context_cache.lines_of_session(ctx, place)
    if not lines:
        return _answer("read", project, key, context_cache.get(ctx, project, key))
    session = place.session if place else ""
    entry = context_cache.add(
        ctx, project, key, lines, session=session, ttl_hours=args.ttl_hours, max_lines=args.max_lines
    )
    return _answer("updated", project, key, entry)


def _answer(action: str, project: Project, key: str, entry: Entry) -> Cached:
    record = entry.record
    return Cached(
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


def text(answer: Listed | Cached, args: Args) -> str:
    if isinstance(answer, Listed):
        return "".join(f"{key}\n" for key in answer.keys)
    if answer.action == "cleared":
        return f"context-cache cleared key={answer.key}\n"
    if not isinstance(answer.record, Record):
        return "context-cache not found\n"
    lines = answer.record.lines
    return "\n".join((f"context-cache key={answer.key} lines={len(lines)}", *lines)) + "\n"


COMMAND = Command(
    args=Args,
    answer=Listed | Cached,
    run=run,
    text=text,
    newline=False,
    exit_code=lambda answer: 1 if isinstance(answer, Cached) and answer.error_code is not UNSET else 0,
    exits={0: "done", 1: "there is nothing under this key, or the call failed"},
    errors={
        "invalid_flag_combination": "--list shows all keys and does nothing else",
        "invalid_from": "the source of --from cannot be read",
        "invalid_ttl_hours": "--ttl-hours is a number of hours, at least 1",
        "invalid_max_lines": "--max-lines is a number of lines, at least 1",
        "context_cache_not_found": "there is nothing under this key",
        "context_cache_read_failed": "the cache cannot be read; the next change moves it aside",
        "context_cache_write_failed": "the cache cannot be written",
        "context_cache_lock_failed": "another process holds the cache's lock",
        "context_cache_refresh_failed": "the session cannot be looked at",
    },
    example="lisa session context-pack --for lisa-demo-1 --json |\n"
    "  lisa session context-cache --key auth --from - --json",
    notes="""\
--clear goes before --from and --refresh, which add their lines to those under the key, each line once, the newest
--max-lines of them. --from takes packs and captures as JSON, a JSON list of lines, or any text. A session's memory is
left alone.""",
)
