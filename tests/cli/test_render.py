"""Output of answers."""

from __future__ import annotations

import json

import pytest
from msgspec import UNSET, Struct, UnsetType

from lisa_py.cli import render
from lisa_py.contract.command import Command


class Answer(Struct, kw_only=True, rename="camel"):
    exit_code: int = 3
    some_name: str = "<a & b>"
    left_out: str | UnsetType = UNSET


class Less(Struct):
    n: int


COMMAND = Command(
    group="programs",
    args=Less,
    answer=Answer,
    run=print,
    text=lambda answer, args: "words",
    min=("some_name", "left_out"),
)


def render_output(capsys: pytest.CaptureFixture[str], command: Command, form: str) -> str:
    assert render.print_answer(command, Answer(), Less(1), form) == 0
    return capsys.readouterr().out


def test_json_is_one_sorted_line_without_unset_keys(capsys: pytest.CaptureFixture[str]) -> None:
    out = render_output(capsys, COMMAND, "json")
    assert out == '{"exitCode":3,"someName":"<a & b>","stderrPolicy":"diagnostic"}\n'


def test_json_min_keeps_the_named_fields_that_are_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(render_output(capsys, COMMAND, "json-min")) == {
        "someName": "<a & b>",
        "stderrPolicy": "diagnostic",
    }


def test_json_min_may_be_made_by_a_function(capsys: pytest.CaptureFixture[str]) -> None:
    made = Command(group="programs", args=Less, answer=Answer, run=print, min=lambda answer, args: Less(args.n))
    assert json.loads(render_output(capsys, made, "json-min"))["n"] == 1


def test_text_ends_with_one_newline(capsys: pytest.CaptureFixture[str]) -> None:
    assert render_output(capsys, COMMAND, "text") == "words\n"
    bare = Command(
        group="programs", args=Less, answer=Answer, run=print, text=lambda answer, args: "raw", newline=False
    )
    assert render_output(capsys, bare, "text") == "raw"


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    render.make_progress_printer()("working")
    assert capsys.readouterr().err == ""
