"""Combine the packs of several sessions in one text, with a fair share of the budget for each."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.status import Status
from lisa_py.core.advice.next_step import Situation
from lisa_py.core.context import Context
from lisa_py.core.fleet import discover
from lisa_py.core.fleet.discover import SessionWarning
from lisa_py.core.handoff import pack, sections
from lisa_py.core.handoff.pack import PackFacts, PackRequest
from lisa_py.core.handoff.sections import FittedPack, PackDraft
from lisa_py.core.live.archive import build_archived_status
from lisa_py.core.output import pane_text, token_budget
from lisa_py.core.output.pane_text import PaneText
from lisa_py.core.redact.redactor import Mask
from lisa_py.core.status import status_reader
from lisa_py.store import live_records, paths, session_records
from lisa_py.store.pack_cursors import AggregateEntry, AggregateSnapshot
from lisa_py.store.paths import Project, SessionRef

SEPARATOR = "---"
MIN_SESSION_TOKENS = 120
"""Minimum tokens of the pack of one session, also if the budget has fewer for each."""
_PANE_BATCH = 20


class AggregateFailure(Struct, frozen=True):
    """A session that could not be read."""

    session: str
    error: str


class AggregatePart(Struct, frozen=True):
    """One session of the aggregate."""

    facts: PackFacts
    draft: PackDraft
    fitted: FittedPack
    """Pack of this session alone."""

    @property
    def known(self) -> AggregateEntry:
        facts, whole = self.facts, pack.drop_ages(self.draft).text
        if facts.tail.source == "pane":  # lines that leave the window are a change, too
            whole += f"\n{facts.tail.next_offset}"
        return AggregateEntry(
            session=facts.session,
            status=facts.status,
            session_state=facts.session_state,
            next_action=facts.next_action,
            next_offset=facts.tail.next_offset,
            pack=self.fitted.text,
            digest=f"{crc32(whole.encode('utf-8', 'replace')):08x}",
        )


class SessionSelection(Struct, frozen=True):
    """The sessions to read by name, and errors in locating them."""

    refs: tuple[SessionRef, ...]
    warnings: tuple[SessionWarning, ...]


class CombinedPack(Struct, frozen=True, kw_only=True):
    """All packs in one text."""

    text: str
    truncated: bool
    removed: int
    """Number of lines omitted because an earlier session has them, too."""
    omitted: tuple[str, ...]
    """Sessions omitted for lack of budget."""


class AggregateDelta(Struct, frozen=True, kw_only=True):
    """Changes since the last call."""

    added: tuple[AggregateEntry, ...]
    removed: tuple[AggregateEntry, ...]
    changed: tuple[AggregateEntry, ...]
    count: int


def choose(ctx: Context, project: Project, csv: str) -> SessionSelection:
    """Return the named sessions or their archives, else all live ones.

    Raise LisaError(no_sessions | session_list_failed).
    """
    names = sorted({name.strip() for name in csv.split(",") if name.strip()})
    if not names:
        found = discover.find_live_sessions(ctx, project, project_only=False)
        chosen = SessionSelection(tuple(found.refs), tuple(found.warnings))
    else:
        located = [_locate(ctx, project, name) for name in names]
        chosen = SessionSelection(tuple(ref for ref, _ in located), tuple(warned for _, warned in located if warned))
    if not chosen.refs:
        raise LisaError("no_sessions", "no sessions available for aggregation")
    return chosen


def _locate(ctx: Context, project: Project, name: str) -> tuple[SessionRef, SessionWarning | None]:
    if paths.SESSION_ID.match(name):
        return ctx.record_ref(name), None
    paths.check_name(name)
    try:
        return ctx.or_archive(session_records.find_session(name, "", project.root, ctx.settings)), None
    except LisaError as problem:
        if problem.code != "ambiguous_project_root":
            raise
        warned = SessionWarning(error_code=problem.code, message=problem.message, session=name, fallback=project.root)
        return SessionRef(project, name), warned


def collect_parts(
    ctx: Context, chosen: Sequence[SessionRef], request: PackRequest, tokens: int, mask: Mask
) -> list[AggregatePart | AggregateFailure]:
    """Read all sessions; states at once, panes in groups, for each may be large."""
    living = [ref for ref in chosen if not ref.archive]
    read = dict(zip(living, status_reader.read_status_list(ctx, living), strict=True))
    statuses = [read.get(ref) or build_archived_status(ref, live_records.read_readable(ref)) for ref in chosen]
    own = max(MIN_SESSION_TOKENS, tokens // len(chosen))
    found: list[AggregatePart | AggregateFailure] = []
    for start in range(0, len(chosen), _PANE_BATCH):
        batch = range(start, min(start + _PANE_BATCH, len(chosen)))
        panes = _read_panes(ctx, [chosen[index] for index in batch if not chosen[index].archive])
        for index in batch:
            ref = chosen[index]
            pane = panes.get(ref)
            found.append(_build_part(ctx, ref, request, own, mask, statuses[index], pane))
    return found


def _read_panes(ctx: Context, batch: Sequence[SessionRef]) -> dict[SessionRef, PaneText | None]:
    """Read what is possible without tmux."""
    try:
        return dict(zip(batch, pane_text.read_many(ctx, batch), strict=True))
    except TmuxUnavailable:
        return {}


def _build_part(
    ctx: Context,
    ref: SessionRef,
    request: PackRequest,
    tokens: int,
    mask: Mask,
    status: Status,
    pane: PaneText | None,
) -> AggregatePart | AggregateFailure:
    try:
        facts = pack.collect_facts(ctx, ref, request, mask, status=status, pane=pane)
    except LisaError as problem:
        return AggregateFailure(ref.session, mask.mask_text(problem.message))
    draft = pack.build_draft(facts, request.strategy)
    return AggregatePart(facts, draft, sections.fit(draft, tokens))


def combine(parts: Sequence[AggregatePart], tokens: int, *, dedupe: bool) -> CombinedPack:
    """Give every session its equal share of the budget, and unused shares to the others.

    If not even all states fit, the most urgent sessions come first.
    """
    removed, drafts = 0, [part.draft for part in parts]
    if dedupe:
        known: dict[str, set[str]] = {}
        cleaned = [sections.remove_known_lines(draft, known) for draft in drafts]
        drafts, removed = [draft for draft, _ in cleaned], sum(count for _, count in cleaned)
    max_bytes = tokens * token_budget.BYTES_PER_TOKEN
    kept = _select_fitting(parts, drafts, max_bytes)
    fitted = _fit([drafts[index] for index in kept], max_bytes)
    omitted = tuple(part.facts.session for index, part in enumerate(parts) if index not in kept)
    text = f"\n{SEPARATOR}\n".join(one.text for one in fitted)
    return CombinedPack(
        text=text,
        truncated=bool(omitted) or any(one.truncated for one in fitted),
        removed=removed,
        omitted=omitted,
    )


def _separator_size(count: int) -> int:
    return max(0, count - 1) * (len(SEPARATOR) + 2)


def _select_fitting(parts: Sequence[AggregatePart], drafts: Sequence[PackDraft], max_bytes: int) -> list[int]:
    """Return the sessions with budget for their state at least, in order; at least one."""
    urgent = sorted(range(len(parts)), key=lambda index: -_read_situation(parts[index].facts).priority[0])
    kept: list[int] = []
    used = 0
    for index in urgent:
        used += sections.size_of("\n".join(drafts[index].head)) + (_separator_size(2) if kept else 0)
        if kept and used > max_bytes:
            break
        kept.append(index)
    return sorted(kept)


def _read_situation(facts: PackFacts) -> Situation:
    return Situation(session_state=facts.session_state, waiting_for=facts.waiting_for)


def _fit(drafts: Sequence[PackDraft], max_bytes: int) -> list[FittedPack]:
    """Keep every head whole; share the rest equally."""
    heads = [sections.size_of("\n".join(draft.head)) for draft in drafts]
    wants = [draft.size - head for draft, head in zip(drafts, heads, strict=True)]
    space = max(0, max_bytes - sum(heads) - _separator_size(len(drafts)))
    rest = sections.share_space(space, wants, [1] * len(drafts))
    return [
        sections.fit_bytes(draft, min(max_bytes, head + more))
        for draft, head, more in zip(drafts, heads, rest, strict=True)
    ]


def compare_parts(
    before: AggregateSnapshot, parts: Sequence[AggregatePart | AggregateFailure]
) -> tuple[AggregateDelta, dict[str, AggregateEntry]]:
    """Return added, removed and changed sessions, and the new baseline; a failed session keeps its old state."""
    now = {part.facts.session: part.known for part in parts if isinstance(part, AggregatePart)}
    failed = {part.session for part in parts if isinstance(part, AggregateFailure)}
    unreadable = failed | {
        part.facts.session for part in parts if isinstance(part, AggregatePart) and is_unreadable(part.facts)
    }
    kept = {name: item for name, item in before.items.items() if name in unreadable}
    now = {name: item for name, item in now.items() if name not in unreadable}
    added = tuple(item for name, item in now.items() if name not in before.items)
    changed = tuple(
        item for name, item in now.items() if name in before.items and _has_changed(before.items[name], item)
    )
    removed = tuple(item for name, item in before.items.items() if name not in now and name not in kept)
    count = len(added) + len(removed) + len(changed)
    return AggregateDelta(added=added, removed=removed, changed=changed, count=count), {**kept, **now}


def is_unreadable(facts: PackFacts) -> bool:
    """Return True if tmux could not be queried."""
    return isinstance(facts.error_code, str) and facts.error_code != "session_not_found"


def _has_changed(before: AggregateEntry, now: AggregateEntry) -> bool:
    if before.digest and now.digest:
        return before.digest != now.digest
    return msgspec.structs.replace(before, digest="", next_offset=0) != msgspec.structs.replace(
        now, digest="", next_offset=0
    )


def count_missing(parts: Sequence[AggregatePart | AggregateFailure]) -> int:
    """Return the number of sessions without a pane, records and an archive."""
    return sum(isinstance(part, AggregatePart) and part.facts.error_code == "session_not_found" for part in parts)


def error_code(parts: Sequence[AggregatePart | AggregateFailure]) -> str | UnsetType:
    return "aggregate_partial_not_found" if count_missing(parts) else UNSET
