"""Compare the pack of a session with the last one given to the reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.core.context import Context
from lisa_py.core.handoff import pack, sections
from lisa_py.core.handoff.pack import PackFacts, PackRequest
from lisa_py.core.output import semantic
from lisa_py.core.redact.redactor import Mask
from lisa_py.store import cursors, pack_cursors
from lisa_py.store.paths import SessionRef


class DiffRequest(Struct, frozen=True, kw_only=True):
    """Session and comparison options."""

    strategy: str
    events: int
    lines: int
    token_budget: int
    semantic_only: bool = False
    """Compare meaningful lines only."""


class PackDiff(Answer):
    """Changes in the pack of a session since the last one."""

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


class PackComparison(Struct, frozen=True, kw_only=True):
    """Comparison with the last pack, and its input."""

    diff: PackDiff
    facts: PackFacts
    text: str
    semantic_lines: tuple[str, ...]
    """Its meaningful lines; empty unless only they are compared."""


class LineChanges(Struct, frozen=True):
    """Line difference of two packs."""

    changed: bool
    added: tuple[str, ...]
    removed: tuple[str, ...]


class PackBaseline(Struct, frozen=True, kw_only=True):
    """Last state that the reader received."""

    path: str
    pack: str
    semantic_lines: tuple[str, ...] | None
    """The meaningful lines; None unless only they are compared."""
    recovered: bool = False
    """True if an unreadable file was moved aside."""
    owned: bool = False
    """True if the cursor file is in the session folder, which is not created for it."""


def read_baseline(ctx: Context, ref: SessionRef, cursor_file: str, *, semantic_only: bool, reset: bool) -> PackBaseline:
    """Load the baseline. Raise UsageError(invalid_cursor_file), LisaError(semantic_cursor_read_failed)."""
    path = cursors.resolve_path(cursor_file) if cursor_file else pack_cursors.default_pack_path(ref)
    now = ctx.clock.now()
    known = cursors.read_or_set_aside(pack_cursors.read_pack, path, reset, now)
    recovered = known is None
    semantic_lines = None
    if semantic_only:
        lines = cursors.read_or_set_aside(cursors.read_semantic, cursors.semantic_path(path), reset, now)
        semantic_lines, recovered = lines.lines if lines else (), recovered or lines is None
    return PackBaseline(
        path=path, pack=known or "", semantic_lines=semantic_lines, recovered=recovered, owned=not cursor_file
    )


def build_diff(ctx: Context, ref: SessionRef, request: DiffRequest, base: PackBaseline, mask: Mask) -> PackComparison:
    """Read the session and compare; `save` stores the new baseline."""
    pack_request = PackRequest(strategy=request.strategy, events=request.events, lines=request.lines)
    facts = pack.collect_facts(ctx, ref, pack_request, mask)
    fitted = sections.fit(pack.build_draft(facts, request.strategy, with_context=False), request.token_budget)
    semantic_only = request.semantic_only
    semantic_lines = extract_semantic_lines(fitted.text) if semantic_only else ()
    change = (
        compare_semantic(base.semantic_lines or (), semantic_lines)
        if semantic_only
        else compare(base.pack, fitted.text)
    )
    diff = PackDiff(
        session=facts.session,
        status=facts.status,
        session_state=facts.session_state,
        next_action=facts.next_action,
        next_offset=facts.tail.next_offset,
        changed=change.changed,
        added_lines=change.added,
        removed_lines=change.removed,
        cursor_file=mask.mask_text(base.path),
        semantic_only=semantic_only,
        strategy=request.strategy,
        token_budget=request.token_budget,
        truncated=fitted.truncated,
        semantic_cursor_file=mask.mask_text(cursors.semantic_path(base.path)) if semantic_only else UNSET,
        semantic_line_count=len(semantic_lines) if semantic_only else UNSET,
        waiting_for=facts.waiting_for or UNSET,
        error_code=facts.error_code,
    )
    return PackComparison(diff=diff, facts=facts, text=fitted.text, semantic_lines=semantic_lines)


def save(ctx: Context, base: PackBaseline, pack_text: str, semantic_lines: Sequence[str]) -> None:
    """Store the new baseline. Raise LisaError(cursor_file_write_failed | semantic_cursor_write_failed)."""
    ctx.commit_after_output(pack_cursors.stage_pack(base.path, pack_text))
    if base.semantic_lines is not None:
        ctx.commit_after_output(
            cursors.stage_semantic(cursors.semantic_path(base.path), tuple(semantic_lines), ctx.clock.now())
        )


def compare(before: str, after: str) -> LineChanges:
    """Compare trimmed lines, with repeats; ages in a full pack do not count."""
    old, new = _trimmed_lines(before), _trimmed_lines(after)
    added, removed = Counter(new) - Counter(old), Counter(old) - Counter(new)
    return LineChanges(old != new, tuple(sorted(added.elements())), tuple(sorted(removed.elements())))


def _trimmed_lines(text: str) -> list[str]:
    return [pack.drop_line_ages(line.strip()) for line in text.split("\n") if line.strip()]


def extract_semantic_lines(pack_text: str) -> tuple[str, ...]:
    """Return the meaningful lines of a pack."""
    text = "\n".join(pack.drop_line_ages(line) for line in pack_text.split("\n"))
    return tuple(semantic.extract_lines(text, agents.layout_of()))


def compare_semantic(before: Sequence[str], after: Sequence[str]) -> LineChanges:
    """Compare meaningful lines: times, durations and order do not count."""
    added, removed = semantic.find_new(after, before), semantic.find_new(before, after)
    return LineChanges(bool(added or removed), tuple(sorted(added)), tuple(sorted(removed)))
