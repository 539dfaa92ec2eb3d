"""Find rows of a pane that echo the prompt, so that it is not taken for output."""

from __future__ import annotations

from collections.abc import Sequence

from lisa_py.terminal import layout
from lisa_py.terminal.layout import Layout, squeeze

_MIN_MATCH = 40
"""Number of characters that identify the beginning of a long prompt."""


def find_echo_rows(lines: Sequence[str], prompts: Sequence[str], signs: Layout) -> frozenset[int]:
    """Return the rows that repeat a prompt: after every input sign; without a sign, only the first time."""
    found: set[int] = set()
    for prompt in prompts:
        squeezed = squeeze(prompt)
        if squeezed:
            found.update(_find_echoes(lines, squeezed, signs))
    return frozenset(found)


def _find_echoes(lines: Sequence[str], squeezed: str, signs: Layout) -> set[int]:
    signed: set[int] = set()
    bare: set[int] = set()
    row = 0
    while row < len(lines):
        end = _echo_end(lines, row, squeezed, signs)
        if end > row and (signs.is_input(lines[row]) or lines[row].lstrip()[:1] in (">", "$")):
            signed.update(range(row, end))
        elif end > row and not bare:
            bare.update(range(row, end))
        row = max(row + 1, end)
    return signed or bare


def _echo_end(lines: Sequence[str], row: int, squeezed: str, signs: Layout) -> int:
    """Return the row after an echo that begins here; the row itself if there is none."""
    matched = squeeze(signs.strip_glyphs(lines[row]))
    if not matched or not squeezed.startswith(matched):
        return row
    end = row + 1
    while len(matched) < len(squeezed) and end < len(lines):
        more = matched + squeeze(layout.ANSI.sub("", lines[end]).strip("│┃ "))
        if not squeezed.startswith(more):
            break
        matched, end = more, end + 1
    return end if len(matched) >= min(len(squeezed), _MIN_MATCH) else row
