"""Find rows of a pane that echo the prompt, so that it is not taken for output."""

from __future__ import annotations

from collections.abc import Sequence

from lisa_py.terminal import layout
from lisa_py.terminal.layout import Layout, squeeze

_MIN_MATCH = 40
"""Number of characters that identify the beginning of a long prompt."""
_MIN_END = 12
"""Number of characters that identify the end of a prompt whose beginning has scrolled out."""
_SHELL_SIGNS = ("$", "#", "%", ">")
"""Last characters of the text that a shell prints before its input."""


def find_echo_rows(lines: Sequence[str], prompts: Sequence[str], signs: Layout) -> frozenset[int]:
    """Return the rows that repeat a prompt: after every input sign; without a sign, only the first time."""
    found: set[int] = set()
    for prompt in prompts:
        squeezed = squeeze(prompt)
        if squeezed:
            found.update(_find_echoes(lines, squeezed, signs))
            found.update(range(_find_end(lines, squeezed, signs)))
    return frozenset(found)


def _find_echoes(lines: Sequence[str], squeezed: str, signs: Layout) -> set[int]:
    signed: set[int] = set()
    bare: set[int] = set()
    row = 0
    while row < len(lines):
        end = _echo_end(lines, row, squeezed, signs)
        if _is_shell_input(lines[row], squeezed):
            end = row + 1
            signed.add(row)
        elif end > row and (signs.is_input(lines[row]) or lines[row].lstrip()[:1] in (">", "$")):
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
        more = matched + _squeeze_row(lines[end])
        if not squeezed.startswith(more):
            break
        matched, end = more, end + 1
    return end if len(matched) >= min(len(squeezed), _MIN_MATCH) else row


def _squeeze_row(line: str) -> str:
    """Return a further row of wrapped input without white space and box sides."""
    return squeeze(layout.ANSI.sub("", line).strip("│┃ "))


def _is_shell_input(line: str, squeezed: str) -> bool:
    """Return True for a row of a shell that ends with the whole prompt: `user@host:~$ make`."""
    row = squeeze(layout.ANSI.sub("", line))
    return row.endswith(squeezed) and row.removesuffix(squeezed).endswith(_SHELL_SIGNS)


def _find_end(lines: Sequence[str], squeezed: str, signs: Layout) -> int:
    """Return the row after the end of a prompt whose beginning has scrolled out; 0 if there is none."""
    if lines and signs.strip_glyphs(lines[0]) != lines[0].strip():
        return 0  # an input begins here
    matched = ""
    for row, line in enumerate(lines):
        matched += _squeeze_row(line)
        if len(matched) >= len(squeezed) or matched not in squeezed:
            return 0
        if len(matched) >= _MIN_END and squeezed.endswith(matched):
            return row + 1
    return 0
