"""Finds where a pane shows the prompt itself again, so that nobody takes the question for the answer."""

from __future__ import annotations

from collections.abc import Sequence

from lisa_py.core.relay import chrome

_ENOUGH = 40
"""Characters after which the beginning of a long prompt is beyond doubt."""


def squeeze(text: str) -> str:
    """The text without white space: terminals break lines and indent where they like."""
    return "".join(text.split())


def rows(lines: Sequence[str], prompts: Sequence[str]) -> frozenset[int]:
    """Rows that repeat one of the prompts: wherever it stands behind an input sign; without any, the first time."""
    found: set[int] = set()
    for prompt in prompts:
        asked = squeeze(prompt)
        if asked:
            found.update(_echoes(lines, asked))
    return frozenset(found)


def _echoes(lines: Sequence[str], asked: str) -> set[int]:
    signed: set[int] = set()
    bare: set[int] = set()
    row = 0
    while row < len(lines):
        end = _echo_end(lines, row, asked)
        if end > row and (chrome.is_input(lines[row]) or lines[row].lstrip()[:1] in (">", "$")):
            signed.update(range(row, end))
        elif end > row and not bare:
            bare.update(range(row, end))
        row = max(row + 1, end)
    return signed or bare


def _echo_end(lines: Sequence[str], row: int, asked: str) -> int:
    """The row after an echo that begins here; the row itself when there is none."""
    seen = squeeze(chrome.without_glyph(lines[row]))
    if not seen or not asked.startswith(seen):
        return row
    end = row + 1
    while len(seen) < len(asked) and end < len(lines):
        more = seen + squeeze(chrome.ANSI.sub("", lines[end]).strip("│┃ "))
        if not asked.startswith(more):
            break
        seen, end = more, end + 1
    return end if len(seen) >= min(len(asked), _ENOUGH) else row
