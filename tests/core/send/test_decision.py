"""core/send/decision: the part of a decision that keys in a dialog cannot give."""

from __future__ import annotations

from lisa_py.contract.dialogs import DialogDecision
from lisa_py.core.send.decision import PreparedDecision, adapt_to_screen


def test_line_breaks_of_a_typed_answer_are_spaces() -> None:
    given = PreparedDecision(
        decision=DialogDecision(kind="answer", choices=("a",)), answers={"Why?": "one\n two\r\nthree\x1b[A\tx"}
    )
    adapted = adapt_to_screen(given)
    assert adapted.answers == {"Why?": "one two three x"}
    assert adapted.notices == (
        "line breaks of the answer were replaced by spaces: the dialog on the screen takes one line",
    )


def test_a_plain_answer_has_no_notice() -> None:
    given = PreparedDecision(decision=DialogDecision(kind="answer"), answers={"Why?": "so it is"})
    assert adapt_to_screen(given) == given


def test_a_pattern_is_not_applied_by_keys() -> None:
    decision = DialogDecision(kind="approve", scope="session", pattern="Bash(git:*)")
    adapted = adapt_to_screen(PreparedDecision(decision=decision, patterns=("Bash(git:*)",)))
    assert adapted.patterns == ()
    assert adapted.notices == (
        "the pattern Bash(git:*) is not applied: the dialog on the screen has a rule of its own",
    )
