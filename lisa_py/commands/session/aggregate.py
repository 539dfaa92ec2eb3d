"""Put the packs of several sessions into one text within one budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.contract import flags
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import ProjectRoot
from lisa_py.core.context import Context
from lisa_py.core.relay import aggregate
from lisa_py.core.relay.aggregate import Combined, Delta, Failed, Part
from lisa_py.core.relay.masking import Mask
from lisa_py.core.relay.pack import PackRequest
from lisa_py.core.watch.fleet import Warned
from lisa_py.store import cursors, pack_cursors
from lisa_py.store.pack_cursors import Snapshot
from lisa_py.store.places import Project


class Args(Struct, kw_only=True):
    sessions: Annotated[str, Flag(help="names, separated by commas; default: all that live", metavar="CSV")] = ""
    project_root: ProjectRoot = ""
    strategy: flags.Strategy = "balanced"
    events: flags.Events = 8
    lines: flags.Lines = 120
    token_budget: flags.TokenBudget = 900
    dedupe: Annotated[bool, Flag(help="leave out lines that an earlier session has in the same section")] = False
    delta_json: Annotated[bool, Flag(help="also which sessions came, went or changed since last time", json=True)] = (
        False
    )
    cursor_file: Annotated[
        str, Flag(help="with --delta-json: file that remembers the last answer; default: the project's", metavar="PATH")
    ] = ""
    cursor_reset: flags.CursorReset = False
    redact: flags.Redact = ""


class Item(Struct, frozen=True, kw_only=True, rename="camel"):
    """One session; `error` and `errorCode` stand alone where it could not be looked at."""

    session: str
    status: str | UnsetType = UNSET
    session_state: str | UnsetType = UNSET
    next_action: str | UnsetType = UNSET
    next_offset: int | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET
    pack: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    waiting_for: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    events: int | UnsetType = UNSET
    dropped_recent: int | UnsetType = UNSET
    project_root: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    warning: Warned | UnsetType = UNSET


class Aggregate(Struct, frozen=True, kw_only=True, rename="camel"):
    session_count: int
    items: tuple[Item, ...]
    combined_pack: str
    truncated: bool
    token_budget: int
    strategy: str
    dedupe: bool
    dedupe_removed: int
    omitted: tuple[str, ...] | UnsetType = UNSET
    """Sessions the combined pack has no room for, not even for their state."""
    not_found_count: int | UnsetType = UNSET
    delta: Delta | UnsetType = UNSET
    cursor_file: str | UnsetType = UNSET
    cursor_recovered: bool | UnsetType = UNSET
    redact_rules: tuple[str, ...] | UnsetType = UNSET
    redacted: dict[str, int] | UnsetType = UNSET
    """How often each rule found something."""
    project_root: str | UnsetType = UNSET
    sessions: tuple[str, ...] | UnsetType = UNSET
    warnings: tuple[Warned, ...] | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> Aggregate:
    if args.cursor_file and not args.delta_json:
        raise UsageError("cursor_file_requires_delta_json", "--cursor-file requires --delta-json")
    mask = Mask(args.redact)
    project = ctx.project(args.project_root)
    chosen = aggregate.choose(ctx, project, args.sessions)
    for warning in chosen.warnings:
        ctx.warn(f"aggregate warning: {warning.message}")
    request = PackRequest(strategy=args.strategy, events=args.events, lines=args.lines)
    known = _known(args, ctx, project) if args.delta_json else {}
    before = known.pop("before", Snapshot())
    parts = aggregate.see(ctx, chosen.places, request, args.token_budget, mask)
    if args.delta_json:
        known["delta"], items = aggregate.difference(before, parts)
        ctx.once_told(pack_cursors.stage_snapshot(known["cursor_file"], items, ctx.clock.now()))
        known["cursor_file"] = mask.text(known["cursor_file"])
    seen = [part for part in parts if isinstance(part, Part)]
    combined = aggregate.combine(seen, args.token_budget, dedupe=args.dedupe)
    return _answer(args, parts, combined, chosen.warnings, mask, mask.text(project.root), known)


def _known(args: Args, ctx: Context, project: Project) -> dict[str, Any]:
    """What was given last and where that is kept. Raises UsageError(invalid_cursor_file)."""
    view = ",".join(sorted({name.strip() for name in args.sessions.split(",") if name.strip()}))
    path = cursors.located(args.cursor_file) if args.cursor_file else pack_cursors.default_snapshot(project, view)
    before = cursors.or_reset(pack_cursors.read_snapshot, path, args.cursor_reset, ctx.clock.now())
    return {"cursor_file": path, **({"cursor_recovered": True} if before is None else {"before": before})}


def _answer(
    args: Args,
    parts: Sequence[Part | Failed],
    combined: Combined,
    warnings: Sequence[Warned],
    mask: Mask,
    root: str,
    more: dict[str, Any],
) -> Aggregate:
    told = tuple(mask.record(warning) for warning in warnings)
    items = tuple(_item(part, {one.session: one for one in told}) for part in parts)
    return Aggregate(
        session_count=len(parts),
        items=items,
        combined_pack=combined.text,
        truncated=combined.truncated,
        token_budget=args.token_budget,
        strategy=args.strategy,
        dedupe=args.dedupe,
        dedupe_removed=combined.removed,
        omitted=combined.omitted or UNSET,
        not_found_count=aggregate.missing(parts) or UNSET,
        redact_rules=mask.rules or UNSET,
        redacted=mask.counts if mask.on else UNSET,
        project_root=root,
        sessions=tuple(item.session for item in items),
        warnings=told or UNSET,
        error_code=aggregate.code(parts),
        **more,
    )


def _item(part: Part | Failed, warnings: dict[str, Warned]) -> Item:
    if isinstance(part, Failed):
        return Item(
            session=part.session,
            error=part.error,
            error_code="aggregate_snapshot_failed",
            warning=warnings.get(part.session, UNSET),
        )
    seen = part.seen
    return Item(
        session=seen.session,
        status=seen.status,
        session_state=seen.session_state,
        next_action=seen.next_action,
        next_offset=seen.tail.next_offset,
        truncated=part.fitted.truncated,
        pack=part.fitted.text,
        source=seen.tail.source,
        waiting_for=seen.waiting_for or UNSET,
        reason=seen.reason,
        events=len(seen.recent),
        dropped_recent=seen.dropped_recent,
        project_root=seen.project_root,
        error_code=seen.error_code,
        warning=warnings.get(seen.session, UNSET),
    )


def smaller(answer: Aggregate, args: Args) -> Aggregate:
    """What a polling loop needs."""
    less = {"reason": UNSET, "events": UNSET, "dropped_recent": UNSET, "project_root": UNSET}
    items = tuple(structs.replace(item, **less) for item in answer.items)
    return structs.replace(answer, items=items, project_root=UNSET, sessions=UNSET)


def text(answer: Aggregate, args: Args) -> str:
    if isinstance(answer.omitted, tuple):
        return f"{answer.combined_pack}\n---\n... no room for: {' '.join(answer.omitted)}"
    return answer.combined_pack


COMMAND = Command(
    args=Args,
    answer=Aggregate,
    run=run,
    text=text,
    min=smaller,
    exit_code=lambda answer: 0 if answer.error_code is UNSET else 1,
    errors={
        "invalid_strategy": "not terse, balanced or full",
        "invalid_events": "not a number of at least 1",
        "invalid_lines": "not a number of at least 1",
        "invalid_token_budget": "not a number of at least 1",
        "invalid_redact_rules": "--redact names a rule there is not, or none beside others",
        "no_sessions": "no session lives, and none was named",
        "session_list_failed": "tmux cannot be asked which sessions live",
        "aggregate_partial_not_found": "some of the named sessions there are not; the others are answered",
        "aggregate_snapshot_failed": "of one item: that session could not be looked at",
        "cursor_file_requires_delta_json": "--cursor-file without --delta-json",
        "invalid_cursor_file": "the cursor file cannot be read, or is another command's; --cursor-reset sets it aside",
        "cursor_file_write_failed": "the cursor file could not be written",
    },
    example="lisa session aggregate --token-budget 1200 --dedupe --json-min\n"
    "lisa session aggregate --sessions lisa-a,lisa-b --delta-json --json-min",
    notes="""\
Every session has an even part of the budget, and what one does not need the others have; where not even all states fit,
those that need somebody most come first and `omitted` names the rest. Each item's own pack has at least 120 tokens.
--dedupe never takes a state line. Under --delta-json a session in which nothing has happened is in no list.""",
)
