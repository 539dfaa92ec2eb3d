"""Reading the words of a call: the quick way and click agree, and every mistake has its code."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from lisa_py.cli import click_options, parse
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError

PATH = ("session", "sample")


class Args(Struct, kw_only=True):
    session: Annotated[str, Flag(help="needed")]
    lines: Annotated[int, Flag(help="a number", minimum=1)] = 5
    rows: Annotated[int, Flag(help="a bounded number", minimum=1, maximum=100)] = 5
    mode: Annotated[str, Flag(help="a choice", choices=("one", "two"), aliases={"uno": "one"})] = "one"
    enter: Annotated[bool, Flag(help="a switch", off_spelling="--no-enter")] = False
    wait: Annotated[bool, Flag(help="a word", boolean_word=True)] = True
    file: Annotated[str, Flag(help="also so", other_spellings=("--path",))] = ""


class Placed(Struct, kw_only=True):
    action: Annotated[str, Flag(help="may stand alone", choices=("save", "load"), positional=True)] = ""


COMMAND = Command(group="programs", args=Args, answer=Args, run=lambda args, ctx: args, min=("session",))
PLACED = Command(group="programs", args=Placed, answer=Placed, run=lambda args, ctx: args)


def read(*words: str) -> tuple[Any, frozenset[str]]:
    return parse.read_arguments(PATH, COMMAND, words)


def code(*words: str, command: Command = COMMAND) -> str:
    with pytest.raises(UsageError) as problem:
        parse.read_arguments(PATH, command, words)
    return problem.value.code


class DerivedArgs(Placed, kw_only=True):
    later: Annotated[str, Flag(help="a text")] = ""
    action: Annotated[str, Flag(help="declared again")] = ""


def test_flags_of_a_command_precede_inherited_ones() -> None:
    fields = Command(group="programs", args=DerivedArgs, answer=Args).fields
    assert [(field.name, field.flag.help) for field in fields] == [("later", "a text"), ("action", "declared again")]


def test_flag_values_apart_or_joined_last_one_wins() -> None:
    args, named = read("--session", "lisa-a", "--lines=7", "--lines", "9", "--mode", "UNO", "--json", "--json-min")
    assert args == Args(session="lisa-a", lines=9, mode="one")
    assert named == {"session", "lines", "mode"}


def test_switches_words_and_second_spellings() -> None:
    args, _ = read("--session=a", "--enter", "--no-enter", "--wait", "FALSE", "--path", "x")
    assert (args.enter, args.wait, args.file) == (False, False, "x")
    assert read("--session=a", "--no-enter", "--enter")[0].enter is True


def test_joined_value_may_be_any_text() -> None:
    assert read("--session=--json")[0].session == "--json"
    assert read("--session==x=")[0].session == "=x="
    assert read("--session", "-x")[0].session == "-x"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--session", "a", "--nope"], "unknown_flag"),
        (["--session", "a", "--nope=3"], "unknown_flag"),
        (["--session", "a", "word"], "unknown_flag"),
        (["--session", "a", "-x"], "unknown_flag"),
        (["--session", "a", "--enter=yes"], "unknown_flag"),
        (["--session", "a", "--", "--enter"], "unknown_flag"),
        (["--sess", "a"], "unknown_flag"),
        (["--session"], "missing_flag_value"),
        (["--session", "--lines", "3"], "missing_flag_value"),
        (["--lines", "--json"], "missing_flag_value"),
        (["--enter"], "missing_required_flag"),
        (["--session="], "missing_required_flag"),
        (["--session=a", "--lines=0"], "invalid_lines"),
        (["--session=a", "--lines=3.5"], "invalid_lines"),
        (["--session=a", "--lines="], "invalid_lines"),
        (["--session=a", "--lines=1_000"], "invalid_lines"),
        (["--session=a", "--lines=\u0663"], "invalid_lines"),
        (["--session=a", "--lines=9007199254740992"], "invalid_lines"),
        (["--session=a", "--lines=" + "9" * 5000], "invalid_lines"),
        (["--session=a", "--rows=101"], "invalid_rows"),
        (["--session=a", "--mode=three"], "invalid_mode"),
        (["--session=a", "--wait=yes"], "invalid_wait"),
    ],
)
def test_every_usage_error_has_its_code(words: list[str], expected: str) -> None:
    assert code(*words) == expected


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("--help", True),
        ("-h --session a", True),
        ("--session a --enter --help", True),
        ("--session --session --help", True),
        ("--session a --file -h", False),
        ("--path --help", False),
        ("--file=--help", False),
    ],
)
def test_flag_value_is_not_a_help_request(words: str, wanted: bool) -> None:
    assert parse.is_help_request(COMMAND, words.split()) is wanted


def test_missing_value_before_help_is_an_error() -> None:
    assert code("--session", "a", "--file", "--help") == "missing_flag_value"
    assert read("--session", "a", "--file", "-h")[0].file == "-h"


def test_similar_name_is_suggested() -> None:
    with pytest.raises(UsageError) as problem:
        read("--sesion", "a")
    assert "--session" in problem.value.message and "lisa session sample --help" in problem.value.message


def test_positional_word_replaces_its_flag_only() -> None:
    assert parse.read_arguments(PATH, PLACED, ["save"])[0] == Placed(action="save")
    assert parse.read_arguments(PATH, PLACED, ["--json", "load"])[1] == {"action"}
    assert code("save", "--action", "load", command=PLACED) == "unknown_flag"
    assert code("save", "load", command=PLACED) == "unknown_flag"
    assert code("steal", command=PLACED) == "invalid_action"


VALUES = st.sampled_from(["lisa-a", "3", "one", "true", "-5", "", "a b", "ü", "=", "--", "-"])
WORDS = st.one_of(
    VALUES,
    st.sampled_from(
        ["--session", "--lines", "--mode", "--wait", "--path", "--enter", "--no-enter", "--json", "--nope"]
    ),
    st.builds("{}={}".format, st.sampled_from(["--session", "--lines", "--file", "--enter", "--nope"]), VALUES),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=6))
def test_quick_parser_agrees_with_click(words: list[str]) -> None:
    quick = parse.parse_plain(COMMAND, COMMAND.fields, words)
    if quick is not None:
        assert click_options.parse_values(PATH, COMMAND, words) == quick


@pytest.mark.parametrize(
    ("words", "form"),
    [
        (["session", "exists"], "text"),
        (["session", "exists", "--json"], "json"),
        (["session", "exists", "--json", "--json-min"], "json-min"),
        (["session", "monitor", "--stream-json"], "json"),
        (["nonsense", "--json"], "json"),
    ],
)
def test_the_format_is_known_before_parsing(words: list[str], form: str) -> None:
    assert parse.detect_format(words) == form


def test_groups_aliases_and_versions_are_distinguished() -> None:
    assert parse.split_command(["session", "exists", "--json"]) == (("session", "exists"), ["--json"])
    assert parse.split_command(["session", "router"]) == (("session", "route"), [])
    assert parse.split_command(["-v", "x"]) == (("version",), ["x"])
    assert parse.split_command(["doctor", "x"]) == (("doctor",), ["x"])
    assert parse.split_command(["--json", "doctor", "x"]) == (("doctor",), ["x", "--json"])
    assert parse.split_command(["--json", "--json"]) == (("--json",), ["--json"])
    assert parse.split_command([]) == ((), [])
