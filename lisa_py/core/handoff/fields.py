"""Select fields of a payload by dotted paths, and compare two payloads field by field."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import UsageError


def parse(csv: str) -> tuple[str, ...]:
    """Return the paths of `--fields a,b.c`; empty if the value is blank.

    Raise UsageError(invalid_fields).
    """
    if not csv.strip():
        return ()
    paths = tuple(dict.fromkeys(path.strip() for path in csv.split(",") if path.strip()))
    if not paths:
        raise UsageError("invalid_fields", "invalid --fields: expected comma-separated field paths")
    for path in paths:
        if not all(part.strip() for part in path.split(".")):
            raise UsageError("invalid_fields", f'invalid --fields: empty path segment in "{path}"')
    return paths


def project(payload: dict[str, Any], paths: tuple[str, ...]) -> dict[str, Any]:
    """Return the parts selected by the paths; an unknown path adds nothing."""
    found: dict[str, Any] = {}
    for path in paths:
        parts = path.split(".")
        value = _walk(payload, parts)
        if value is UNSET:
            continue
        level = found
        for part in parts[:-1]:
            level = level.setdefault(part, {})
            if not isinstance(level, dict):
                break
        else:
            level[parts[-1]] = value
    return found


def _walk(payload: Any, parts: list[str]) -> Any:
    for part in parts:
        if not isinstance(payload, dict) or part not in payload:
            return UNSET
        payload = payload[part]
    return payload


def flatten(payload: dict[str, Any], head: str = "") -> dict[str, Any]:
    """Return dotted paths to leaves; arrays are leaves."""
    flat: dict[str, Any] = {}
    for key, value in payload.items():
        path = f"{head}.{key}" if head else key
        if isinstance(value, dict) and value:
            flat |= flatten(value, path)
        else:
            flat[path] = value
    return flat


class FieldChange(Struct, frozen=True, kw_only=True):
    """One added, removed or changed field."""

    field: str
    before: Any | UnsetType = UNSET
    after: Any | UnsetType = UNSET


class FieldDifference(Struct, frozen=True, kw_only=True):
    added: tuple[FieldChange, ...]
    removed: tuple[FieldChange, ...]
    changed: tuple[FieldChange, ...]
    count: int


def compare(before: dict[str, Any], after: dict[str, Any]) -> FieldDifference:
    """Return the changes between two flattened payloads, each list sorted by field."""
    added = [FieldChange(field=name, after=after[name]) for name in sorted(after.keys() - before.keys())]
    removed = [FieldChange(field=name, before=before[name]) for name in sorted(before.keys() - after.keys())]
    changed = [
        FieldChange(field=name, before=before[name], after=after[name])
        for name in sorted(before.keys() & after.keys())
        if before[name] != after[name]
    ]
    return FieldDifference(
        added=tuple(added),
        removed=tuple(removed),
        changed=tuple(changed),
        count=len(added) + len(removed) + len(changed),
    )
