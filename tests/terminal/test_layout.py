"""Separate layout from output on every recorded screen of the real agents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lisa_py.terminal import layout

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
    lines = lines_of(path)
    assert layout.frame_start(lines) == len(lines)


@pytest.mark.parametrize(
    "path", screens(PROMPT_SCREENS, OTHER_SCREENS), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_input_box_is_layout_and_the_answer_above_is_not(path: Path) -> None:
    lines = lines_of(path)
    start = layout.frame_start(lines)
    cut = [line for line in lines[start:] if line.strip() and not layout.is_ruler(line)]
    assert any(layout.is_input(line) for line in cut)
    assert len(cut) <= 8
    replies = [line for line in cut if line.startswith(("●", "•", "■")) and not layout.is_spinner(line)]
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
    assert layout.frame_start(lines) == len(lines)
