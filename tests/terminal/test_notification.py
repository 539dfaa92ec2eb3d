"""Escape sequences of desktop notifications."""

from __future__ import annotations

import pytest

from lisa_py.terminal.notification import build_notification


@pytest.mark.parametrize(
    ("environ", "sequence"),
    (
        ({"TERM_PROGRAM": "iTerm.app"}, "\x1b]9;lisa: b\x1b\\"),
        ({"WT_SESSION": "1"}, "\x1b]9;lisa: b\x1b\\"),
        ({"TERM": "xterm-kitty"}, "\x1b]99;i=lisa:d=0:p=title;lisa\x1b\\\x1b]99;i=lisa:d=1:p=body;b\x1b\\"),
        ({"TERM_PROGRAM": "ghostty"}, "\x1b]777;notify;lisa;b\x1b\\"),
        ({"TERM": "rxvt-unicode"}, "\x1b]777;notify;lisa;b\x1b\\"),
        ({"TERM": "xterm-256color"}, "\a"),
        ({"TERM_PROGRAM": "WezTerm", "TMUX": "/x,1,0"}, "\x1bPtmux;\x1b\x1b]9;lisa: b\x1b\x1b\\\x1b\\\a"),
    ),
)
def test_each_terminal_gets_its_sequence(environ: dict[str, str], sequence: str) -> None:
    assert build_notification("lisa", "b", environ) == sequence


def test_text_cannot_end_its_sequence() -> None:
    made = build_notification("a\x1b]0;x\ab", "c;d\ne\x07", {"TERM_PROGRAM": "ghostty"})
    assert made == "\x1b]777;notify;ab;c,d e\x1b\\"
