"""Parse the directives of a prompt."""

from __future__ import annotations

VERBS = frozenset(
    (
        "think", "wait", "touch", "deaf", "say", "stream", "lines", "run", "ask", "question", "choose", "dialog",
        "todos", "retry", "error", "limit", "usage", "title", "hang", "spin", "ignore", "crash", "exit",
    )
)  # fmt: skip


def parse_directives(prompt: str) -> list[tuple[str, str]]:
    """Return (verb, rest) of every directive in order; brackets inside a directive balance."""
    steps: list[tuple[str, str]] = []
    at = prompt.find("[")
    while at >= 0:
        end = _find_closing(prompt, at)
        verb, _, rest = prompt[at + 1 : end].partition(" ") if end > 0 else ("", "", "")
        if verb in VERBS:
            steps.append((verb, rest.strip()))
            at = prompt.find("[", end)
        else:
            at = prompt.find("[", at + 1)
    return steps


def _find_closing(text: str, start: int) -> int:
    depth = 0
    for index in range(start, min(len(text), start + 100_000)):
        if text[index] == "[":
            depth += 1
        elif text[index] == "]":
            depth -= 1
            if depth == 0:
                return index
    return -1


def parse_number(text: str, default: float) -> tuple[float, str]:
    """Return a leading number and the rest; the default and the whole text if there is none."""
    word, _, rest = text.partition(" ")
    try:
        return float(word), rest.strip()
    except ValueError:
        return default, text


def split_parts(text: str) -> list[str]:
    """Return the parts between bars."""
    return [piece.strip() for piece in text.split("|") if piece.strip()]


def parse_questions(text: str) -> list[dict[str, object]]:
    """Return the questions between `//`: `Which? | red | blue`; a `+` after the text allows several choices."""
    found: list[dict[str, object]] = []
    for piece in text.split("//"):
        title, *choices = [*split_parts(piece), ""][: -1 or None]
        found.append(
            {
                "question": title.rstrip("+").strip(),
                "header": title.split(" ")[0].strip("?+"),
                "options": [{"label": choice, "description": ""} for choice in choices],
                "multiSelect": title.endswith("+"),
            }
        )
    return found


def parse_todos(text: str) -> list[tuple[str, str]]:
    """Return (text, status) of a task list: `x` marks completed, `>` in progress."""
    marks = {"x": "completed", ">": "in_progress"}
    found = []
    for piece in split_parts(text):
        mark, _, rest = piece.partition(" ")
        found.append((rest.strip(), marks[mark]) if mark in marks and rest else (piece, "pending"))
    return found
