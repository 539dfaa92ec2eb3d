"""session answer: several questions by number, label and text."""

from __future__ import annotations

import os
import signal

import pytest

from lisa_py.store import dialogs
from tests.commands.session.dialog_stage import DialogStage
from tests.lisa_host import LisaHost
from tests.polling import wait_until

QUESTIONS = "[question Which colour? | red | blue // Fruits?+ | apple | fig | pear]"


@pytest.fixture
def stage(machine: LisaHost) -> DialogStage:
    made = DialogStage(machine)
    made.spawn()
    return made


def test_questions_are_answered_by_label_and_numbers(stage: DialogStage) -> None:
    (dialog,) = stage.ask(QUESTIONS, "question").list_open()
    assert [question["question"] for question in dialog["questions"]] == ["Which colour?", "Fruits?"]
    assert [question["multiSelect"] for question in dialog["questions"]] == [False, True]
    for words, code in (
        (("approve",), "answer_required"),
        (("answer", "--choice", "1"), "answer_missing"),
        (("answer", "--choice", "7", "--choice", "1"), "answer_not_offered"),
    ):
        assert stage.lisa(*words).json["errorCode"] == code
    answered = stage.lisa("answer", "--choice", "BLUE", "--choice", "1,3")
    assert (answered.code, answered.json["answers"]) == (0, {"Which": "blue", "Fruits": "apple, pear"}), answered
    assert stage.wait_for_result() == ("Which colour?=blue; Fruits?=apple, pear", False)
    late = stage.lisa("answer", "--choice", "1", "--choice", "1", "--id", dialog["id"])
    assert (late.json["errorCode"], late.json["decision"]) == ("dialog_already_answered", "answer")


def test_question_without_its_hook_is_answered_on_the_screen(stage: DialogStage) -> None:
    stage.ask("[question Which colour? | red | blue // And size? | small | big]", "question")
    (waiting,) = dialogs.list_waiting(stage.ref)
    os.kill(int(waiting.key.rpartition("-")[2]), signal.SIGKILL)
    wait_until(lambda: not dialogs.list_waiting(stage.ref))
    free = stage.lisa("answer", "--choice", "green", "--choice", "1")
    assert free.json["errorCode"] == "not_supported"
    answered = stage.lisa("answer", "--choice", "2", "--choice", "BIG")
    assert (answered.code, answered.json.get("way")) == (0, "screen"), answered
    assert stage.wait_for_result() == ("Which colour?=blue; And size?=big", False)


@pytest.mark.parametrize("words", [("--choice", "BIG"), ("--choice", "red", "--choice", "2")])
def test_answer_continues_at_the_open_question(stage: DialogStage, words: tuple[str, ...]) -> None:
    stage.ask("[question Which colour? | red | blue // And size? | small | big]", "question")
    assert stage.lisa("send", "--answer", "2").code == 0
    stage.wait_for_text("And size?")
    answered = stage.lisa("answer", *words)
    assert (answered.code, answered.json.get("way")) == (0, "screen"), answered
    assert answered.json["notices"] == ["answered before: Which colour?"]
    assert stage.wait_for_result() == ("Which colour?=blue; And size?=big", False)


def test_choice_of_another_dialog_is_selected_by_its_text(stage: DialogStage) -> None:
    assert stage.send("[dialog update Update now? | Update | Skip | Skip until next version]").code == 0
    stage.wait_for_state("waiting", waitingFor="update")
    (dialog,) = stage.list_open()
    assert (dialog["kind"], dialog["way"]) == ("update", "screen")
    assert stage.lisa("answer", "--choice", "later").json["errorCode"] == "answer_not_offered"
    answered = stage.lisa("answer", "--choice", "skip", "--id", dialog["id"])
    assert answered.code == 0, answered
    stage.wait_for_text("Update now? Skip")
