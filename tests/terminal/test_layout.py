"""Separate layout from output on every recorded screen of the real agents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lisa_py import agents
from lisa_py.terminal import layout
from lisa_py.terminal.layout import Layout

PANES = Path(__file__).parents[1] / "agents" / "panes"
DIALOG_SCREENS = re.compile(
    r"dialog|permission(?!-re(?:jected|fused))|question|picker|trust|login|onboarding|plan-approval|update\.|overlay|task-list"
)
"""Screens with a question to the user: no part of them may be taken for layout."""
PROMPT_SCREENS = re.compile(
    r"finished\.|idle|error-|interrupted|streaming|thinking|tool|retrying|queued|steered|compacted"
)
"""Screens with a living input box at the bottom."""
OTHER_SCREENS = re.compile(r"dialog|exec|crash|exited|picker|question|trust")


def screens(wanted: re.Pattern[str], but: re.Pattern[str] | None = None) -> list[Path]:
    every = sorted(PANES.glob("*/*.txt"))
    return [path for path in every if wanted.search(path.name) and not (but and but.search(path.name))]


def lines_of(path: Path) -> list[str]:
    lines = [line.rstrip() for line in path.read_text(encoding="utf-8").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


@pytest.mark.parametrize(
    "path",
    screens(DIALOG_SCREENS, re.compile("not-logged-in|error-|after-")),
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_dialog_is_never_layout(path: Path) -> None:
    lines, signs = lines_of(path), agents.get(path.parent.name).layout()
    assert signs.frame_start(lines) == len(lines)


@pytest.mark.parametrize(
    "path", screens(PROMPT_SCREENS, OTHER_SCREENS), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_input_box_is_layout_and_the_answer_above_is_not(path: Path) -> None:
    lines, signs = lines_of(path), agents.get(path.parent.name).layout()
    start = signs.frame_start(lines)
    cut = [line for line in lines[start:] if line.strip() and not layout.is_ruler(line)]
    assert any(signs.is_input(line) for line in cut)
    assert len(cut) <= 8
    replies = [line for line in cut if line.startswith(("●", "•", "■")) and not signs.is_spinner(line)]
    assert replies in ([], ["● main"])  # the list of agents below the box


def test_recorded_screens_exist() -> None:
    assert len(screens(DIALOG_SCREENS)) > 25
    assert len(screens(PROMPT_SCREENS, OTHER_SCREENS)) > 50


@pytest.mark.parametrize(
    "text",
    [
        "$ make\nall good\n$ ",
        "❯ make\nline 1\nline 2\nline 3\nline 4\nline 5",
        "> quoted\nand an answer",
        "│ a │ b │\n└───┴───┘",
        "● done (press esc to interrupt is what it said)",
    ],
)
def test_plain_output_has_no_layout(text: str) -> None:
    lines = text.split("\n")
    assert agents.layout_of().frame_start(lines) == len(lines)


def test_layout_without_signs_knows_terminal_signs_only() -> None:
    plain = Layout()
    assert not plain.is_input("❯ typed")
    assert not plain.is_furniture("? for shortcuts")
    assert plain.is_spinner("⠋ building")
    assert plain.is_quoted("> said")
    assert plain.frame_start(["─────", "❯ typed", "─────"]) == 3


def test_merged_layouts_have_the_signs_of_each() -> None:
    merged = layout.merge(
        [Layout(input_glyphs="a", spinner="one", counters=("x",)), Layout(input_glyphs="ab", spinner="two"), Layout()]
    )
    assert merged == Layout(input_glyphs="ab", spinner="one|two", counters=("x",))
    assert merged.is_spinner("Two")
    assert layout.merge([Layout(input_glyphs="c")]) == Layout(input_glyphs="c")
