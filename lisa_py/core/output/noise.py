"""Remove start-up lines from pane text: only above the first answer, only lines that an agent knows, always counted."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.terminal import layout
from lisa_py.terminal.layout import Layout, squeeze


class NoiseFilter(Struct, frozen=True):
    """The remaining lines, and the number of removed ones."""

    keep: tuple[bool, ...]
    removed: int

    def apply(self, lines: Sequence[str], start: int = 0) -> list[str]:
        """Return the remaining lines from a row on."""
        return [line for line, stays in zip(lines[start:], self.keep[start:], strict=False) if stays]


def keep_all(lines: Sequence[str]) -> NoiseFilter:
    return NoiseFilter((True,) * len(lines), 0)


def remove_marks(lines: Sequence[str], found: NoiseFilter) -> NoiseFilter:
    """Return the filter without the supervisor's own lines, wherever they are; they do not count as noise."""
    keep = tuple(stays and not layout.is_mark(line) for line, stays in zip(lines, found.keep, strict=True))
    return NoiseFilter(keep, found.removed)


def remove_rulers(lines: Sequence[str], found: NoiseFilter) -> NoiseFilter:
    """Return the filter without rulers: around an open dialog they take most of the characters."""
    keep = tuple(stays and not layout.is_ruler(line) for line, stays in zip(lines, found.keep, strict=True))
    return NoiseFilter(keep, found.removed)


def filter_noise(
    lines: Sequence[str], drawing: Sequence[Agent], *, prompt: str = "", startup: bool = True
) -> NoiseFilter:
    """Filter the lines of a pane from its first line on; without `startup` only banners and update notices go.

    `drawing` are the agents that may have drawn the pane. Nothing is removed after the first possible answer.
    """
    keep = [True] * len(lines)
    squeezed_prompt = squeeze(prompt)
    signs = agents.merge_layouts(drawing)
    row = 0
    while row < len(lines):
        end = max(agent.banner_end(lines, row) for agent in drawing)
        if startup and lines[row].strip():
            end = max(end, *(agent.startup_end(lines, row) for agent in drawing))
        if end > row:
            keep[row:end] = [False] * (end - row)
            row = end
        elif _is_kept_startup_line(lines[row], squeezed_prompt, drawing, signs):
            row += 1
        else:
            break
    return NoiseFilter(tuple(keep), keep.count(False))


def _is_kept_startup_line(line: str, squeezed_prompt: str, drawing: Sequence[Agent], signs: Layout) -> bool:
    """Return True if a remaining line belongs to the start: empty, a marker, a header, or the echoed prompt."""
    text = layout.ANSI.sub("", line).strip()
    if not text or layout.is_mark(text) or signs.is_input(text) or layout.is_ruler(text):
        return True
    if any(agent.is_header(text) for agent in drawing):
        return True
    return bool(squeezed_prompt) and squeeze(text) in squeezed_prompt
