"""Telling typed text from faint hints by the escape sequences of `tmux capture-pane -e`."""

from __future__ import annotations

import pytest

from lisa_py.terminal.styled import split_faint


@pytest.mark.parametrize(
    ("screen", "plain", "typed"),
    [
        ("plain", "plain", "plain"),
        ("a\x1b[2mbc\x1b[0md", "abcd", "a  d"),
        ("a\x1b[2mb\x1b[22mc", "abc", "a c"),
        ("\x1b[0;2mhint\x1b[0m text", "hint text", "     text"),
        ("\x1b[38;5;2mgreen\x1b[48;2;2;2;2m too", "green too", "green too"),
        ("\x1b[7mP\x1b[0;2mress up\x1b[0m", "Press up", " " * 8),
        ("ab\x1b[7mc\x1b[0m", "abc", "abc"),
        ("\x1b[7mab\x1b[0;2mc", "abc", "ab "),
        ("\x1b[2mone\ntwo\x1b[0m", "one\ntwo", "   \n   "),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link", "link"),
        ("\x1b(0\x1b[1mx\x1b(B", "x", "x"),
    ],
)
def test_faint_text_is_blank(screen: str, plain: str, typed: str) -> None:
    assert split_faint(screen) == (plain, typed)
