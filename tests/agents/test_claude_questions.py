"""Recorded pages of claude's question dialog: lists to tick, and the review of the answers."""

from __future__ import annotations

import pytest

from tests.agents.claude_views import AGENT, pane

VERSIONS = ["", "2.1.197-"]


@pytest.mark.parametrize("version", VERSIONS)
def test_checkbox_list_is_read_with_its_marks(version: str) -> None:
    found = AGENT.find_checklist(pane(f"{version}question-ticked"))
    assert found is not None
    assert [(choice.number, choice.text) for choice in found.choices] == [
        (1, "Apple"),
        (2, "Pear"),
        (3, "Fig"),
        (5, "Chat about this"),
    ]
    assert (found.tickable, found.ticked) == ({1, 2, 3}, {2})
    assert (found.rows, found.selected) == ((1, 2, 3, 4, 0, 5), 2)


@pytest.mark.parametrize("version", VERSIONS)
def test_row_that_submits_can_be_selected(version: str) -> None:
    found = AGENT.find_checklist(pane(f"{version}question-submit-selected"))
    assert found is not None
    assert (found.selected, found.ticked) == (0, {2})


@pytest.mark.parametrize("name", ["question", "2.1.197-question", "question-review", "permission-bash", "idle"])
def test_other_screens_have_no_checkbox_list(name: str) -> None:
    assert AGENT.find_checklist(pane(name)) is None


@pytest.mark.parametrize("version", VERSIONS)
def test_review_screen_reports_a_missing_answer(version: str) -> None:
    assert AGENT.find_review(pane(f"{version}question-review")) == "complete"
    assert AGENT.find_review(pane(f"{version}question-review-incomplete")) == "incomplete"
    assert AGENT.find_review(pane(f"{version}question-ticked")) == ""
    assert AGENT.find_review(pane("idle")) == ""
    choices = AGENT.find_choices(pane(f"{version}question-review"))
    assert [(choice.number, choice.text) for choice in choices] == [(1, "Submit answers"), (2, "Cancel")]
