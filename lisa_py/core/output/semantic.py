"""Reduce pane text to meaningful lines, to find changes between two reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from lisa_py import agents
from lisa_py.terminal import layout

_FACT = re.compile(
    r"(?:provider|approval|sandbox|reasoning effort|reasoning summaries|session id|workdir|model):"
    r"(?:\s+\S+(?:\s+\[.*\])?)?\Z",
    re.IGNORECASE,
)
_COUNT = re.compile(r"[\d,. ]+\Z")
_CALL = re.compile(
    r"(?:[$❯›>]\s*)?(?:\./)?lisa (?:session|oauth|agent|skills|doctor|cleanup|capabilities|version|demo)\b"
)
_HINT = re.compile(r"(?:\? for shortcuts|← for agents|⏸ .* on\b|⏵⏵ .* on\b|-- (?:INSERT|NORMAL) --)")
_VOLATILE = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\b\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AP]M)?\b"
    r"|\b\d+(?:\.\d+)?(?:ms|s|m|h)(?: ?\d+(?:\.\d+)?s)?\b"
    r"|[\u2801-\u28ff]",
)


def extract_lines(text: str) -> list[str]:
    """Return the meaningful lines in order, each once, compared without times and durations."""
    every = text.split("\n")
    body = every[: layout.frame_start(every)]
    found: dict[str, str] = {}
    after_count = False
    for raw in body:
        line = _strip_frame(raw)
        is_count = after_count and _COUNT.match(line) is not None
        after_count = line.lower() == "tokens used"
        if line and not is_count and not after_count and not _is_noise(raw, line):
            found.setdefault(normalize(line), line)
    return list(found.values())


def find_new(current: Sequence[str], baseline: Iterable[str]) -> list[str]:
    """Return the lines that the baseline lacks; removed lines are not reported."""
    known = {normalize(line) for line in baseline}
    return [line for line in current if normalize(line) not in known]


def normalize(line: str) -> str:
    """Return the line without its times and durations."""
    return " ".join(_VOLATILE.sub("#", line).split())


def _strip_frame(raw: str) -> str:
    """Return the line without colours and box sides."""
    return layout.ANSI.sub("", raw).strip().strip("│┃║").strip()


def _is_noise(raw: str, line: str) -> bool:
    return (
        layout.is_mark(line)
        or layout.is_ruler(line)
        or layout.is_input(raw)
        or layout.is_spinner(line)
        or set(line) <= {"-", "="}
        or line.partition(">")[0].lower() in agents.names()
        or any(shape.match(line) for shape in (_FACT, _CALL, _HINT))
    )
