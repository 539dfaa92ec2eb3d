"""Desktop notifications by escape sequences: OSC 9, 777 and 99, and the bell for terminals that know none."""

from __future__ import annotations

from collections.abc import Mapping

from lisa_py.terminal.frame_lines import clean

BELL = "\a"
_OSC_9 = ("iTerm.app", "WezTerm", "vscode")
_OSC_777 = ("ghostty", "WarpTerminal", "rxvt", "foot")


def build_notification(title: str, text: str, environ: Mapping[str, str]) -> str:
    """Return the characters that make the terminal of an environment notify its user.

    Inside tmux they are wrapped for the terminal around it, which gets them if `allow-passthrough` is on; the bell,
    which tmux shows by itself, is added.
    """
    title, text = (" ".join(clean(each).replace(";", ",").split()) for each in (title, text))
    sequence = _build_sequence(title, text, environ)
    if not sequence:
        return BELL
    if environ.get("TMUX"):
        return wrap_for_tmux(sequence) + BELL
    return sequence


def wrap_for_tmux(sequence: str) -> str:
    """Return a sequence that tmux passes on to the terminal around it if `allow-passthrough` is on."""
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def _build_sequence(title: str, text: str, environ: Mapping[str, str]) -> str:
    program, term = environ.get("TERM_PROGRAM", ""), environ.get("TERM", "")
    if environ.get("KITTY_WINDOW_ID") or "kitty" in term:
        return f"\x1b]99;i=lisa:d=0:p=title;{title}\x1b\\\x1b]99;i=lisa:d=1:p=body;{text}\x1b\\"
    if program in _OSC_777 or any(name.lower() in term for name in _OSC_777):
        return f"\x1b]777;notify;{title};{text}\x1b\\"
    if program in _OSC_9 or environ.get("WT_SESSION") or environ.get("ITERM_SESSION_ID"):
        return f"\x1b]9;{title}: {text}\x1b\\" if text else f"\x1b]9;{title}\x1b\\"
    return ""
