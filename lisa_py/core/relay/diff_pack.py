"""What is new in a session's pack since it was last asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.core.context import Context
from lisa_py.core.relay import pack, semantic
from lisa_py.host import files
from lisa_py.store import cursors, pack_cursors
from lisa_py.store.places import Place


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
    now, recovered = ctx.clock.now(), False
    try:
        known = pack_cursors.read_pack(path)
    except UsageError:
        if not reset or files.is_dir(path):
            raise
        files.set_aside(path, now)
        known, recovered = "", True
    meaning = None
    if semantic_only:
        beside = cursors.semantic_path(path)
        try:
            meaning = cursors.read_semantic(beside).lines
        except LisaError:
            if not reset or files.is_dir(beside):
                raise
            files.set_aside(beside, now)
            meaning, recovered = (), True
    return Baseline(path=path, pack=known, meaning=meaning, recovered=recovered, owned=not cursor_file)


def save(ctx: Context, base: Baseline, made: str, meaning: Sequence[str]) -> None:
    """Remember what is given now. Raises LisaError(cursor_file_write_failed | semantic_cursor_write_failed)."""
    pack_cursors.write_pack(base.path, made)
    if base.meaning is not None:
        cursors.write_semantic(cursors.semantic_path(base.path), tuple(meaning), ctx.clock.now())


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
