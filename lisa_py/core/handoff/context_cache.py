"""Store meaningful lines under a key: from sessions, packs, captures and plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from lisa_py import agents
from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.core.context import Context
from lisa_py.core.handoff import session_memory
from lisa_py.core.inputs import InputError, Inputs
from lisa_py.core.output import semantic
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import context_cache
from lisa_py.store.context_cache import ContextCacheRecord
from lisa_py.store.paths import Project, SessionRef

_TEXT_KEYS = ("pack", "combinedPack", "capture", "summary")
"""Fields of answers of other commands that hold text."""


class CacheEntry(Struct, frozen=True, kw_only=True):
    """Content of a key after a command."""

    record: ContextCacheRecord | None
    existed: bool
    """True if the key existed before."""
    recovered: bool = False


def list_records(ctx: Context, project: Project) -> list[ContextCacheRecord]:
    """Return all live records by key. Raise LisaError(context_cache_read_failed)."""
    cache = context_cache.registry(project).read()
    cache.drop_expired(ctx.clock.now())
    return [cache.items[key] for key in sorted(cache.items)]


def get(ctx: Context, project: Project, key: str) -> CacheEntry:
    """Return the record of a key. Raise LisaError(context_cache_read_failed)."""
    found = {record.key: record for record in list_records(ctx, project)}.get(key)
    return CacheEntry(record=found, existed=found is not None)


def remove(ctx: Context, project: Project, key: str) -> CacheEntry:
    now = ctx.clock.now()
    with context_cache.registry(project).change(ctx.settings, now) as opened:
        opened.content.drop_expired(now)
        existed = opened.content.items.pop(key, None) is not None
        opened.content.updated_at = format_rfc3339(now)
    return CacheEntry(record=None, existed=existed, recovered=bool(opened.recovered))


def add(
    ctx: Context, project: Project, key: str, lines: Sequence[str], *, session: str, ttl_hours: int, max_lines: int
) -> CacheEntry:
    """Append new lines to those of the key; each line once, the newest `max_lines`."""
    now = ctx.clock.now()
    with context_cache.registry(project).change(ctx.settings, now) as opened:
        opened.content.drop_expired(now)
        before = opened.content.items.get(key)
        known = before or ContextCacheRecord(key=key)
        record = ContextCacheRecord(
            key=key,
            updated_at=format_rfc3339(now),
            expires_at=format_rfc3339(now + ttl_hours * 3600),
            sessions=tuple(sorted({*known.sessions, session} - {""})),
            lines=tuple(dict.fromkeys((*known.lines, *lines)))[-max_lines:],
        )
        opened.content.items[key] = record
        opened.content.updated_at = record.updated_at
    return CacheEntry(record=record, existed=before is not None, recovered=bool(opened.recovered))


def read_session_lines(ctx: Context, ref: SessionRef) -> tuple[str, ...]:
    """Return the current lines of the session without changing its memory. Raise
    LisaError(context_cache_refresh_failed)."""
    try:
        return session_memory.read_shown_lines(ctx, ref).lines
    except TmuxUnavailable as problem:
        raise LisaError("context_cache_refresh_failed", problem.message, session=ref.session) from problem


def read_input_lines(inputs: Inputs, path: str) -> tuple[str, ...]:
    """Return the lines of a file or pipe. Raise LisaError(invalid_from)."""
    try:
        return parse_lines(inputs.read_text(path))
    except InputError as problem:
        raise LisaError("invalid_from", f"invalid --from: {problem}") from problem


def parse_lines(text: str) -> tuple[str, ...]:
    """Return the `lines` and text of a JSON object, the strings of a JSON list, or the meaningful lines of a text."""
    try:
        found: Any = jsontext.decode(text)
    except msgspec.DecodeError:
        return _extract_lines(text)
    if isinstance(found, dict):
        listed = found.get("lines")
        texts = [_to_text(item) for item in listed] if isinstance(listed, list) else []
        prose = [line for key in _TEXT_KEYS if isinstance(found.get(key), str) for line in _extract_lines(found[key])]
        return _deduplicate([*texts, *prose])
    if isinstance(found, list):
        return _deduplicate([_to_text(item) for item in found])
    return _extract_lines(text)


def _extract_lines(text: str) -> tuple[str, ...]:
    return tuple(semantic.extract_lines(text, agents.layout_of()))


def _to_text(value: object) -> str:
    return value.strip() if isinstance(value, str) else msgspec.json.encode(value).decode()


def _deduplicate(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for line in lines if line))
