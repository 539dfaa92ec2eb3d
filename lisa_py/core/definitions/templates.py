"""Fill templates of a definition from the data of an event: `{{ .a.b }}` and paths into the event."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lisa_py.contract import jsontext

_PLACEHOLDER = re.compile(r"\{\{-?\s*(?P<path>\.[^\s{}|]*|\.)\s*-?\}\}")
_PATH_PART = re.compile(r"(?:\\.|[^.\\])+")
WHOLE = "@this"
MISSING = object()
"""Result of a path that the event does not have."""


def find_value(event: Any, path: str) -> Any:
    """Return the value under a dotted path (`a.b`, `a.0`, `a\\.b`, `@this`), or MISSING."""
    value = event
    if path in (WHOLE, ""):
        return value
    for part in _split_path(path.removeprefix(f"{WHOLE}.")):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value


def _split_path(path: str) -> Iterator[str]:
    return (re.sub(r"\\(.)", r"\1", part) for part in _PATH_PART.findall(path))


def render_text(text: str, values: Any, missing: Callable[[str], None]) -> str:
    """Return the text with its placeholders filled; one without a value stays, and `missing` is called with it."""

    def fill(match: re.Match[str]) -> str:
        found = find_value(values, match["path"].lstrip("."))
        if found is MISSING:
            missing(match[0])
            return match[0]
        return format_value(found)

    return _PLACEHOLDER.sub(fill, text)


def format_value(value: Any) -> str:
    """Return a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else jsontext.encode(value).decode()


def extract_data(paths: Mapping[str, str], event: Any, missing: Callable[[str], None]) -> dict[str, Any]:
    """Return the named values of an event; a value of `paths` is a path or a template."""
    found = {}
    for name, path in paths.items():
        if "{{" in path:
            whole = _PLACEHOLDER.fullmatch(path.strip())
            value = find_value(event, whole["path"].lstrip(".")) if whole else render_text(path, event, missing)
        else:
            value = find_value(event, path)
        if value is MISSING:
            missing(f"{name}: {path}")
        else:
            found[name] = value
    return found


def format_block(data: Mapping[str, Any]) -> str:
    """Return the text that appends the data of an event to a prompt; empty for no data."""
    if not data:
        return ""
    import yaml  # noqa: PLC0415 - 25 ms

    shown = yaml.safe_dump(dict(data), default_flow_style=False).rstrip("\n")
    return f"\n\nEvent data:\n```yaml\n{shown}\n```"
