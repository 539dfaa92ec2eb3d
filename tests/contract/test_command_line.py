"""Command lines: text for a shell and words for a program."""

from __future__ import annotations

import shlex

import pytest

from lisa_py.contract import command_line
from lisa_py.contract.command_line import ShellVariable


def test_flags_keep_their_order_and_type() -> None:
    line = command_line.build("session send", session="lisa-a", text="a b", enter=True, max_polls=0, json_min=True)
    assert str(line) == "lisa session send --session 'lisa-a' --text 'a b' --enter --max-polls 0 --json-min"
    assert line.argv == tuple(shlex.split(str(line)))


def test_empty_and_false_flags_are_omitted() -> None:
    assert str(command_line.build("session spawn", prompt="", model=None, trust=False, json=True)) == (
        "lisa session spawn --json"
    )


def test_words_of_a_fixed_list_are_not_quoted() -> None:
    assert str(command_line.build("session spawn", agent="codex", mode="exec")).endswith("--agent codex --mode exec")
    assert "--agent '$x y'" in str(command_line.build("session spawn", agent="$x y"))


def test_shell_variable_stays_one() -> None:
    line = command_line.build("session kill", session=ShellVariable("SESSION"))
    assert str(line) == 'lisa session kill --session "$SESSION"'


def test_name_of_the_program_is_quoted_if_needed() -> None:
    assert str(command_line.build("version", binary="/my tools/lisa")) == "'/my tools/lisa' version"


@pytest.mark.parametrize("text", ["it's", "a b", "$HOME", "`x`", "\\", "*", "-x"])
def test_values_survive_the_shell(text: str) -> None:
    line = command_line.build("session status", session=text)
    assert shlex.split(str(line)) == list(line.argv)
