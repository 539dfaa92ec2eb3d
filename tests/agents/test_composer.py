"""Finding the input box on screens recorded with their styles: claude 2.1.332 (2.1.197 by name) and codex 0.171."""

from __future__ import annotations

from pathlib import Path

import pytest

from lisa_py import agents
from lisa_py.agents.base import Agent, Composer
from lisa_py.terminal import styled

SCREENS = Path(__file__).parent / "screens"
EMPTY, NONE, SHELL = Composer("empty"), Composer("none"), Composer("mode", "the shell mode")
HISTORY = Composer("mode", "the history search")
TRANSCRIPT = Composer("mode", "the transcript view")
SUSPENDED = Composer("mode", "that claude is suspended (kill -CONT resumes it)")
AGENTS_VIEW = Composer("mode", "the agents view, whose box starts other sessions")
TWO_LINES = Composer("holds", "line one\nline two")
BLANK_FIRST, BLANK_MIDDLE = Composer("holds", "hidden text"), Composer("holds", "a\n\n  b")


def tall_draft(first: int) -> Composer:
    """Return a draft of 40 lines with a blank one after each seventh, whose first lines are above the screen."""
    lines = [f"typed line {number} of a long draft" + "\n" * (number % 7 == 0) for number in range(first, 41)]
    return Composer("holds", "\n".join(lines), cut=True)


CLAUDE = {
    "idle": EMPTY,
    "draft": Composer("holds", "delete the old branch but only if"),
    "cleared": EMPTY,
    "bash-mode-empty": SHELL,
    "bash-mode-text": SHELL,
    "slash-menu": Composer("holds", "/"),
    "transcript-view": TRANSCRIPT,
    "shortcuts": EMPTY,
    "editor": NONE,
    "history-search": HISTORY,
    "suspended": SUSPENDED,
    "resumed": EMPTY,
    "draft-two-lines": TWO_LINES,
    "draft-pasted": Composer("holds", "[Pasted text #1 +60 lines]"),
    "busy-empty": EMPTY,
    "busy-draft": Composer("holds", "next thing"),
    "busy-queued": EMPTY,  # with a faint hint
    "rewind": NONE,
    "model-picker": NONE,
    "vim-insert": EMPTY,
    "vim-normal": EMPTY,
    "vim-normal-draft": Composer("holds", "abc def"),
    "mcp-list": NONE,
    "agents-view": AGENTS_VIEW,
    "agents-view-draft": AGENTS_VIEW,
    "agents-view-reply": AGENTS_VIEW,
    "history-entry": Composer("holds", "[fake text first]"),
    "draft-blank-first": BLANK_FIRST,
    "draft-blank-middle": BLANK_MIDDLE,
    "draft-tall": tall_draft(18),
    "no-color-queued": EMPTY,  # with a hint that is not faint
    "no-color-draft": Composer("holds", "a draft"),
    "2.1.197-idle": EMPTY,
    "2.1.197-draft": Composer("holds", "delete the old branch but only if"),
    "2.1.197-bash-mode-text": SHELL,
    "2.1.197-transcript-view": TRANSCRIPT,
    "2.1.197-editor": NONE,
    "2.1.197-suspended": SUSPENDED,
    "2.1.197-draft-two-lines": TWO_LINES,
    "2.1.197-busy-draft": Composer("holds", "next thing"),
    "2.1.197-busy-queued": EMPTY,
    "2.1.197-agents-view": AGENTS_VIEW,
    "2.1.197-agents-view-group": AGENTS_VIEW,
    "2.1.197-history-entry": Composer("holds", "[fake text first]"),
    "2.1.197-vim-normal-draft": Composer("holds", "abc def"),
}
CODEX = {
    "idle": EMPTY,  # with a faint hint
    "draft": Composer("holds", "delete the old"),
    "shell-mode-empty": SHELL,
    "shell-mode-text": SHELL,
    "shell-left": EMPTY,
    "transcript-view": NONE,
    "editor": NONE,
    "history-search": HISTORY,
    "interrupted-before-output": EMPTY,
    "draft-two-lines": TWO_LINES,
    "draft-pasted": Composer("holds", "[Pasted Content 2292 chars]"),
    "busy-empty": EMPTY,
    "busy-draft": Composer("holds", "next thing"),
    "model-picker": NONE,
    "rewind": NONE,
    "vim-normal-draft": Composer("holds", "draft vim", insert_keys=("A",)),
    "draft-blank-first": BLANK_FIRST,
    "draft-blank-middle": BLANK_MIDDLE,
    "draft-fills-pane": Composer("holds", "\n".join([*(f"typed line {number}" for number in range(1, 26)), "end"])),
    "draft-tall": tall_draft(18),
}


def screen(agent: str, name: str) -> str:
    return (SCREENS / agent / f"{name}.ansi").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("agent", "name", "expected"),
    [("claude", *item) for item in CLAUDE.items()] + [("codex", *item) for item in CODEX.items()],
)
def test_composer_is_found_on_a_recorded_screen(agent: str, name: str, expected: Composer) -> None:
    assert agents.get(agent).find_composer(screen(agent, name)) == expected


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_every_recorded_screen_has_an_expected_composer(agent: str) -> None:
    expected = {"claude": CLAUDE, "codex": CODEX}[agent]
    assert {path.stem for path in (SCREENS / agent).glob("*.ansi")} == set(expected)


@pytest.mark.parametrize(("agent", "name"), [("claude", "mcp-list"), ("codex", "model-picker"), ("codex", "rewind")])
def test_list_in_place_of_the_box_is_a_dialog(agent: str, name: str) -> None:
    found = agents.get(agent).read_screen(styled.split_faint(screen(agent, name))[0])
    assert found is not None and (found.state, found.waiting_for) == ("waiting", "dialog")


def test_unknown_agent_has_no_composer() -> None:
    assert Agent().find_composer("❯ text") is None and Agent().clear_keys("text") == ()


def test_codex_hint_counts_as_empty_without_styles() -> None:
    plain = styled.split_faint(screen("codex", "idle"))[0]
    assert agents.get("codex").find_composer(plain) == EMPTY


def test_scripted_composer_is_found_between_rulers() -> None:
    scripted, rule = agents.get("scripted"), "─" * 20
    assert scripted.find_composer(f"hello\n{rule}\n❯ \n{rule}\n  ready") == EMPTY
    assert scripted.find_composer(f"hello\n{rule}\n❯ a draft\n{rule}\n  ready") == Composer("holds", "a draft")
    assert scripted.find_composer("❯ 1. Yes\n  2. No") == NONE


def test_clearing_removes_every_row_of_the_draft() -> None:
    assert agents.get("claude").clear_keys("one\ntwo") == (*("C-u",) * 4, *("C-k",) * 4, "DC")
    assert agents.get("codex").clear_keys("one\ntwo") == (*("C-u",) * 4, *("C-k",) * 4)


@pytest.mark.parametrize(
    ("agent", "draft", "text", "expected"),
    [
        ("claude", "[Pasted text #2 +60 lines]", "line\n" * 60 + "end", True),
        ("claude", "[Pasted text #2 +60 lines]", "line\n" * 59 + "end", False),
        ("claude", "[Pasted text #1]", "x" * 5000, True),
        ("claude", "[Pasted text #1 +60 lines] and more", "line\n" * 60 + "end", False),
        ("codex", "[Pasted Content 2292 chars]", "x" * 2292, True),
        ("codex", "[Pasted Content 2292 chars]", "x" * 2291, False),
        ("scripted", "x", "x", False),
    ],
)
def test_placeholder_is_compared_with_the_text(agent: str, draft: str, text: str, expected: bool) -> None:
    assert agents.get(agent).is_placeholder(draft, text) is expected


def test_hint_counts_as_draft_without_its_colour() -> None:
    hint = screen("claude", "no-color-queued")
    assert agents.get("claude").find_composer("\x1b[38;5;174m*\x1b[39m\n" + hint).kind == "holds"


def test_dialog_below_a_long_answer_is_not_a_draft() -> None:
    answer, rule = "\n".join(f"  row {number} of an answer" for number in range(20)), "─" * 40
    dialog = " Bash command\n   rm -r x\n Do you want to proceed?\n ❯ 1. Yes\n   2. No\n\n Esc to cancel"
    assert agents.get("claude").find_composer(f"{answer}\n{rule}\n{dialog}") == NONE
