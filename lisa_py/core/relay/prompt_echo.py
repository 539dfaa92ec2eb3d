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
    """Rows that repeat one of the prompts: behind an input sign wherever it stands, else the first time only."""
    found: set[int] = set()
    for prompt in prompts:
        asked = squeeze(prompt)
        if asked:
            found.update(_echoes(lines, asked))
    return frozenset(found)


def _echoes(lines: Sequence[str], asked: str) -> set[int]:
    found: set[int] = set()
    bare_seen = False
    row = 0
    while row < len(lines):
        end = _echo_end(lines, row, asked)
        signed = chrome.is_input(lines[row]) or lines[row].lstrip()[:1] in (">", "$")
        if end > row and (signed or not bare_seen):
            found.update(range(row, end))
            bare_seen = bare_seen or not signed
            row = end
        else:
            row += 1
    return found


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
