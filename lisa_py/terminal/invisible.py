"""Characters of which a screen shows nothing, and which some agents take out of what they are given."""

from __future__ import annotations

import re

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e0fff]"
)
"""Joiners, marks of direction, variation selectors, tags: what Unicode lets a program ignore."""


def strip_invisible(text: str) -> str:
    """The text as far as it can be seen."""
    return text if text.isascii() else _INVISIBLE.sub("", text)
