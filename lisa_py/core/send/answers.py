"""Resolve the answers of a person to the questions of a dialog: numbers, labels, lists and free text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lisa_py.contract.dialogs import DialogDecision, DialogQuestion
from lisa_py.contract.errors import LisaError


def resolve_answers(questions: Sequence[DialogQuestion], decision: DialogDecision) -> dict[str, str]:
    """Return the answer of each question by its text. Raise LisaError: answer_missing, answer_not_offered."""
    given = _assign(questions, decision)
    missing = [question.key for question in questions if not given.get(question.key, "").strip()]
    if missing:
        raise LisaError(
            "answer_missing",
            f"no answer for {', '.join(missing)}; give one --choice per question, in their order",
            questions=[question.question for question in questions],
        )
    return {question.question: resolve_answer(question, given[question.key]) for question in questions}


def _assign(questions: Sequence[DialogQuestion], decision: DialogDecision) -> dict[str, str]:
    """Return the given words by key of the question."""
    words = decision.choices
    if not words:
        named: Mapping[str, str] = decision.answers
        return {each.key: named.get(each.key) or named.get(each.question, "") for each in questions}
    if len(questions) == 1 and questions[0].multi_select:
        return {questions[0].key: ",".join(words)}
    if len(words) > len(questions):
        noun = "question" if len(questions) == 1 else "questions"
        raise LisaError(
            "answer_not_offered",
            f"{len(words)} answers for {len(questions)} {noun}: {', '.join(words)}"
            " (one --choice per question; several choices of one as a comma-separated list)",
        )
    return {question.key: word for question, word in zip(questions, words, strict=False)}


def select_open(questions: Sequence[DialogQuestion], shown: str) -> Sequence[DialogQuestion]:
    """Return the questions from the one on the screen on; all of them if it shows none of them."""
    text = "".join(shown.split())
    asked = [(number, "".join(each.question.split())) for number, each in enumerate(questions)]
    ends = [(text.rfind(words) + len(words), len(words), number) for number, words in asked if words and words in text]
    return questions[max(ends)[2] :] if ends else questions  # answered ones may still be above it


def resolve_answer(question: DialogQuestion, text: str) -> str:
    """Return the labels of numbers or labels, or the text itself. Raise LisaError(answer_not_offered)."""
    whole = _find_label(question, text)
    if whole is not None:
        return whole
    if not question.multi_select:
        return text.strip()
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return ", ".join(dict.fromkeys(_find_label(question, part) or part for part in parts))


def _find_label(question: DialogQuestion, text: str) -> str | None:
    """Return the label that a number or a word names. Raise LisaError(answer_not_offered) for another number."""
    word = text.strip()
    labels = [option.label for option in question.options]
    if word.isascii() and word.isdigit() and word not in labels and labels:
        if not 0 < int(word) <= len(labels):
            raise LisaError(
                "answer_not_offered",
                f"`{question.question}` has no choice {word}; it offers "
                + ", ".join(f"{number}. {label}" for number, label in enumerate(labels, 1)),
            )
        return labels[int(word) - 1]
    return next((label for label in labels if label.casefold() == word.casefold()), None)


def list_numbers(question: DialogQuestion, answer: str) -> tuple[int, ...]:
    """Return the numbers of the choices in a resolved answer; none if a part is free text."""
    labels = [option.label for option in question.options]
    parts = [answer] if answer in labels else answer.split(", ") if question.multi_select else []
    return tuple(labels.index(part) + 1 for part in parts) if parts and all(part in labels for part in parts) else ()
