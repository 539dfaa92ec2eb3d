"""Read choice lists of terminal dialogs, and find the choice for yes, no or a number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract.late_pattern import compile_late


class ScreenChoice(Struct, frozen=True):
    """One line of the list."""

    number: int
    """Counted from 1, also if the dialog shows no numbers."""
    text: str
    selected: bool


_CURSOR = compile_late(r"^(\s*)([❯›>]) +(?:(\d+)\. +)?(\S.*)$")
_POINTER = compile_late(r"[❯›>](?= )")
_NUMBERED = compile_late(r"^ *(\d+)\. +(\S.*)$")
_CHOICE_PREFIX = compile_late(r"^\s*(?:[❯›>]\s+)?(?:\d+\.\s+)?(?:\[.\]\s*)?")
_MAX_GAP = 12
"""Rows of wrapped text and descriptions between two choices (codex 0.171 repeats a long command in one)."""
_QUESTION_LINES = 40
_ALWAYS = compile_late(r"always|don.t ask|do not ask|trust all|this session", re.IGNORECASE)
_NO = compile_late(r"(no|deny|reject|decline|cancel|back|stay|continue without)\b", re.IGNORECASE)
_LEAVE = compile_late(r"(exit|quit|leave)\b", re.IGNORECASE)
_YES = compile_late(r"(yes|allow|approve|accept|trust|continue|proceed|ok)\b", re.IGNORECASE)


def strip_cursor(line: str) -> str:
    """Return a line of a list as it looks if another line is selected."""
    return _POINTER.sub(" ", line)


def find_choices(screen: str) -> tuple[ScreenChoice, ...]:
    """Return the list of choices nearest to the end of the screen; empty if there is none."""
    lines = screen.split("\n")
    for at in range(len(lines) - 1, -1, -1):
        cursor = _CURSOR.match(lines[at])
        if cursor:
            return _numbered_choices(lines, at, int(cursor[3])) if cursor[3] else _plain_choices(lines, at, cursor)
    return ()


def read_question(lines: Sequence[str], choices: Sequence[ScreenChoice]) -> str:
    """Return the lines above the list of choices that have words; empty if the list is not on these lines."""
    if not choices:
        return ""
    rows = (at for at, line in enumerate(lines) if _CHOICE_PREFIX.sub("", line).strip() == choices[0].text)
    from lisa_py.terminal import layout  # noqa: PLC0415 - its patterns cost a millisecond

    above = (" ".join(line.split()) for line in lines[: next(rows, 0)] if not layout.is_mark(line))
    return "\n".join([line for line in above if any(map(str.isalnum, line))][-_QUESTION_LINES:])


def _numbered_choices(lines: Sequence[str], at: int, number: int) -> tuple[ScreenChoice, ...]:
    """Walk up and down from the selected line; wrapped lines and descriptions may be between choices."""
    found = {number: (_choice_text(lines[at]), True)}
    for step in (-1, 1):
        row, wanted = at + step, number + step
        gap = 0
        while 0 <= row < len(lines) and gap < _MAX_GAP and wanted > 0:
            match = _NUMBERED.match(lines[row])
            if match and int(match[1]) == wanted:
                found[wanted] = (match[2].strip(), False)
                wanted += step
                gap = 0
            else:
                gap += 1
            row += step
    return tuple(ScreenChoice(index, text, selected) for index, (text, selected) in sorted(found.items()))


def _plain_choices(lines: Sequence[str], at: int, cursor: re.Match[str]) -> tuple[ScreenChoice, ...]:
    """Return the neighbours that begin in the same column as the selected text."""
    column = cursor.start(4)
    first = last = at
    while first > 0 and _begins_at(lines[first - 1], column):
        first -= 1
    while last + 1 < len(lines) and _begins_at(lines[last + 1], column):
        last += 1
    rows = range(first, last + 1)
    return tuple(ScreenChoice(index + 1, lines[row][column:].strip(), row == at) for index, row in enumerate(rows))


def _begins_at(line: str, column: int) -> bool:
    return len(line) > column and not line[:column].strip() and line[column] != " "


def _choice_text(line: str) -> str:
    match = _CURSOR.match(line)
    return match[4].strip() if match else line.strip()


def pick_choice(answer: str, choices: Sequence[ScreenChoice]) -> ScreenChoice | None:
    """Return the choice for yes, no, always or a number."""
    if answer.isdigit():
        return next((choice for choice in choices if choice.number == int(answer)), None)
    lasting = [choice for choice in choices if _ALWAYS.search(choice.text) and not _NO.match(choice.text)]
    if answer == "always":
        return lasting[0] if lasting else None
    if answer == "no":
        refusing = [choice for choice in choices if _NO.match(choice.text)]
        return next(iter(refusing or [choice for choice in choices if _LEAVE.match(choice.text)]), None)
    agreeing = [choice for choice in choices if _YES.match(choice.text) and not _NO.match(choice.text)]
    once = [choice for choice in agreeing if choice not in lasting]
    return next(iter(once or agreeing), None)
