"""Rules that every command follows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lisa_py import commands
from lisa_py.cli import click_options, main, parse
from lisa_py.contract import schema
from lisa_py.contract.command import Command, Field
from lisa_py.contract.errors import COMMON_ERRORS
from lisa_py.core.guard import shell_parser
from tests.answers import check_answer
from tests.lisa_host import LisaHost

PATHS = commands.paths()
EVERY = pytest.mark.parametrize("path", PATHS, ids=" ".join)
ACTS_AT_LENGTH = {
    ("demo",),
    ("mcp", "serve"),
    ("peer",),
    ("serve",),
    ("watch",),
    ("session", "smoke"),
    ("session", "autopilot"),
    ("session", "loop"),
    ("session", "preflight"),
}
"""Commands that start sessions or agents by themselves; their own tests run them."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the state and crash reports of calls in this process in a temporary folder."""
    monkeypatch.setenv("LISA_STATE_DIR", str(tmp_path / "state"))


def load(path: tuple[str, ...]) -> Command:
    command = commands.load(path)
    assert command is not None
    return command


def run_cli(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main.main(argv)
    out, err = capsys.readouterr()
    check_answer(argv, code, out)
    return code, out, err


def one_object(out: str) -> dict[str, Any]:
    lines = out.splitlines()
    assert len(lines) == 1, out
    value = json.loads(lines[0])
    assert isinstance(value, dict)
    return value


@EVERY
def test_help_is_complete_and_on_stdout(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    command = load(path)
    code, out, err = run_cli(capsys, *path, "--help")
    assert (code, err) == (0, "")
    assert commands.summary(path) in out
    for field in command.fields:
        assert field.flag.help, field.spelling
        assert all(spelling in out for spelling in (*field.spellings(), *click_options.choices(field)))
    for shown in ("--json", *command.errors, *(line.strip() for line in command.example.strip().splitlines())):
        assert shown in out
    for number, meaning in command.exits.items():
        assert re.search(rf"^  {number} +{re.escape(meaning)}$", out, re.MULTILINE)


@EVERY
def test_it_has_an_example_that_parses(path: tuple[str, ...]) -> None:
    """Every lisa call in the example is one the parser accepts, and one of them is of this command."""
    calls = [
        command.words[1:]
        for line in load(path).example.replace("\\\n", " ").splitlines()
        if line.strip()
        for command in shell_parser.parse_commands(re.sub(r" > \S+", "", line))
        if command.words[0] == "lisa"
    ]
    named = []
    for words in calls:
        called, rest = parse.split_command(words)
        parse.read_arguments(called, load(called), rest)
        named.append(called)
    assert path in named


@EVERY
@pytest.mark.parametrize("form", ["--json", "--json-min"])
def test_an_unknown_flag_is_one_json_object(
    path: tuple[str, ...], form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for argv in ((*path, "--no-such-flag", form), (*path, form, "--no-such-flag")):
        code, out, err = run_cli(capsys, *argv)
        assert (code, err) == (1, "")
        answer = one_object(out)
        assert answer["errorCode"] == "unknown_flag" and answer["ok"] is False
        assert answer["stderrPolicy"] == "diagnostic"


@EVERY
def test_values_may_follow_an_equals_sign_and_may_not_be_missing(path: tuple[str, ...]) -> None:
    command = load(path)
    needed = least(command)
    for field in command.fields:
        if field.is_switch:
            continue
        value = sample(field)
        others = [word for word in needed if not word.startswith(field.spelling + "=")]
        joined, _ = parse.read_arguments(path, command, [*others, f"{field.spelling}={value}"])
        apart, given = parse.read_arguments(path, command, [*others, field.spelling, value])
        assert joined == apart and field.name in given
        for forgotten in ([field.spelling], [field.spelling, "--json"]):
            with pytest.raises(parse.UsageError) as problem:
                parse.read_arguments(path, command, forgotten)
            assert problem.value.code == "missing_flag_value"


@EVERY
def test_refused_values_name_the_flag_and_its_code(path: tuple[str, ...]) -> None:
    command = load(path)
    for field in command.fields:
        if not (field.flag.choices or field.flag.boolean_word or field.kind in (int, float)):
            continue
        with pytest.raises(parse.UsageError) as problem:
            parse.read_arguments(path, command, [f"{field.spelling}=?"])
        assert problem.value.code == field.code and field.spelling in problem.value.message
        assert field.code in {*COMMON_ERRORS, *command.error_codes}


@EVERY
def test_schemas_are_complete(path: tuple[str, ...]) -> None:
    command = load(path)
    answer = schema.answer_schema(command)
    assert answer["type"] == "object"
    assert answer.get("properties") or answer.get("anyOf")
    smaller = schema.min_schema(command)
    for whole in (answer, *([smaller] if smaller is not None else [])):
        for member in whole.get("anyOf", [whole]):
            assert "stderrPolicy" in member["properties"] and "stderrPolicy" in member["required"]
    own = schema.failure_schema(command.error_codes)["properties"]["errorCode"]["enum"]
    assert {*COMMON_ERRORS, *command.error_codes} == set(own)


@pytest.mark.parametrize("path", [path for path in PATHS if path not in ACTS_AT_LENGTH], ids=" ".join)
def test_answers_fit_their_schema(path: tuple[str, ...], machine: LisaHost) -> None:
    """Called with the required flags and no session, every format is one object that fits its schema."""
    command = load(path)
    words = least(command)
    for form in ("--json", *(["--json-min"] if command.min is not None else [])):
        answer = machine.lisa(*path, *words, form)
        assert answer.lines, answer


def least(command: Command) -> list[str]:
    """Return the required flags."""
    needed = [field for field in command.fields if field.required]
    return [field.spelling if field.is_switch else f"{field.spelling}={sample(field)}" for field in needed]


def sample(field: Field) -> str:
    """Return a valid value of the flag."""
    if field.flag.choices:
        return field.flag.choices[0]
    if field.flag.boolean_word:
        return "true"
    if field.kind in (int, float):
        return str(max(field.flag.minimum or 0, 3))
    return "lisa-absent" if field.name == "session" else "x"


def test_flags_that_ask_for_json_are_known_before_parsing() -> None:
    spellings = {field.spelling for path in PATHS for field in load(path).fields if field.flag.json}
    assert spellings <= set(parse.JSON_FLAGS)
