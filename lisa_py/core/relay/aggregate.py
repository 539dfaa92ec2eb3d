"""The packs of several sessions in one text: every session is in it, and none takes the others' room."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.status import Status
from lisa_py.core.advice import priority
from lisa_py.core.context import Context
from lisa_py.core.relay import budget, pack, pane_text, sections
from lisa_py.core.relay.masking import Mask
from lisa_py.core.relay.pack import PackRequest, Seen
from lisa_py.core.relay.pane_text import PaneText
from lisa_py.core.relay.sections import Draft, Fitted
from lisa_py.core.watch import fleet, look
from lisa_py.core.watch.fleet import Warned
from lisa_py.store import places, session
from lisa_py.store.pack_cursors import Known, Snapshot
from lisa_py.store.places import Place, Project

RULE = "---"
LEAST_TOKENS = 120
"""Of one session's own pack, also where the budget has fewer for each."""
_PANES = 20


class Failed(Struct, frozen=True):
    """A session that could not be looked at."""

    session: str
    error: str


class Part(Struct, frozen=True):
    """One session of the aggregate."""

    seen: Seen
    draft: Draft
    fitted: Fitted
    """On its own."""

    @property
    def known(self) -> Known:
        seen, whole = self.seen, pack.stable(self.draft).text
        if seen.tail.source == "pane":  # lines that leave the window are a change as well
            whole += f"\n{seen.tail.next_offset}"
        return Known(
            session=seen.session,
            status=seen.status,
            session_state=seen.session_state,
            next_action=seen.next_action,
            next_offset=seen.tail.next_offset,
            pack=self.fitted.text,
            digest=f"{crc32(whole.encode('utf-8', 'replace')):08x}",
        )


class Chosen(Struct, frozen=True):
    """The sessions to look at, by name, and what went wrong on the way to them."""

    places: tuple[Place, ...]
    warnings: tuple[Warned, ...]


class Combined(Struct, frozen=True, kw_only=True):
    """All packs in one text."""

    text: str
    truncated: bool
    removed: int
    """Lines left out because an earlier session has them too."""
    omitted: tuple[str, ...]
    """Sessions there was no room for, not even for their state."""


class Delta(Struct, frozen=True, kw_only=True):
    """What is different from the last time."""

    added: tuple[Known, ...]
    removed: tuple[Known, ...]
    changed: tuple[Known, ...]
    count: int


def choose(ctx: Context, project: Project, csv: str) -> Chosen:
    """The named sessions, else all that live. Raises LisaError(no_sessions | session_list_failed)."""
    names = sorted({name.strip() for name in csv.split(",") if name.strip()})
    if not names:
        found = fleet.live(ctx, project, project_only=False)
        chosen = Chosen(tuple(found.places), tuple(found.warnings))
    else:
        located = [_locate(ctx, project, places.checked_name(name)) for name in names]
        chosen = Chosen(tuple(place for place, _ in located), tuple(warned for _, warned in located if warned))
    if not chosen.places:
        raise LisaError("no_sessions", "no sessions available for aggregation")
    return chosen


def _locate(ctx: Context, project: Project, name: str) -> tuple[Place, Warned | None]:
    try:
        return session.find(name, "", project.root, ctx.settings), None
    except LisaError as problem:
        if problem.code != "ambiguous_project_root":
            raise
        warned = Warned(error_code=problem.code, message=problem.message, session=name, fallback=project.root)
        return Place(project, name), warned


def see(ctx: Context, chosen: Sequence[Place], request: PackRequest, tokens: int, mask: Mask) -> list[Part | Failed]:
    """Look at all of them; states are read in one go, panes some at a time, for each may be large."""
    statuses = look.each(ctx, chosen)
    own = max(LEAST_TOKENS, tokens // len(chosen))
    found: list[Part | Failed] = []
    for start in range(0, len(chosen), _PANES):
        batch = range(start, min(start + _PANES, len(chosen)))
        panes = _panes(ctx, [chosen[index] for index in batch])
        for index, pane in zip(batch, panes, strict=True):
            found.append(_part(ctx, chosen[index], request, own, mask, statuses[index], pane))
    return found


def _panes(ctx: Context, batch: Sequence[Place]) -> list[PaneText | None]:
    """A tmux that cannot be asked leaves what can be read without it."""
    try:
        return pane_text.each(ctx, batch)
    except TmuxUnavailable:
        return [None] * len(batch)


def _part(
    ctx: Context,
    place: Place,
    request: PackRequest,
    tokens: int,
    mask: Mask,
    status: Status,
    pane: PaneText | None,
) -> Part | Failed:
    try:
        seen = pack.see(ctx, place, request, mask, status=status, pane=pane)
    except LisaError as problem:
        return Failed(place.session, mask.text(problem.message))
    draft = pack.draft(seen, request.strategy)
    return Part(seen, draft, sections.fit(draft, tokens))


def combine(parts: Sequence[Part], tokens: int, *, dedupe: bool) -> Combined:
    """Every session gets its even part of the budget, and what one does not need the others have.

    Where there is not even room for all states, the sessions that need somebody most come first.
    """
    removed, drafts = 0, [part.draft for part in parts]
    if dedupe:
        known: dict[str, set[str]] = {}
        cleaned = [sections.without(draft, known) for draft in drafts]
        drafts, removed = [draft for draft, _ in cleaned], sum(count for _, count in cleaned)
    most = tokens * budget.BYTES_PER_TOKEN
    kept = _with_room(parts, drafts, most)
    fitted = _fit([drafts[index] for index in kept], most)
    omitted = tuple(part.seen.session for index, part in enumerate(parts) if index not in kept)
    text = f"\n{RULE}\n".join(one.text for one in fitted)
    return Combined(
        text=text,
        truncated=bool(omitted) or any(one.truncated for one in fitted),
        removed=removed,
        omitted=omitted,
    )


def _between(count: int) -> int:
    return max(0, count - 1) * (len(RULE) + 2)


def _with_room(parts: Sequence[Part], drafts: Sequence[Draft], most: int) -> list[int]:
    """Which sessions have room for their state at least, in their order; one is always there."""
    urgent = sorted(range(len(parts)), key=lambda index: -priority.of(parts[index].seen.session_state)[0])
    kept: list[int] = []
    used = 0
    for index in urgent:
        used += sections.size_of("\n".join(drafts[index].head)) + (_between(2) if kept else 0)
        if kept and used > most:
            break
        kept.append(index)
    return sorted(kept)


def _fit(drafts: Sequence[Draft], most: int) -> list[Fitted]:
    """Every head is whole; what is left is shared evenly."""
    heads = [sections.size_of("\n".join(draft.head)) for draft in drafts]
    wants = [draft.size - head for draft, head in zip(drafts, heads, strict=True)]
    room = max(0, most - sum(heads) - _between(len(drafts)))
    rest = sections.share(room, wants, [1] * len(drafts))
    return [
        sections.fit_bytes(draft, min(most, head + more)) for draft, head, more in zip(drafts, heads, rest, strict=True)
    ]


def difference(before: Snapshot, parts: Sequence[Part | Failed]) -> tuple[Delta, dict[str, Known]]:
    """What came, went or changed since, and what to remember; a session that failed stays as it was known."""
    now = {part.seen.session: part.known for part in parts if isinstance(part, Part)}
    failed = {part.session for part in parts if isinstance(part, Failed)}
    unseen = failed | {part.seen.session for part in parts if isinstance(part, Part) and is_unseen(part.seen)}
    kept = {name: item for name, item in before.items.items() if name in unseen}
    now = {name: item for name, item in now.items() if name not in unseen}
    added = tuple(item for name, item in now.items() if name not in before.items)
    changed = tuple(item for name, item in now.items() if name in before.items and _differs(before.items[name], item))
    removed = tuple(item for name, item in before.items.items() if name not in now and name not in kept)
    count = len(added) + len(removed) + len(changed)
    return Delta(added=added, removed=removed, changed=changed, count=count), {**kept, **now}


def is_unseen(seen: Seen) -> bool:
    """Whether tmux could not be asked."""
    return isinstance(seen.error_code, str) and seen.error_code != "session_not_found"


def _differs(before: Known, now: Known) -> bool:
    if before.digest and now.digest:
        return before.digest != now.digest
    return msgspec.structs.replace(before, digest="", next_offset=0) != msgspec.structs.replace(
        now, digest="", next_offset=0
    )


def missing(parts: Sequence[Part | Failed]) -> int:
    """How many sessions there are not."""
    return sum(isinstance(part, Part) and part.seen.session_state == "not_found" for part in parts)


def code(parts: Sequence[Part | Failed]) -> str | UnsetType:
    return "aggregate_partial_not_found" if missing(parts) else UNSET
