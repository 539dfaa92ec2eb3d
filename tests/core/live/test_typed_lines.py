"""The meaning of typed lines: commands, prompts, answers to dialogs."""

from __future__ import annotations

from typing import Any

import pytest

from lisa_py.core.live.typed_lines import TypedAnswer, TypedCommand, TypedLines, TypedPrompt

COLORS = {"question": "Colour?", "header": "c", "options": [{"label": "Red", "description": "hot"}, "Blue"]}
NAME = {"question": "Name?"}


def request(identity: str = "t1") -> dict[str, Any]:
    return {"type": "tool_approval_request", "payload": {"tool_use_id": identity, "tool_name": "Bash"}}


def question(*questions: dict[str, Any]) -> dict[str, Any]:
    return {"type": "ask_user_question", "payload": {"question_id": "q1", "questions": list(questions)}}


def closed(**payload: str) -> dict[str, Any]:
    return {"type": "system", "payload": {"subtype": "approval_decided", "message": "approved by api", **payload}}


def test_commands_prompts_and_empty_lines() -> None:
    lines = TypedLines()
    assert lines.read("  fix it \n") == TypedPrompt("fix it")
    assert lines.read("") is None and lines.read("   ") is None
    assert lines.read(" /quit ") == TypedCommand("quit")
    assert lines.read("/interrupt") == TypedCommand("interrupt")
    assert lines.read("/interrupt it") == TypedPrompt("/interrupt it")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("y", TypedAnswer(dialog="t1", kind="approve")),
        ("YES", TypedAnswer(dialog="t1", kind="approve")),
        ("session", TypedAnswer(dialog="t1", kind="approve", scope="session")),
        ("s", TypedAnswer(dialog="t1", kind="approve", scope="session")),
        ("n", TypedAnswer(dialog="t1", kind="deny")),
        ("", TypedAnswer(dialog="t1", kind="deny")),
        ("use rg instead", TypedAnswer(dialog="t1", kind="deny", message="use rg instead")),
        ("2", TypedAnswer(dialog="t1", kind="answer", choices=("2",))),
    ],
)
def test_first_line_after_a_request_answers_it(line: str, answer: TypedAnswer) -> None:
    lines = TypedLines()
    assert lines.see(request())
    assert lines.pending is not None and lines.pending.call_to_answer == "Approve? [y/n/session]: "
    assert lines.read(line) == answer
    assert lines.pending is None and lines.read("y") == TypedPrompt("y")


def test_each_question_reads_one_line() -> None:
    lines = TypedLines()
    lines.see(question(COLORS, NAME))
    asked = lines.pending
    assert asked is not None
    assert asked.format_question(colors=False) == ["\nQuestion: Colour?", "  1. Red - hot", "  2. Blue"]
    assert asked.call_to_answer == "Choose: "
    assert lines.read("") is None and lines.read("2") is None
    assert asked.format_question(colors=False) == ["\nQuestion: Name?"] and asked.call_to_answer == "Answer: "
    assert lines.read("Bob") == TypedAnswer(dialog="q1", kind="answer", choices=("2", "Bob"))


def test_requests_are_shown_as_the_client_does() -> None:
    frame = request()
    frame["payload"]["tool_input"] = {"command": "touch x\x1b[2J"}
    lines = TypedLines()
    lines.see(frame)
    assert lines.pending is not None
    assert lines.pending.format_question(colors=True) == [
        "\x1b[33m\x1b[1m\nTool approval requested: Bash\x1b[0m",
        '\x1b[33m  input: {"command": "touch x\\u001b[2J"}\x1b[0m',
    ]


def test_a_decision_from_elsewhere_closes_its_dialog() -> None:
    lines = TypedLines()
    lines.see(request("t1"))
    lines.see(request("t2"))
    assert not lines.see(closed(tool_use_id="t1"))
    assert lines.pending is not None and lines.pending.id == "t2"
    lines.see(closed())
    assert lines.pending is None and lines.read("y") == TypedPrompt("y")


def test_a_failed_answer_reopens_its_dialog() -> None:
    lines = TypedLines()
    lines.see(question(COLORS, NAME))
    assert lines.read("9") is None and lines.read("Bob") is not None
    lines.reopen("q1")
    assert lines.pending is not None and lines.pending.call_to_answer == "Choose: "
    assert lines.read("2") is None and lines.read("Bob") is not None
    lines.see(closed(tool_use_id="q1"))
    lines.reopen("q1")
    assert lines.pending is None


def test_the_end_of_the_session_closes_all() -> None:
    lines = TypedLines()
    lines.see(request())
    lines.see({"type": "session_end", "payload": {"reason": "completed"}})
    assert lines.pending is None


@pytest.mark.parametrize(
    ("frame", "line", "is_answer"),
    [
        (request(), "y", True),
        (request(), "Session", True),
        (request(), "yes please", False),
        (question(COLORS), "2", True),
        (question(COLORS), "blue", True),
        (question(COLORS), "3", False),
        (question(COLORS, NAME), "1", False),
    ],
)
def test_without_a_shown_dialog_only_answers_answer(frame: dict[str, Any], line: str, is_answer: bool) -> None:
    lines = TypedLines(asks=False)
    assert not lines.see(frame)
    assert isinstance(lines.read(line), TypedAnswer if is_answer else TypedPrompt)
    assert (lines.pending is None) == is_answer
