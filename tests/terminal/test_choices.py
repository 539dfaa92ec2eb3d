"""terminal/choices: lists of choices as claude, codex and the scripted agent draw them."""

from __future__ import annotations

import pytest

from lisa_py.terminal.choices import find_choices, pick_choice

CLAUDE_PERMISSION = """
❯ 1. an older prompt that looks like a list

 Do you want to proceed?
 ❯ 1. Yes
   2. Yes, and always allow access to /tmp/demo/proj2 from this project
   3. Yes, and switch to auto mode · auto mode handles these prompts for you
   4. No

 Esc to cancel · Tab to amend
"""
CLAUDE_TRUST = """
 Security guide

 ❯ No, exit
   Yes, I trust this folder

 Enter to confirm · Esc to cancel
"""
CLAUDE_KEY = """
  Do you want to use this API key?

    Yes
  ❯ No (recommended)

  Enter to confirm · Esc to cancel
"""
CLAUDE_LEAVE = """
  ❯ 1. Exit and stop tasks
    2. Move to background and exit
    3. Stay
"""
CODEX_APPROVAL = """
› [fake ask touch /tmp/demo/made-by-codex then text asked ok]

  $ touch /tmp/demo/made-by-codex

› 1. Yes, proceed (y)
  2. Yes, and don't ask again for commands that start with `touch
     /tmp/demo/made-by-codex` (p)
  3. No, and tell Codex what to do differently (esc)

  Press enter to confirm or esc to cancel
"""
CODEX_HOOKS = """
› 1. Review hooks
  2. Trust all and continue
  3. Continue without trusting (hooks won't run)
"""
CODEX_LOGIN = """
> 1. Sign in with ChatGPT
     Usage included with Plus, Pro, Business, and Enterprise plans

  2. Sign in with Device Code
     Sign in from another device with a one-time code

  3. Sign in another way
"""


@pytest.mark.parametrize(
    ("screen", "word", "number"),
    [
        (CLAUDE_PERMISSION, "yes", 1),
        (CLAUDE_PERMISSION, "always", 2),
        (CLAUDE_PERMISSION, "no", 4),
        (CLAUDE_PERMISSION, "3", 3),
        (CLAUDE_PERMISSION, "5", 0),
        (CLAUDE_TRUST, "yes", 2),
        (CLAUDE_TRUST, "no", 1),
        (CLAUDE_TRUST, "always", 0),
        (CLAUDE_KEY, "yes", 1),
        (CLAUDE_KEY, "no", 2),
        (CLAUDE_LEAVE, "no", 3),
        (CLAUDE_LEAVE, "yes", 0),
        (CODEX_APPROVAL, "yes", 1),
        (CODEX_APPROVAL, "always", 2),
        (CODEX_APPROVAL, "no", 3),
        (CODEX_HOOKS, "yes", 2),
        (CODEX_HOOKS, "no", 3),
        (CODEX_LOGIN, "yes", 0),
        (CODEX_LOGIN, "3", 3),
        ("just text\nand more", "yes", 0),
    ],
)
def test_answer_word_selects_its_choice(screen: str, word: str, number: int) -> None:
    meant = pick_choice(word, find_choices(screen))
    assert (meant.number if meant else 0) == number


def test_selected_choice_is_found() -> None:
    assert [choice.number for choice in find_choices(CLAUDE_KEY) if choice.selected] == [2]
    assert [choice.number for choice in find_choices(CODEX_LOGIN) if choice.selected] == [1]


def test_long_choice_list_is_read_from_any_cursor_row() -> None:
    screen = "\n".join(f" {'❯' if number == 7 else ' '} {number}. choice {number}" for number in range(1, 13))
    assert [choice.number for choice in find_choices(screen)] == list(range(1, 13))
