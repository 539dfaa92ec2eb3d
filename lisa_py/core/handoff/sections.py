"""Lay out a pack in sections and fit it into a token budget.

The state lines stay whole; each section is cut at its less important end, and the newest output, the objective and
the memory keep their own shares.

"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from lisa_py.core.output import token_budget

MIN_BYTES = 24
"""Bytes below which a cut section is omitted."""


class Section(Struct, frozen=True, kw_only=True):
    """One part of a pack below its head."""

    name: str
    lines: tuple[str, ...]
    weight: int
    """Its share of the budget if not all sections fit."""
    keep: str = "end"
    """End that stays when it is cut: end or start."""
    whole: bool = False
    """Lines are kept or dropped whole."""

    @property
    def min_bytes(self) -> int:
        """Bytes of body below which the section is omitted."""
        line = (self.lines[-1] if self.keep == "end" else self.lines[0]) if self.lines else ""
        return size_of(line) if self.whole else MIN_BYTES

    @property
    def text(self) -> str:
        return "\n".join((f"{self.name}:", *self.lines))


class PackDraft(Struct, frozen=True):
    """A pack before it is cut."""

    head: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def text(self) -> str:
        return "\n".join(("\n".join(self.head), *(section.text for section in self.sections)))

    @property
    def size(self) -> int:
        return size_of(self.text)


class FittedPack(Struct, frozen=True):
    text: str
    cut: tuple[str, ...]
    """Names of the sections that were cut; `state` for the head."""

    @property
    def truncated(self) -> bool:
        return bool(self.cut)


def size_of(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def share_space(space: int, wants: Sequence[int], weights: Sequence[int]) -> list[int]:
    """Distribute the budget: no section gets more than it needs, unused shares go to the others by weight."""
    shares = [0] * len(wants)
    waiting = set(range(len(wants)))
    while waiting:
        total = sum(weights[index] for index in waiting)
        satisfied = {index for index in waiting if wants[index] <= space * weights[index] // total}
        if not satisfied:
            for index in waiting:
                shares[index] = space * weights[index] // total
            break
        for index in satisfied:
            shares[index] = wants[index]
        space -= sum(wants[index] for index in satisfied)
        waiting -= satisfied
    return shares


def fit(draft: PackDraft, tokens: int) -> FittedPack:
    """Return the pack in at most `tokens` times four bytes."""
    return fit_bytes(draft, tokens * token_budget.BYTES_PER_TOKEN)


def fit_bytes(draft: PackDraft, max_bytes: int) -> FittedPack:
    if draft.size <= max_bytes:
        return FittedPack(draft.text, ())
    head = "\n".join(draft.head)
    names = tuple(section.name for section in draft.sections)
    if size_of(head) > max_bytes:
        return FittedPack(keep_oldest(head, max_bytes), ("state", *names))
    spaces = _allocate(draft.sections, max_bytes - size_of(head))
    parts, cut = [head], []
    for section, space in zip(draft.sections, spaces, strict=True):
        text = _cut(section, space)
        parts += [text] if text else []
        cut += [section.name] if text != section.text else []
    return FittedPack("\n".join(parts), tuple(cut))


def _allocate(sections: Sequence[Section], space: int) -> list[int]:
    """Return the bytes of each section with its line feed; 0 for sections too small to be useful."""
    wants = [size_of(section.text) + 1 for section in sections]
    weights = [section.weight for section in sections]
    while True:
        shares = share_space(space, wants, weights)
        poor = [
            index
            for index, section in enumerate(sections)
            if wants[index] > 0 and shares[index] < min(wants[index], size_of(section.name) + 3 + section.min_bytes)
        ]
        if not poor:
            return shares
        wants[min(poor, key=lambda index: (weights[index], index))] = 0


def _cut(section: Section, space: int) -> str:
    """Return the section within its share; empty if it has none."""
    if space <= 0:
        return ""
    if size_of(section.text) < space:
        return section.text
    heading = f"{section.name}:\n"
    left = space - 1 - size_of(heading)
    if section.whole:
        return heading + "\n".join(_fit_lines(section, left))
    body = "\n".join(section.lines)
    text, _ = token_budget.keep_newest(body, left) if section.keep == "end" else (keep_oldest(body, left), True)
    return heading + text


def _fit_lines(section: Section, space: int) -> list[str]:
    """Return as many whole lines as fit, from the end that stays."""
    kept: list[str] = []
    for line in section.lines[::-1] if section.keep == "end" else section.lines:
        space -= size_of(line) + bool(kept)
        if space < 0:
            break
        kept.append(line)
    return kept[::-1] if section.keep == "end" else kept


def keep_oldest(text: str, max_bytes: int) -> str:
    """Return at most `max_bytes` of the text, from its beginning; a cut is marked."""
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= max_bytes:
        return text
    space = max_bytes - len(token_budget.ELLIPSIS)
    kept = raw[: space if space > 0 else max(0, max_bytes)].decode("utf-8", "ignore")
    return kept + token_budget.ELLIPSIS if space > 0 else kept


def remove_known_lines(draft: PackDraft, known: dict[str, set[str]]) -> tuple[PackDraft, int]:
    """Return the draft without lines that an earlier draft has in the same section, and their number.

    Heads stay, because they identify the session; so do repeats within a section. `known` is updated.
    """
    kept, removed = [], 0
    for section in draft.sections:
        before = known.setdefault(section.name, set())
        lines = tuple(line for line in section.lines if not line.strip() or _key(line) not in before)
        removed += len(section.lines) - len(lines)
        before.update(_key(line) for line in section.lines)
        if any(line.strip() for line in lines):
            kept.append(msgspec.structs.replace(section, lines=lines))
    return PackDraft(draft.head, tuple(kept)), removed


def _key(line: str) -> str:
    return line.strip().casefold()
