"""Screens of a terminal as an animated SVG that plays in a loop, and its text."""

from __future__ import annotations

import html
import itertools
import re
import threading
import time
from pathlib import Path
from typing import NamedTuple

from tests.outer_terminal import OuterTerminal

DOCS = Path(__file__).parents[2] / "docs"
COLUMN_WIDTH, ROW_HEIGHT, MARGIN, TOP = 8.43, 19, 20.0, 56
SAMPLE_SECONDS, LAST_SECONDS, LONGEST_SECONDS = 0.1, 3.0, 1.6
KEY_SECONDS = 0.06
COLORS = {None: "#d9d9d9", 31: "#f4005f", 32: "#98e024", 33: "#fd971f", 34: "#6ea8fe", 35: "#d58fff", 36: "#58d1eb"}
_STYLE = re.compile(r"\x1b\[([\d;]*)m")


class Recorder:
    """Screens of a terminal with the times at which they appeared."""

    def __init__(self, terminal: OuterTerminal) -> None:
        self._terminal = terminal
        self._is_over = threading.Event()
        self.screens: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        is_over = False
        while not is_over:  # one more sample after the end
            is_over = self._is_over.wait(SAMPLE_SECONDS)
            screen = self._terminal.screen(styled=True)
            if screen.strip() and (not self.screens or self.screens[-1][1] != screen):
                self.screens.append((time.monotonic(), screen))

    def finish(self) -> list[tuple[float, str]]:
        """Return each screen with the seconds that it is shown."""
        self._is_over.set()
        self._thread.join()
        starts = [at for at, _ in self.screens]
        seconds = [min(LONGEST_SECONDS, end - start) for start, end in itertools.pairwise(starts)]
        return list(zip([*seconds, LAST_SECONDS], (screen for _, screen in self.screens), strict=True))


def type_line(terminal: OuterTerminal, text: str) -> None:
    for key in text:
        terminal.type(key)
        time.sleep(KEY_SECONDS)
    terminal.press("Enter")


class Picture(NamedTuple):
    """A picture in the documentation."""

    name: str
    title: str
    """Text in the title bar."""
    label: str
    """Description for those who cannot see it."""
    columns: int
    rows: int

    @property
    def path(self) -> Path:
        return DOCS / self.name

    def write(self, frames: list[tuple[float, str]]) -> None:
        self.path.write_text(_render(self, frames), encoding="utf-8")


class PictureSpan(NamedTuple):
    """A piece of text in one style."""

    text: str
    color: str
    is_bold: bool
    is_faint: bool


def read_frames(name: str) -> list[list[list[PictureSpan]]]:
    """Return the frames of a picture as lines of spans; empty lines are left out."""
    text = (DOCS / name).read_text(encoding="utf-8")
    return [
        [_read_spans(line) for line in re.findall(r"<text y=.*?</text>", frame)]
        for frame in re.findall(r'<g class="f"[^>]*>\n(.*?)\n</g>', text, re.DOTALL)
    ]


def _read_spans(line: str) -> list[PictureSpan]:
    found = re.findall(r'<tspan x="[^"]*" fill="([^"]*)"([^>]*)>([^<]*)</tspan>', line)
    return [PictureSpan(html.unescape(text), color, "bold" in more, "opacity" in more) for color, more, text in found]


def split_styles(lines: list[str]) -> list[list[PictureSpan]]:
    """Return lines with style codes as the spans that a picture has for them, without empty lines."""
    return [_read_spans(line) for line in _render_lines(lines).splitlines()]


def join_spans(line: list[PictureSpan]) -> str:
    return "".join(span.text for span in line)


def _render(picture: Picture, frames: list[tuple[float, str]]) -> str:
    """Return the frames as one SVG that plays them in a loop."""
    width, height = round(picture.columns * COLUMN_WIDTH + 2 * MARGIN), TOP + picture.rows * ROW_HEIGHT
    total = sum(seconds for seconds, _ in frames)
    rules, groups, at = [], [], 0.0
    for index, (seconds, screen) in enumerate(frames):
        begin, end = 100 * at / total, 100 * (at + seconds) / total
        before = "" if not index else f"0%{{visibility:hidden}}{begin:.2f}%{{visibility:visible}}"
        rules.append(
            f"@keyframes k{index}{{{before or '0%{visibility:visible}'}{end:.2f}%{{visibility:hidden}}"
            f"100%{{visibility:hidden}}}}#f{index}{{animation:k{index} {total:.1f}s step-end infinite}}"
        )
        lines = [line for line in screen.rstrip("\n").split("\n") if not line.startswith("Pane is dead")]
        while lines and not _STYLE.sub("", lines[-1]).strip():
            lines.pop()
        groups.append(f'<g class="f" id="f{index}">\n' + _render_lines(lines[-picture.rows :]) + "\n</g>")
        at += seconds
    font = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(picture.label)}">',
            f"<style>text{{font:14px {font};white-space:pre}}.f{{visibility:hidden}}",
            *rules,
            "@media (prefers-reduced-motion:reduce){.f{animation:none!important}"
            f"#f{len(frames) - 1}{{visibility:visible}}}}</style>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#16181d"/>',
            *(f'<circle cx="{x}" cy="20" r="6" fill="{color}"/>' for x, color in
              ((20, "#ff5f57"), (40, "#febc2e"), (60, "#28c840"))),
            f'<text x="{width / 2}" y="25" text-anchor="middle" fill="#8a8f98">{html.escape(picture.title)}</text>',
            *groups,
            "</svg>\n",
        ]
    )  # fmt: skip


def _render_lines(lines: list[str]) -> str:
    style: set[int] = set()
    rows = []
    for number, line in enumerate(lines):
        spans, column = [], 0
        for index, part in enumerate(_STYLE.split(line)):
            if index % 2:
                style = _change_style(style, part)
            elif part:
                spans.append(_render_span(part, column, style))
                column += len(part)
        if spans:
            rows.append(f'<text y="{TOP + number * ROW_HEIGHT}">{"".join(spans)}</text>')
    return "\n".join(rows)


def _change_style(style: set[int], codes: str) -> set[int]:
    for code in map(int, codes.split(";") if codes else "0"):
        if code == 0:
            style = set()
        elif code == 39:
            style = style & {1, 2}
        elif code in (1, 2) or 30 <= code <= 37:
            style = {each for each in style if code < 30 or each < 30} | {code}
    return style


def _render_span(text: str, column: int, style: set[int]) -> str:
    color = next((COLORS[code] for code in style if code in COLORS), COLORS[None])
    weight = ' font-weight="bold"' if 1 in style else ""
    faint = ' opacity="0.6"' if 2 in style else ""
    return f'<tspan x="{MARGIN + column * COLUMN_WIDTH:.1f}" fill="{color}"{weight}{faint}>{html.escape(text)}</tspan>'
