"""The environment as lisa reads it."""

from __future__ import annotations

import os

import pytest

from lisa_py.host.env import NUMERIC_VARIABLES, read_settings


@pytest.mark.parametrize("variable", NUMERIC_VARIABLES, ids=lambda each: each.name)
@pytest.mark.parametrize(
    ("written", "counts"), [("7", True), (" 7\n", True), ("0", False), ("-1", False), ("x", False)]
)
def test_only_positive_numbers_are_used(variable: object, written: str, counts: bool) -> None:
    name, default = variable.name, variable.default  # type: ignore[attr-defined]
    read = getattr(read_settings({name: written}), name.removeprefix("LISA_").lower())
    assert read == (7 if counts else default)


@pytest.mark.parametrize("word", ["1", "true", " YES", "on"])
def test_several_words_enable_a_switch(word: str) -> None:
    assert read_settings({"LISA_CLEANUP_ALL_HASHES": word}).cleanup_all_hashes is True
    assert read_settings({"LISA_CLEANUP_ALL_HASHES": "no " + word}).cleanup_all_hashes is False


def test_folders_are_absolute() -> None:
    """A session spawned here is looked for from other folders."""
    read = read_settings({"HOME": "/h", "LISA_STATE_DIR": "a", "LISA_TMUX_SOCKET_DIR": "b", "LISA_SHARED_DIR": "c"})
    assert (read.state_dir, read.tmux_socket_dir, read.shared_dir) == tuple(
        os.path.join(os.getcwd(), name) for name in "abc"
    )
    assert read_settings({"HOME": "/h"}).state_dir == "/h/.lisa"


def test_only_a_lisa_session_is_a_parent() -> None:
    assert read_settings({"LISA_SESSION_NAME": "lisa-p"}).parent_session == "lisa-p"
    assert read_settings({"LISA_SESSION_NAME": "other"}).parent_session == ""
