"""Lays a pack out in sections and fits it into a token budget.

What a session is stays whole; each section is cut at the end where it is least missed, and the newest output, the
objective and the memory never give way to one another.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from lisa_py.core.relay import budget

LEAST = 24
"""Bytes below which a cut section says nothing and is left out."""


class Section(Struct, frozen=True, kw_only=True):
    """One part of a pack below its head."""

    name: str
    lines: tuple[str, ...]
    weight: int
    """Its part of the room when there is not enough for all."""
    keep: str = "end"
    """Which end stays when it is cut: end or start."""
    whole: bool = False
    """Lines stay or go, but are never cut themselves."""

    @property
    def least(self) -> int:
        """Bytes of body below which it says nothing."""
        line = (self.lines[-1] if self.keep == "end" else self.lines[0]) if self.lines else ""
        return size_of(line) if self.whole else LEAST

    @property
    def text(self) -> str:
        return "\n".join((f"{self.name}:", *self.lines))


class Draft(Struct, frozen=True):
    """A pack before it is cut."""

    head: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def text(self) -> str:
        return "\n".join(("\n".join(self.head), *(section.text for section in self.sections)))

    @property
    def size(self) -> int:
        return size_of(self.text)


class Fitted(Struct, frozen=True):
    text: str
    cut: tuple[str, ...]
    """Names of the sections that lost something; `state` for the head."""

    @property
    def truncated(self) -> bool:
        return bool(self.cut)


def size_of(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def share(room: int, wants: Sequence[int], weights: Sequence[int]) -> list[int]:
    """Who gets how much: nobody more than they want, and what one does not want the others have by their weights."""
    given = [0] * len(wants)
    waiting = set(range(len(wants)))
    while waiting:
        total = sum(weights[index] for index in waiting)
        content = {index for index in waiting if wants[index] <= room * weights[index] // total}
        if not content:
            for index in waiting:
                given[index] = room * weights[index] // total
            break
        for index in content:
            given[index] = wants[index]
        room -= sum(wants[index] for index in content)
        waiting -= content
    return given


def fit(draft: Draft, tokens: int) -> Fitted:
    """The pack in at most `tokens` times four bytes."""
    return fit_bytes(draft, tokens * budget.BYTES_PER_TOKEN)


def fit_bytes(draft: Draft, most: int) -> Fitted:
    if draft.size <= most:
        return Fitted(draft.text, ())
    head = "\n".join(draft.head)
    names = tuple(section.name for section in draft.sections)
    if size_of(head) > most:
        return Fitted(oldest(head, most), ("state", *names))
    rooms = _rooms(draft.sections, most - size_of(head))
    parts, cut = [head], []
    for section, room in zip(draft.sections, rooms, strict=True):
        text = _cut(section, room)
        parts += [text] if text else []
        cut += [section.name] if text != section.text else []
    return Fitted("\n".join(parts), tuple(cut))


def _rooms(sections: Sequence[Section], room: int) -> list[int]:
    """Bytes of each section, its line feed included; 0 for those that would be left with nothing to say."""
    wants = [size_of(section.text) + 1 for section in sections]
    weights = [section.weight for section in sections]
    while True:
        given = share(room, wants, weights)
        poor = [
            index
            for index, section in enumerate(sections)
            if wants[index] > 0 and given[index] < min(wants[index], size_of(section.name) + 3 + section.least)
        ]
        if not poor:
            return given
        wants[min(poor, key=lambda index: (weights[index], index))] = 0


def _cut(section: Section, room: int) -> str:
    """The section within its room; empty when it has none."""
    if room <= 0:
        return ""
    if size_of(section.text) < room:
        return section.text
    heading = f"{section.name}:\n"
    left = room - 1 - size_of(heading)
    if section.whole:
        return heading + "\n".join(_lines(section, left))
    body = "\n".join(section.lines)
    text, _ = budget.newest(body, left) if section.keep == "end" else (oldest(body, left), True)
    return heading + text


def _lines(section: Section, room: int) -> list[str]:
    """As many whole lines as there is room for, from the end that stays."""
    kept: list[str] = []
    for line in section.lines[::-1] if section.keep == "end" else section.lines:
        room -= size_of(line) + bool(kept)
        if room < 0:
            break
        kept.append(line)
    return kept[::-1] if section.keep == "end" else kept


def oldest(text: str, most: int) -> str:
    """At most `most` bytes of the text, counted from its beginning; a cut is shown."""
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= most:
        return text
    room = most - len(budget.ELLIPSIS)
    kept = raw[: room if room > 0 else max(0, most)].decode("utf-8", "ignore")
    return kept + budget.ELLIPSIS if room > 0 else kept


def without(draft: Draft, known: dict[str, set[str]]) -> tuple[Draft, int]:
    """The draft without lines that an earlier one of several has in the same section, and how many those were.

    Heads stay, for they say whose pack it is; so do lines that a section repeats by itself. `known` learns.
    """
    kept, removed = [], 0
    for section in draft.sections:
        before = known.setdefault(section.name, set())
        lines = tuple(line for line in section.lines if not line.strip() or _key(line) not in before)
        removed += len(section.lines) - len(lines)
        before.update(_key(line) for line in section.lines)
        if any(line.strip() for line in lines):
            kept.append(msgspec.structs.replace(section, lines=lines))
    return Draft(draft.head, tuple(kept)), removed


def _key(line: str) -> str:
    return line.strip().casefold()
