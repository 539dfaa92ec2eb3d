"""core/guard/shell_parser: which commands a shell line runs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_py.core.guard import shell_parser
from lisa_py.core.guard.shell_parser import ShellSyntaxError


def _sure(text: str) -> list[str]:
    return [command.text for command in shell_parser.parse_commands(text) if not command.guessed]


def _all(text: str) -> list[str]:
    return [command.text for command in shell_parser.parse_commands(text)]


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("lisa  session   list", ["lisa session list"]),
        ("a; b && c || d | e & f\ng", ["a", "b", "c", "d", "e", "f", "g"]),
        ("session 'kill-all' \"--json\"", ["session kill-all --json"]),
        ("echo a#b; c", ["echo a#b", "c"]),
        ("A=1 B='x y' cmd z", ["cmd z"]),
        ("if true; then a; else b; fi", ["true", "a", "b"]),
        ("cmd > out 2>&1 < in", ["cmd"]),
        ("one \\\n  two", ["one two"]),
        ("echo 'a; b'", ["echo a; b"]),
        ('echo "$(tmux kill-server)" x', ["echo $(tmux kill-server) x", "tmux kill-server"]),
        ("echo `a b` c", ["echo `a b` c", "a b"]),
        ('echo "`a b`"', ["echo `a b`", "a b"]),
        ("(a; b)", ["a", "b"]),
        ("cat <(a b)", ["cat <(a b)", "a b"]),
        ("bash -lc 'a; b'", ["bash -lc a; b", "a", "b"]),
        ("eval 'a;' b", ["eval a; b", "a", "b"]),
        ("", []),
        ("   \n ", []),
    ],
)
def test_line_is_parsed_like_a_shell(text: str, commands: list[str]) -> None:
    assert _sure(text) == commands


@pytest.mark.parametrize(
    "text",
    [
        "sudo -u root tmux kill-server",
        "env -i A=1 tmux kill-server",
        "nohup timeout 5 tmux kill-server",
        "ls | xargs -n1 tmux kill-server",
        "sudo bash -c 'tmux kill-server'",
        "su - me -c 'tmux kill-server'",
        "find . -name x -exec tmux kill-server",
    ],
)
def test_wrapper_yields_its_wrapped_command(text: str) -> None:
    assert any(command.endswith("tmux kill-server") and command.startswith("tmux") for command in _all(text))


def test_command_lookup_is_not_an_execution() -> None:
    assert _all("command -v pkill") == ["command -v pkill"]


def test_quotes_inside_substitutions_are_parsed() -> None:
    assert {"b"} < set(_sure('echo "$(a "$(b)")"'))


@pytest.mark.parametrize("text", ["echo 'open", 'a "b', "a \\", "eval " * 12 + "x"])
def test_unparsable_line_is_reported(text: str) -> None:
    with pytest.raises(ShellSyntaxError):
        shell_parser.parse_commands(text)


@settings(deadline=None)
@given(st.text(alphabet="ab;&|()<>`'\"\\$ \n#-={}!~", max_size=40))
def test_any_text_is_parsed(text: str) -> None:
    try:
        for command in shell_parser.parse_commands(text):
            assert command.words
    except ShellSyntaxError:
        pass
