"""Reduce pane text to meaningful lines, to find changes between two reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lisa_py import agents
from lisa_py.contract.late_pattern import compile_late
from lisa_py.terminal import layout
from lisa_py.terminal.layout import Layout

_COUNT = compile_late(r"[\d,. ]+\Z")
_CALL = compile_late(r"(?:\./)?lisa (?:session|oauth|agent|skills|doctor|cleanup|capabilities|version|demo)\b")
_VOLATILE = compile_late(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\b\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AP]M)?\b"
    r"|\b\d+(?:\.\d+)?(?:ms|s|m|h)(?: ?\d+(?:\.\d+)?s)?\b"
    r"|[\u2801-\u28ff]",
)


def extract_lines(text: str, signs: Layout) -> list[str]:
    """Return the meaningful lines in order, each once, compared without times and durations."""
    every = text.split("\n")
    body = every[: signs.frame_start(every)]
    found: dict[str, str] = {}
    after_count = False
    for raw in body:
        line = _strip_frame(raw)
        is_count = after_count and _COUNT.match(line) is not None
        after_count = line.lower() in signs.counters
        if line and not is_count and not after_count and not _is_noise(raw, line, signs):
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


def _is_noise(raw: str, line: str, signs: Layout) -> bool:
    return (
        layout.is_mark(line)
        or layout.is_ruler(line)
        or signs.is_input(raw)
        or signs.is_spinner(line)
        or signs.is_furniture(line)
        or set(line) <= {"-", "="}
        or line.partition(">")[0].lower() in agents.names()
        or _CALL.match(signs.strip_glyphs(line)) is not None
    )
