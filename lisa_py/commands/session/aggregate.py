"""Combine the packs of several sessions within one token budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.contract import flags
from lisa_py.contract.answer import Answer, CursorAnswer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import ProjectRoot
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.fleet.discover import SessionWarning
from lisa_py.core.handoff import aggregate
from lisa_py.core.handoff.aggregate import AggregateDelta, AggregateFailure, AggregatePart, CombinedPack
from lisa_py.core.handoff.pack import PackRequest
from lisa_py.core.redact.redactor import Mask
from lisa_py.store import cursors, pack_cursors, snapshots
from lisa_py.store.pack_cursors import AggregateSnapshot
from lisa_py.store.paths import Project


class Args(Struct, kw_only=True):
    sessions: Annotated[str, Flag(help="comma-separated names; default: all live sessions", metavar="CSV")] = ""
    project_root: ProjectRoot = ""
    strategy: flags.Strategy = "balanced"
    events: flags.Events = 8
    lines: flags.Lines = 120
    token_budget: flags.TokenBudget = 900
    dedupe: Annotated[bool, Flag(help="omission of lines repeated in the same section")] = False
    delta_json: Annotated[bool, Flag(help="added, removed and changed sessions", json=True)] = False
    cursor_file: Annotated[str, Flag(help="with --delta-json: file with the last answer", metavar="PATH")] = ""
    cursor_reset: flags.CursorReset = False
    redact: flags.Redact = ""


class AggregateItem(Answer):
    """One session; only `error` and `errorCode` are set if it could not be read."""

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
    archive: str | UnsetType = UNSET
    """Id of the archive, for a session that was killed."""
    error: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    warning: SessionWarning | UnsetType = UNSET


class AggregateResult(CursorAnswer):
    session_count: int
    items: tuple[AggregateItem, ...]
    combined_pack: str
    truncated: bool
    token_budget: int
    strategy: str
    dedupe: bool
    dedupe_removed: int
    omitted: tuple[str, ...] | UnsetType = UNSET
    """Sessions omitted from the pack for lack of budget."""
    not_found_count: int | UnsetType = UNSET
    delta: AggregateDelta | UnsetType = UNSET
    project_root: str | UnsetType = UNSET
    sessions: tuple[str, ...] | UnsetType = UNSET
    warnings: tuple[SessionWarning, ...] | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> AggregateResult:
    if args.cursor_file and not args.delta_json:
        raise UsageError("cursor_file_requires_delta_json", "--cursor-file requires --delta-json")
    mask = Mask(args.redact)
    project = ctx.project(args.project_root)
    selection = aggregate.choose(ctx, project, args.sessions)
    for warning in selection.warnings:
        ctx.warn(f"aggregate warning: {warning.message}")
    request = copy_fields(args, PackRequest)
    delta_fields = _read_baseline(args, ctx, project) if args.delta_json else {}
    previous = delta_fields.pop("before", AggregateSnapshot())
    parts = aggregate.collect_parts(ctx, selection.refs, request, args.token_budget, mask)
    if args.delta_json:
        delta_fields["delta"], items = aggregate.compare_parts(previous, parts)
        ctx.commit_after_output(
            snapshots.stage(delta_fields["cursor_file"], AggregateSnapshot(items=items), ctx.clock.now())
        )
        delta_fields["cursor_file"] = mask.mask_text(delta_fields["cursor_file"])
    available = [part for part in parts if isinstance(part, AggregatePart)]
    combined = aggregate.combine(available, args.token_budget, dedupe=args.dedupe)
    return _build_result(args, parts, combined, selection.warnings, mask, mask.mask_text(project.root), delta_fields)


def _read_baseline(args: Args, ctx: Context, project: Project) -> dict[str, Any]:
    """Return the previous snapshot with its path. Raise UsageError(invalid_cursor_file)."""
    view_key = ",".join(sorted({name.strip() for name in args.sessions.split(",") if name.strip()}))
    path = (
        cursors.resolve_path(args.cursor_file)
        if args.cursor_file
        else pack_cursors.default_snapshot_path(project, view_key)
    )
    previous, was_reset = snapshots.read_or_reset(path, AggregateSnapshot, args.cursor_reset, ctx.clock.now())
    return {"cursor_file": path, "before": previous, **({"cursor_recovered": True} if was_reset else {})}


def _build_result(
    args: Args,
    parts: Sequence[AggregatePart | AggregateFailure],
    combined: CombinedPack,
    warnings: Sequence[SessionWarning],
    mask: Mask,
    root: str,
    delta_fields: dict[str, Any],
) -> AggregateResult:
    masked_warnings = tuple(mask.mask_record(warning) for warning in warnings)
    items = tuple(_build_item(part, {one.session: one for one in masked_warnings}) for part in parts)
    return AggregateResult(
        session_count=len(parts),
        items=items,
        combined_pack=combined.text,
        truncated=combined.truncated,
        token_budget=args.token_budget,
        strategy=args.strategy,
        dedupe=args.dedupe,
        dedupe_removed=combined.removed,
        omitted=combined.omitted or UNSET,
        not_found_count=aggregate.count_missing(parts) or UNSET,
        redact_rules=mask.rules or UNSET,
        redacted=mask.counts if mask.is_active else UNSET,
        project_root=root,
        sessions=tuple(item.session for item in items),
        warnings=masked_warnings or UNSET,
        error_code=aggregate.error_code(parts),
        **delta_fields,
    )


def _build_item(part: AggregatePart | AggregateFailure, warnings: dict[str, SessionWarning]) -> AggregateItem:
    if isinstance(part, AggregateFailure):
        return AggregateItem(
            session=part.session,
            error=part.error,
            error_code="aggregate_snapshot_failed",
            warning=warnings.get(part.session, UNSET),
        )
    facts = part.facts
    return copy_fields(
        facts,
        AggregateItem,
        next_offset=facts.tail.next_offset,
        truncated=part.fitted.truncated,
        pack=part.fitted.text,
        source=facts.tail.source,
        waiting_for=facts.waiting_for or UNSET,
        events=len(facts.recent),
        warning=warnings.get(facts.session, UNSET),
    )


def minimize(answer: AggregateResult, args: Args) -> AggregateResult:
    """Return the fields for polling loops."""
    removed_fields = {"reason": UNSET, "events": UNSET, "dropped_recent": UNSET, "project_root": UNSET}
    items = tuple(structs.replace(item, **removed_fields) for item in answer.items)
    return structs.replace(answer, items=items, project_root=UNSET, sessions=UNSET)


def text(answer: AggregateResult, args: Args) -> str:
    if isinstance(answer.omitted, tuple):
        return f"{answer.combined_pack}\n---\n... omitted: {' '.join(answer.omitted)}"
    return answer.combined_pack


COMMAND = Command(
    group="fleet",
    args=Args,
    answer=AggregateResult,
    run=run,
    text=text,
    min=minimize,
    exit_code=lambda answer: 0 if answer.error_code is UNSET else 1,
    errors=(
        "no_sessions",
        "session_list_failed",
        "aggregate_partial_not_found",
        "aggregate_snapshot_failed",
        "cursor_file_requires_delta_json",
        "invalid_cursor_file",
        "cursor_file_write_failed",
    ),
    example="lisa session aggregate --token-budget 1200 --dedupe --json-min\n"
    "lisa session aggregate --sessions lisa-a,lisa-b --delta-json --json-min",
    notes="""\
Without --sessions all sessions with a pane are read, running or ended, but no archives. A name or id of --sessions may
be that of a killed session: then its newest archive is read.

The budget is divided evenly; the part that a session does not need goes to the others. If not even all states fit, the
most urgent sessions come first and `omitted` names the rest. The pack of each item has at least 120 tokens. --dedupe
never removes a state line. Under --delta-json an unchanged session is in no list.""",
)
