"""What is new in a session's pack since it was last asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py.core.context import Context
from lisa_py.core.relay import pack, sections, semantic
from lisa_py.core.relay.masking import Mask
from lisa_py.core.relay.pack import PackRequest, Seen
from lisa_py.store import cursors, pack_cursors
from lisa_py.store.places import Place


class DiffRequest(Struct, frozen=True, kw_only=True):
    """Which pack, and what of it counts."""

    strategy: str
    events: int
    lines: int
    token_budget: int
    semantic_only: bool = False
    """Only lines that mean something."""


class Diff(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is new in a session's pack since the last one."""

    session: str
    status: str
    session_state: str
    next_action: str
    next_offset: int
    changed: bool
    added_lines: tuple[str, ...]
    removed_lines: tuple[str, ...]
    cursor_file: str
    semantic_only: bool
    strategy: str
    token_budget: int
    truncated: bool
    semantic_cursor_file: str | UnsetType = UNSET
    semantic_line_count: int | UnsetType = UNSET
    waiting_for: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


class Made(Struct, frozen=True, kw_only=True):
    """The diff, and what it was made of."""

    diff: Diff
    seen: Seen
    text: str
    """The pack."""
    meaning: tuple[str, ...]
    """Its meaningful lines; none unless only they are compared."""


class Change(Struct, frozen=True):
    """How two packs differ, line by line."""

    changed: bool
    added: tuple[str, ...]
    removed: tuple[str, ...]


class Baseline(Struct, frozen=True, kw_only=True):
    """What the reader was given last."""

    path: str
    """The cursor file."""
    pack: str
    meaning: tuple[str, ...] | None
    """The meaningful lines; None unless only they are compared."""
    recovered: bool = False
    """An unreadable file was set aside."""
    owned: bool = False
    """It lies in the session's folder, which is not made for it."""


def baseline(ctx: Context, place: Place, cursor_file: str, *, semantic_only: bool, reset: bool) -> Baseline:
    """Raises UsageError(invalid_cursor_file), LisaError(semantic_cursor_read_failed)."""
    path = cursors.located(cursor_file) if cursor_file else pack_cursors.default_pack(place)
    now = ctx.clock.now()
    known = cursors.or_reset(pack_cursors.read_pack, path, reset, now)
    recovered = known is None
    meaning = None
    if semantic_only:
        lines = cursors.or_reset(cursors.read_semantic, cursors.semantic_path(path), reset, now)
        meaning, recovered = lines.lines if lines else (), recovered or lines is None
    return Baseline(path=path, pack=known or "", meaning=meaning, recovered=recovered, owned=not cursor_file)


def make(ctx: Context, place: Place, request: DiffRequest, known: Baseline, mask: Mask) -> Made:
    """Look at the session and compare; nothing is remembered, `save` does that."""
    wanted = PackRequest(strategy=request.strategy, events=request.events, lines=request.lines)
    seen = pack.see(ctx, place, wanted, mask)
    fitted = sections.fit(pack.draft(seen, request.strategy, given=False), request.token_budget)
    meant = request.semantic_only
    meaning = meaning_of(fitted.text) if meant else ()
    change = compare_meaning(known.meaning or (), meaning) if meant else compare(known.pack, fitted.text)
    diff = Diff(
        session=seen.session,
        status=seen.status,
        session_state=seen.session_state,
        next_action=seen.next_action,
        next_offset=seen.tail.next_offset,
        changed=change.changed,
        added_lines=change.added,
        removed_lines=change.removed,
        cursor_file=mask.text(known.path),
        semantic_only=meant,
        strategy=request.strategy,
        token_budget=request.token_budget,
        truncated=fitted.truncated,
        semantic_cursor_file=mask.text(cursors.semantic_path(known.path)) if meant else UNSET,
        semantic_line_count=len(meaning) if meant else UNSET,
        waiting_for=seen.waiting_for or UNSET,
        error_code=seen.error_code,
    )
    return Made(diff=diff, seen=seen, text=fitted.text, meaning=meaning)


def save(ctx: Context, base: Baseline, made: str, meaning: Sequence[str]) -> None:
    """Remember what is given now. Raises LisaError(cursor_file_write_failed | semantic_cursor_write_failed)."""
    ctx.once_told(pack_cursors.stage_pack(base.path, made))
    if base.meaning is not None:
        ctx.once_told(cursors.stage_semantic(cursors.semantic_path(base.path), tuple(meaning), ctx.clock.now()))


def compare(before: str, after: str) -> Change:
    """By trimmed lines, one that came once more is new too; the ages in a full pack do not count."""
    old, new = _lines(before), _lines(after)
    added, removed = Counter(new) - Counter(old), Counter(old) - Counter(new)
    return Change(old != new, tuple(sorted(added.elements())), tuple(sorted(removed.elements())))


def _lines(text: str) -> list[str]:
    return [pack.settled(line.strip()) for line in text.split("\n") if line.strip()]


def meaning_of(made: str) -> tuple[str, ...]:
    """The lines of a pack that mean something."""
    return tuple(semantic.lines_of("\n".join(pack.settled(line) for line in made.split("\n"))))


def compare_meaning(before: Sequence[str], after: Sequence[str]) -> Change:
    """As compare, for meaningful lines: times, durations and the order of lines do not count."""
    added, removed = semantic.new(after, before), semantic.new(before, after)
    return Change(bool(added or removed), tuple(sorted(added)), tuple(sorted(removed)))
