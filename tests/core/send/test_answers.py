"""core/send/answers: numbers, labels, lists and free text."""

from __future__ import annotations

import pytest

from lisa_py.contract.dialogs import DialogDecision, DialogQuestion, QuestionOption
from lisa_py.contract.errors import LisaError
from lisa_py.core.send import answers


def ask(text: str, *labels: str, header: str = "", multi: bool = False) -> DialogQuestion:
    return DialogQuestion(
        question=text, header=header, multi_select=multi, options=tuple(QuestionOption(label=each) for each in labels)
    )


COLOUR = ask("Which colour?", "red", "Dark Blue", header="Colour")
FRUIT = ask("Which fruits?", "apple", "fig, dried", "pear", header="Fruit", multi=True)
YEAR = ask("Which year?", "2024", "2025")


@pytest.mark.parametrize(
    ("question", "given", "expected"),
    [
        (COLOUR, "1", "red"),
        (COLOUR, " dark blue ", "Dark Blue"),
        (COLOUR, "something 2 else", "something 2 else"),
        (COLOUR, "1,2", "1,2"),
        (FRUIT, "1,3", "apple, pear"),
        (FRUIT, "pear, 1, pear", "pear, apple"),
        (FRUIT, "fig, dried", "fig, dried"),
        (FRUIT, "2", "fig, dried"),
        (FRUIT, "apple, mango", "apple, mango"),
        (YEAR, "2025", "2025"),
        (YEAR, "2", "2025"),
        (ask("Why?"), "7", "7"),
    ],
)
def test_numbers_and_labels_name_choices(question: DialogQuestion, given: str, expected: str) -> None:
    assert answers.resolve_answer(question, given) == expected


@pytest.mark.parametrize(("question", "given"), [(COLOUR, "3"), (COLOUR, "0"), (FRUIT, "1,4")])
def test_other_numbers_are_refused(question: DialogQuestion, given: str) -> None:
    with pytest.raises(LisaError) as problem:
        answers.resolve_answer(question, given)
    assert problem.value.code == "answer_not_offered"


def resolve(*questions: DialogQuestion, **given: object) -> dict[str, str]:
    return answers.resolve_answers(questions, DialogDecision(kind="answer", **given))  # type: ignore[arg-type]


def test_each_question_gets_its_answer() -> None:
    assert resolve(COLOUR, FRUIT, choices=("2", "1,3")) == {
        "Which colour?": "Dark Blue",
        "Which fruits?": "apple, pear",
    }
    assert resolve(FRUIT, choices=("1", "3")) == {"Which fruits?": "apple, pear"}
    assert resolve(COLOUR, YEAR, answers={"Colour": "red", "Which year?": "1"}) == {
        "Which colour?": "red",
        "Which year?": "2024",
    }


def test_missing_and_extra_answers_are_refused() -> None:
    for code, given in (
        ("answer_missing", {"choices": ("1",)}),
        ("answer_missing", {"answers": {"Colour": "1", "Fruit": " "}}),
        ("answer_not_offered", {"choices": ("1", "1", "1")}),
    ):
        with pytest.raises(LisaError) as problem:
            resolve(COLOUR, FRUIT, **given)
        assert problem.value.code == code


def test_numbers_of_an_answer_for_the_screen() -> None:
    assert answers.list_numbers(COLOUR, "Dark Blue") == (2,)
    assert answers.list_numbers(FRUIT, "apple, pear") == (1, 3)
    assert answers.list_numbers(FRUIT, "fig, dried") == (2,)
    assert answers.list_numbers(FRUIT, "apple, mango") == ()


@pytest.mark.parametrize(
    ("shown", "left"),
    [
        ("Which\n  colour?\n1. red", 3),
        ("Colour  Fruit  Which fruits? 1. apple", 2),
        ("Which year?", 1),
        ("Which colour? red\nWhich fruits?", 2),
        ("Ready to submit?", 3),
        ("", 3),
    ],
)
def test_answers_begin_at_the_question_on_the_screen(shown: str, left: int) -> None:
    assert len(answers.select_open((COLOUR, FRUIT, YEAR), shown)) == left
