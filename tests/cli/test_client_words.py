"""Words and errors of `lisa ai` are those of the LimaCharlie client."""

from __future__ import annotations

import pytest

from lisa_py.cli import client_words, parse
from lisa_py.contract.errors import CancellationError, LisaError, UsageError

HISTORY = ["ai", "session", "history"]


@pytest.mark.parametrize(
    ("words", "arranged"),
    [
        ([*HISTORY, "--id", "x"], [*HISTORY, "--id", "x"]),
        (["--output", "csv", "ai", "-W", *HISTORY[1:], "--id=x"], [*HISTORY, "--output", "csv", "-W", "--id=x"]),
        (["--debug", "--env", "prod", *HISTORY, "--profile=x", "--env", "y", "--raw"], [*HISTORY, "--raw"]),
        ([*HISTORY, "--", "--debug"], [*HISTORY, "--", "--debug"]),
        (["session", "status", "ai", "--debug"], ["session", "status", "ai", "--debug"]),
        (["ai", "--help"], ["ai", "--help"]),
        (["--fields", "ai"], ["--fields", "ai"]),
    ],
)  # fmt: skip
def test_flags_before_the_command_move_after_it(words: list[str], arranged: list[str]) -> None:
    assert client_words.arrange(words) == arranged


def test_other_groups_are_split_as_before() -> None:
    assert parse.split_command(["session", "send", "--text", "ai"]) == (("session", "send"), ["--text", "ai"])


@pytest.mark.parametrize(
    ("problem", "words", "code", "text"),
    [
        (LisaError("session_not_found", "no x"), HISTORY, 3, "Error: no x\nSuggestion: "),
        (LisaError("session_not_found", "no x"), ["ai", "session", "attach"], 1, "Error: no x"),
        (LisaError("tmux_missing", "no tmux", exit_code=7), HISTORY, 1, "Error: no tmux"),
        (UsageError("unknown_flag", "no flag"), HISTORY, 1, "Error: no flag"),
        (UsageError("unknown_command", "no command"), ["ai", "nothing"], 1, "Error: no command"),
        (CancellationError(), HISTORY, 130, "interrupted"),
        (LisaError("session_not_found", "no x"), ["session", "history", "--session", "ai"], 1, "no x"),
    ],
)
def test_failures_have_texts_and_codes_of_the_client(
    problem: LisaError, words: list[str], code: int, text: str
) -> None:
    made = client_words.convert_failure(problem, "text", words)
    assert (made.code, made.exit_code) == (problem.code, code) and made.message.startswith(text)
    assert client_words.convert_failure(problem, "json", words).message == problem.message
