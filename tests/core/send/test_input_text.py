"""Text for a pane: control characters are removed, the objective is added."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_py.contract.records import SessionMeta
from lisa_py.core.send.input_text import add_reminder, clean_text, is_command

META = SessionMeta(session="lisa-x", objective_id="o1", objective_goal="Ship it", objective_budget=7, lane="front")
REMINDER = "Objective reminder: id=o1 | goal=Ship it | budget=7 | lane=front"


@pytest.mark.parametrize(
    ("given_text", "text", "stripped"),
    [
        ("plain\twith\ttabs\nand lines ü 漢 👩‍💻", "plain\twith\ttabs\nand lines ü 漢 👩‍💻", {}),
        ("end\x1b[201~rm -rf /\r", "end[201~rm -rf /\n", {"ESC": 1}),
        ("a\x00b\x07c\x7fd\x9be", "abcde", {"NUL": 1, "C0": 1, "DEL": 1, "C1": 1}),
        ("dos\r\nline", "dos\nline", {}),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), "caf\ufffd", {"invalid_utf8": 1}),
    ],
)
def test_control_characters_are_removed_and_counted(given_text: str, text: str, stripped: dict[str, int]) -> None:
    cleaned = clean_text(given_text)
    assert (cleaned.text, cleaned.stripped) == (text, stripped)


@given(st.text())
def test_cleaned_text_has_no_key_presses(text: str) -> None:
    cleaned = clean_text(text).text
    assert all(char in "\t\n" or (char >= " " and not "\x7f" <= char <= "\x9f") for char in cleaned)
    assert clean_text(cleaned).stripped == {}
    cleaned.encode()


def test_incomplete_character_is_replaced() -> None:
    assert clean_text("a\ud800b").text == "a\ufffdb"


def test_objective_precedes_the_prompt_once() -> None:
    assert add_reminder("go on", META) == f"{REMINDER}\ngo on"
    assert add_reminder(f"{REMINDER}\ngo on", META) == f"{REMINDER}\ngo on"
    text = "objective REMINDER: goal=ship it, ID=o1, lane=front, budget=7. Go on"
    assert add_reminder(text, META) == text


def test_nothing_is_added_before_slash_commands() -> None:
    assert add_reminder("go on", SessionMeta(session="lisa-x", lane="front")) == "go on"
    assert add_reminder("go on", None) == "go on"
    assert add_reminder("/clear", META) == "/clear"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/clear", True), ("/model opus", True), ("/mcp__x:y a", True), ("/usr/bin/env is a path", False),
        ("/", False), ("see /clear", False), ("/clear\nand more", False), ("/exit\n", True),
    ],
)  # fmt: skip
def test_slash_commands_are_distinguished_from_paths(text: str, command: bool) -> None:
    assert is_command(text) is command
