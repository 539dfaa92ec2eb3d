"""Read the pages of claude's AskUserQuestion dialog: a list to tick, and the review of all answers."""

from __future__ import annotations

import re

from lisa_py.agents.base import Checklist, ReviewState
from lisa_py.terminal.choices import ScreenChoice

_ROW = re.compile(r"^([❯ ])\s*(\d+)\. (?:\[([ ✔])\] )?(\S.*)$")
_SUBMIT = re.compile(r"^([❯ ])\s+(?:Submit|Next)$")
_FREE_TEXT = re.compile(r"^Type something\b")
"""A row that is ticked by typing into it."""
_REVIEW = "Review your answers"
_WARNING = re.compile(r"^\s*⚠ ", re.MULTILINE)
"""Its warning about missing answers, in words that differ between versions."""


def find_checklist(dialog: str) -> Checklist | None:
    """Return the list to tick in the text of a dialog; None if it is another page."""
    choices: list[ScreenChoice] = []
    ticked: set[int] = set()
    tickable: set[int] = set()
    rows: list[int] = []
    selected = -1
    for line in dialog.replace("\u00a0", " ").split("\n"):
        row, submit = _ROW.match(line.rstrip()), _SUBMIT.match(line.rstrip())
        number = int(row[2]) if row else 0
        if row is None and (submit is None or not tickable or 0 in rows):
            continue
        if (row or submit or "")[1] == "❯":
            selected = number
        rows.append(number)
        if row is None or (row[3] and _FREE_TEXT.match(row[4])):
            continue
        choices.append(ScreenChoice(number, row[4].strip(), row[1] == "❯"))
        if row[3]:
            tickable.add(number)
        if row[3] == "✔":
            ticked.add(number)
    if not tickable or 0 not in rows:
        return None
    return Checklist(
        choices=tuple(choices),
        tickable=frozenset(tickable),
        ticked=frozenset(ticked),
        rows=tuple(rows),
        selected=selected,
    )


def find_review(dialog: str) -> ReviewState:
    """Return the state of the page that asks to submit all answers; empty if it is another page."""
    if _REVIEW not in dialog:
        return ""
    return "incomplete" if _WARNING.search(dialog) else "complete"
