"""Record docs/attach.svg from a real run: `python -m tests.docs.record_attach` in the environment of tests/run.

`lisa chat` runs in a terminal with the pinned claude and the fake model; the screens become frames of the picture.
"""

from __future__ import annotations

import html
import itertools
import re
import threading
import time
from pathlib import Path

from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes import model_api
from tests.lisa_host import LisaHost
from tests.outer_terminal import OuterTerminal

TARGET = Path(__file__).parents[2] / "docs" / "attach.svg"
LABEL = (
    "lisa chat: an agent answers while the next prompt is being typed, asks for permission, is allowed to go on, and"
    " keeps running after the person has left"
)
COLUMNS, ROWS = 100, 27
COLUMN_WIDTH, ROW_HEIGHT, MARGIN, TOP = 8.43, 19, 20.0, 56
SAMPLE_SECONDS, LAST_SECONDS, LONGEST_SECONDS = 0.1, 3.0, 1.6
KEY_SECONDS = 0.06
ANSWERS = {
    "Which file is the largest?": "[fake slow 2 I will look. then tool wc -l src/*.py then slow 2 The largest file is"
    " src/parse.py with 412 lines. It holds the grammar and the error texts, so it can be split.]",
    "Split it": "[fake tool mv src/parse.py src/grammar.py then slow 2 Done: src/grammar.py has the grammar now.]",
}
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
        while not self._is_over.wait(SAMPLE_SECONDS):
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


def record() -> list[tuple[float, str]]:
    machine = LisaHost()
    known = model_api.directives
    model_api.directives = lambda prompt: known(next((ANSWERS[key] for key in ANSWERS if key in prompt), prompt))
    try:
        with model_api.FakeModelApi() as api:
            stage = LiveSessionHarness(machine, api, "claude")
            source = machine.project / "src"
            source.mkdir()
            for name, lines in (("parse.py", 412), ("cli.py", 120), ("text.py", 64)):
                (source / name).write_text("x = 1\n" * lines)
            first, second = ANSWERS
            words = ("chat", first, "--agent", "claude", "--session", "lisa-review-1")
            terminal = OuterTerminal(stage.machine, *words, columns=COLUMNS, rows=ROWS)
            recorder = Recorder(terminal)
            terminal.wait_for("tool_result")
            type_line(terminal, second)  # while the agent answers
            terminal.wait_for("Approve?")
            time.sleep(1.0)
            type_line(terminal, "y")
            terminal.wait_for("the grammar now")
            time.sleep(1.0)
            type_line(terminal, "/quit")
            terminal.wait_for_end()
            return recorder.finish()
    finally:
        model_api.directives = known
        machine.close()


def render(frames: list[tuple[float, str]]) -> str:
    """Return the frames as one SVG that plays them in a loop."""
    width, height = round(COLUMNS * COLUMN_WIDTH + 2 * MARGIN), TOP + ROWS * ROW_HEIGHT
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
        groups.append(f'<g class="f" id="f{index}">\n' + _render_lines(lines[-ROWS:]) + "\n</g>")
        at += seconds
    font = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(LABEL)}">',
            f"<style>text{{font:14px {font};white-space:pre}}.f{{visibility:hidden}}",
            *rules,
            "@media (prefers-reduced-motion:reduce){.f{animation:none!important}"
            f"#f{len(frames) - 1}{{visibility:visible}}}}</style>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#16181d"/>',
            *(f'<circle cx="{x}" cy="20" r="6" fill="{color}"/>' for x, color in
              ((20, "#ff5f57"), (40, "#febc2e"), (60, "#28c840"))),
            f'<text x="{width / 2}" y="25" text-anchor="middle" fill="#8a8f98">lisa chat</text>',
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


if __name__ == "__main__":
    TARGET.write_text(render(record()), encoding="utf-8")
