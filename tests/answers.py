"""Check that the JSON output of the program fits the schema it publishes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import jsonschema_rs
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from lisa_py import commands
from lisa_py.cli import parse
from lisa_py.contract import schema
from lisa_py.contract.command import Command
from lisa_py.contract.errors import COMMON_ERRORS

INTERRUPTED, OUTPUT_CLOSED = 130, 141
"""Exit codes of any command: after Ctrl-C, and when its output has no reader."""
READS_OF_ABSENT = (("session", "explain"), ("session", "snapshot"))
"""Commands whose answer about a session that does not exist has exit code 0."""


def check_answer(words: Sequence[str], code: int, out: str) -> None:
    """Raise AssertionError if the stdout or exit code of a call does not fit its command."""
    path, rest = parse.split_command(words)
    command = commands.load(path) if path else None
    form = _output_form(words, command)
    if form == "text" or _is_help(command, rest):
        return
    if code < 0 or code == OUTPUT_CLOSED:  # there may be no answer, and half a line
        lines, last = out.splitlines(keepends=True), None
        lines = [line for line in lines if line.endswith("\n") and command is not None and command.events is not None]
    else:
        *lines, last = out.splitlines() or [""]
    for line in lines:
        check_event(path, json.loads(line))
    if last is None:
        return
    assert last, f"lisa {' '.join(words)} said nothing (exit code {code})"
    answer = json.loads(last)
    if command is None:
        _check_schema(path, "error", answer)
        return
    _check_form(path, command, answer, form)
    assert code in {*command.exits, INTERRUPTED}, f"lisa {' '.join(path)} does not promise exit code {code}"
    excused = path in READS_OF_ABSENT and answer.get("errorCode") == "session_not_found"
    assert code or excused or not _is_failure(answer), f"lisa {' '.join(path)} failed with exit code 0: {answer}"


def check_event(path: tuple[str, ...], line: Mapping[str, Any]) -> None:
    """Raise AssertionError if a line before the answer is not an event of the command."""
    _check_schema(path, "events", line)


def _check_form(path: tuple[str, ...], command: Command, answer: Mapping[str, Any], form: str) -> None:
    error_code = answer.get("errorCode")
    declared = {*COMMON_ERRORS, *command.error_codes, "", None}
    assert error_code in declared, f"lisa {' '.join(path)} does not declare its error code {error_code}"
    if not (_is_failure(answer) and _validator(path, "error").quick.is_valid(answer)):
        _check_schema(path, "json-min" if form == "json-min" and command.min is not None else "json", answer)


def _is_help(command: Command | None, words: Sequence[str]) -> bool:
    return bool({"--help", "-h"} & set(words)) if command is None else parse.is_help_request(command, words)


def _output_form(words: Sequence[str], command: Command | None) -> str:
    form = parse.detect_format(words)
    has_text = command is None or command.text is not None or command.document is not None
    return form if has_text or form != "text" else "json"


def _is_failure(answer: Mapping[str, Any]) -> bool:
    return {"error", "errorCode"} <= answer.keys() and answer.get("ok") is False


def _check_schema(path: tuple[str, ...], kind: str, value: Mapping[str, Any]) -> None:
    validator = _validator(path, kind)
    if not validator.quick.is_valid(value):
        violation = best_match(validator.thorough.iter_errors(value))
        assert violation is None, f"lisa {' '.join(path)} ({kind}): {violation.message} at {violation.json_path}"


class _Validator(NamedTuple):
    """The same schema twice: validation in Rust takes a small part of the time, the other names what is wrong."""

    quick: jsonschema_rs.Draft202012Validator
    thorough: Draft202012Validator


def _make_validator(published: Any) -> _Validator:
    return _Validator(jsonschema_rs.Draft202012Validator(published), Draft202012Validator(published))


@cache
def _validator(path: tuple[str, ...], kind: str) -> _Validator:
    command = commands.load(path)
    if kind == "error":  # holds more than its envelope
        return _make_validator(schema.failure_schema(command.error_codes if command is not None else ()))
    assert command is not None, path
    published = {"json": schema.answer_schema, "json-min": schema.min_schema, "events": schema.event_schema}[kind](
        command
    )
    assert published is not None, f"lisa {' '.join(path)} promises no {kind}"
    return _make_validator(_forbid_extra_properties(published))


def _forbid_extra_properties(published: Any) -> Any:
    """Return the schema without additional properties: readers must accept them, tests must not."""
    if isinstance(published, list):
        return [_forbid_extra_properties(part) for part in published]
    if not isinstance(published, dict):
        return published
    closed = {
        key: {name: _forbid_extra_properties(part) for name, part in value.items()}
        if key in ("properties", "$defs")
        else _forbid_extra_properties(value)
        for key, value in published.items()
    }
    return {"additionalProperties": False, **closed} if "properties" in closed else closed
