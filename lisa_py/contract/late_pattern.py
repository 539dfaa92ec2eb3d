"""Regular expressions that are compiled at their first use: a call uses few of those that its modules name."""

from __future__ import annotations

import re
from typing import Any, cast


class LatePattern:
    """Stand-in for a compiled pattern: its attributes are those of the pattern, compiled for the first of them."""

    def __init__(self, text: str, flags: int) -> None:
        self._text = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(self._text, self._flags), name)  # `re` keeps what it has compiled
        setattr(self, name, value)
        return value


def compile_late(text: str, flags: int = 0) -> re.Pattern[str]:
    """Return a pattern for its methods; functions of `re` do not take it."""
    return cast("re.Pattern[str]", LatePattern(text, flags))
