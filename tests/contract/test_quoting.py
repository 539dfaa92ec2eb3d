"""A shell reads quoted text back unchanged."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_py.contract.quoting import drop_words, quote, quote_posix

# no NUL: it cannot be in an argument; no surrogates: they are no text
TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40), max_size=8)


def read_back(shell: str, words: list[str]) -> list[str]:
    script = "printf '%s\\0' begin " + " ".join(words)
    output = subprocess.run([shell, "-c", script], capture_output=True, check=True).stdout.decode()
    return output.split("\0")[1:-1]


@given(TEXTS)
def test_posix_quoting_survives_sh(texts: list[str]) -> None:
    assert read_back("/bin/sh", [quote_posix(text) for text in texts]) == texts


@given(TEXTS)
def test_contract_quoting_survives_bash(texts: list[str]) -> None:
    assert read_back("bash", [quote(text) for text in texts]) == texts


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=60))
def test_both_are_posix_without_control_characters(text: str) -> None:
    assert shlex.split(quote(text)) == [text] and shlex.split(quote_posix(text)) == [text]


@given(st.text(max_size=60))
def test_only_nul_is_removed(text: str) -> None:
    assert shlex.split(quote_posix(text)) == [text.replace("\0", "")]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("--resume abc --model m", "--model m"),
        ("--model m --resume=abc", "--model m"),
        ("--resume --model m", "--model m"),
        ("--model 'a --resume b' -c", "--model 'a --resume b'"),
        ('--add "x y" --resume "a b" --fork', '--add "x y"'),
        ("--resumed abc", "--resumed abc"),
        ("", ""),
    ],
)
def test_dropped_flags_include_their_values(text: str, left: str) -> None:
    assert drop_words(text, ("--resume",), ("-c", "--fork")) == left
