"""Screen text captured with its styles: text that was typed, and faint text that the program only suggests."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\x1b\[([0-9;:]*)m|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()*+].|[\x0e\x0f]")
_FAINT, _REVERSE = 1, 2


def split_faint(screen: str) -> tuple[str, str]:
    """Return a screen of `tmux capture-pane -e` as plain text, and the same text with spaces for faint characters.

    Faint is SGR 2, also below a cursor that the program draws itself: claude and codex mark their suggestions so.
    """
    if "\x1b" not in screen:
        return screen, screen
    plain: list[str] = []
    marks: list[int] = []
    style = at = 0
    for found in _ESCAPE.finditer(screen):
        _append(plain, marks, screen[at : found.start()], style)
        if found[1] is not None:
            style = _apply(style, found[1])
        at = found.end()
    _append(plain, marks, screen[at:], style)
    text = "".join(plain)
    return text, "".join(
        " " if char != "\n" and _is_suggestion(marks, index) else char for index, char in enumerate(text)
    )


def is_colourless(screen: str) -> bool:
    """Return True if a screen of `tmux capture-pane -e` has styles but no colour: NO_COLOR also takes faint away."""
    if "\x1b" not in screen:
        return False
    words = (word for found in _ESCAPE.finditer(screen) for word in (found[1] or "").split(";"))
    return not any(re.match(r"[349][0-8]$|10[0-7]$", word) for word in words)


def _append(plain: list[str], marks: list[int], text: str, style: int) -> None:
    plain.append(text)
    marks.extend([style] * len(text))


def _is_suggestion(marks: list[int], at: int) -> bool:
    """Return True for a faint character, or a cursor on the first character of a faint text."""
    if marks[at] & _FAINT:
        return True
    is_cursor = marks[at] & _REVERSE and not (at and marks[at - 1] & _REVERSE)
    return bool(is_cursor and marks[at + 1 : at + 2] and marks[at + 1] & _FAINT)


def _apply(style: int, parameters: str) -> int:
    """Return the style after one SGR sequence."""
    words = iter(parameters.replace(":", ";").split(";"))
    for word in words:
        match word:
            case "" | "0":
                style = 0
            case "2":
                style |= _FAINT
            case "22":
                style &= ~_FAINT
            case "7":
                style |= _REVERSE
            case "27":
                style &= ~_REVERSE
            case "38" | "48" | "58":  # a colour, whose numbers are no styles
                for _ in range({"5": 1, "2": 3}.get(next(words, ""), 0)):
                    next(words, None)
    return style
