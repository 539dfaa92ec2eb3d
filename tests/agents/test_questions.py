"""The question of an open dialog on recorded screens: question, tool and input, without rulers and choices."""

from __future__ import annotations

from pathlib import Path

import pytest

from lisa_py import agents

PANES = Path(__file__).parent / "panes"
CASES = {
    "claude/permission-bash": "Bash command\nRun a command\npython3 -c 1; sleep 3; echo hi\n"
    "This command requires approval\nDo you want to proceed?",
    "claude/permission-edit": "Edit file\nnew.txt\n1 -one\n1 +three\n2 two\nDo you want to make this edit to new.txt?",
    "claude/question": "Which colour?",
    "claude/question-ticked": "Which fruits?",
    "claude/2.1.197-permission-bash": "Bash command\npython3 -c 1; sleep 3; echo hi\nRun a command\n"
    "This command requires approval\nDo you want to proceed?",
    "codex/permission": "Would you like to run the following command?\nEnvironment: local\n"
    "Reason: May the fake model run this outside the sandbox?\n$ touch /tmp/demo-made",
    "codex/question": "Question 1/1 (1 unanswered)\nWhich colour?",
    "codex/login": "Welcome to Codex, OpenAI's command-line coding agent\nChoose how you want to use Codex.",
    "claude/idle": "",
    "claude/streaming": "",
    "codex/idle": "",
    "codex/finished": "",
}


def test_question_of_codex_leaves_out_the_prompt_above() -> None:
    screen = (
        "› ask me about these:\n  colours, sizes\n\n  Question 1/2 (2 unanswered)\n  Which colour?\n\n"
        "  › 1. Red    r\n    2. Blue   b\n\n  tab to add notes | enter to submit answer | esc to interrupt"
    )
    assert agents.get("codex").read_question(screen) == "Question 1/2 (2 unanswered)\nWhich colour?"


@pytest.mark.parametrize("name", CASES)
def test_question_is_the_text_above_the_choices(name: str) -> None:
    screen = (PANES / f"{name}.txt").read_text()
    assert agents.get(name.partition("/")[0]).read_question(screen) == CASES[name]


@pytest.mark.parametrize("path", sorted(PANES.glob("*/*.txt")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_question_has_no_rulers_and_no_choices(path: Path) -> None:
    agent, screen = agents.get(path.parent.name), path.read_text()
    lines = agent.read_question(screen).split("\n")
    assert not [line for line in lines if "───" in line or "╌╌╌" in line or "__LISA" in line]
    texts = {f"{choice.number}. {choice.text}" for choice in agent.find_choices(screen)}
    assert not texts & set(lines)


def test_last_choice_below_a_long_command_is_found() -> None:
    screen = (PANES / "codex" / "permission-long.txt").read_text()
    assert [choice.number for choice in agents.get("codex").find_choices(screen)] == [1, 2, 3]
