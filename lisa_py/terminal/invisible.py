"""Characters without a visible form, which some agents remove from their input."""

from __future__ import annotations

from lisa_py.contract.late_pattern import compile_late

_INVISIBLE = compile_late(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e0fff]"
)
"""Joiners, direction marks, variation selectors, tags: default-ignorable in Unicode."""


def strip_invisible(text: str) -> str:
    """Return the visible part of the text."""
    return text if text.isascii() else _INVISIBLE.sub("", text)
