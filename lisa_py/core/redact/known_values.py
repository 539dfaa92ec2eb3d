"""Mask values that are known to be secrets, wherever they occur in a text."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

import msgspec

from lisa_py.contract.session_settings import HIDDEN_VALUE

SHORTEST = 6
"""Characters; a shorter value occurs in ordinary text."""
SHORTEST_LINE = 16
"""Characters of a line of a longer secret that is masked on its own."""
LONGEST_UNBROKEN = 40
"""Characters; a longer value may be broken at the edge of a pane."""


def mask_values(text: str, values: Iterable[str]) -> str:
    """Return the text without the values, also where they are escaped as in JSON; the number of lines stays."""
    for form in _list_forms(tuple(values)):
        if form[:4] not in text:
            continue
        text = text.replace(form, HIDDEN_VALUE + "\n" * form.count("\n"))
        if len(form) > LONGEST_UNBROKEN and "\n" not in form:
            text = _mask_broken(text, form)
    return text


def _mask_broken(text: str, value: str) -> str:
    """Mask the value where it is continued on the next line."""
    pattern = r"(?:[ \t]*\n[ \t]*)?".join(map(re.escape, value))
    return re.sub(pattern, lambda match: HIDDEN_VALUE + "\n" * match[0].count("\n"), text)


@functools.lru_cache(maxsize=16)  # a feed masks every text of every frame with the same values
def _list_forms(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the texts that show a value, the longest first."""
    forms: set[str] = set()
    for value in values:
        lines = [line.strip() for line in value.splitlines()] if "\n" in value.strip() else []
        parts = [value.strip(), *(line for line in lines if len(line) >= SHORTEST_LINE)]
        forms.update(part for part in parts if len(part) >= SHORTEST)
    for form in list(forms):
        forms.add(msgspec.json.encode(form.encode("utf-8", "replace").decode())[1:-1].decode())
    return tuple(sorted(forms, key=len, reverse=True))
