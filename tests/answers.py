"""Answers against their promise: whatever the program writes as JSON fits the schema it publishes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from lisa_py import commands
from lisa_py.cli import parse
from lisa_py.contract import schema
from lisa_py.contract.command import Command
from lisa_py.contract.errors import COMMON

INTERRUPTED, UNREAD = 130, 141
"""Exit codes of any command: after Ctrl-C, and when nobody reads what it says."""


def check(words: Sequence[str], code: int, out: str) -> None:
    """AssertionError when what a call left on stdout, or its exit code, is not what its command promises."""
    path, rest = parse.split(words)
    command = commands.load(path) if path else None
    form = _form(words, command)
    if form == "text" or _is_help(command, rest):
        return
    if code < 0 or code == UNREAD:  # there may be no answer, and half a line
        lines, last = out.splitlines(keepends=True), None
        lines = [line for line in lines if line.endswith("\n") and command is not None and command.events is not None]
    else:
        *lines, last = out.splitlines() or [""]
    for line in lines:
        event(path, json.loads(line))
    if last is None:
        return
    assert last, f"lisa {' '.join(words)} said nothing (exit code {code})"
    answer = json.loads(last)
    if command is None:
        _must_fit(path, "error", answer)
        return
    _must_fit_form(path, command, answer, form)
    assert code in {*command.exits, INTERRUPTED}, f"lisa {' '.join(path)} does not promise exit code {code}"
    assert code or not _is_failure(answer), f"lisa {' '.join(path)} failed with exit code 0: {answer}"


def event(path: tuple[str, ...], line: Mapping[str, Any]) -> None:
    """AssertionError when a line before the answer is none the command promises."""
    _must_fit(path, "events", line)


def _must_fit_form(path: tuple[str, ...], command: Command, answer: Mapping[str, Any], form: str) -> None:
    said = answer.get("errorCode")
    declared = {*COMMON, *command.errors, "", None}
    assert said in declared, f"lisa {' '.join(path)} does not declare its error code {said}"
    if not (_is_failure(answer) and _validator(path, "error").is_valid(answer)):
        _must_fit(path, "json-min" if form == "json-min" and command.min is not None else "json", answer)


def _is_help(command: Command | None, words: Sequence[str]) -> bool:
    return bool({"--help", "-h"} & set(words)) if command is None else parse.asks_for_help(command, words)


def _form(words: Sequence[str], command: Command | None) -> str:
    form = parse.format_of(words)
    return "json" if form == "text" and command is not None and command.text is None else form


def _is_failure(answer: Mapping[str, Any]) -> bool:
    return {"error", "errorCode"} <= answer.keys() and answer.get("ok") is False


def _must_fit(path: tuple[str, ...], kind: str, value: Mapping[str, Any]) -> None:
    breach = best_match(_validator(path, kind).iter_errors(value))
    assert breach is None, f"lisa {' '.join(path)} ({kind}): {breach.message} at {breach.json_path}"


@cache
def _validator(path: tuple[str, ...], kind: str) -> Draft202012Validator:
    command = commands.load(path)
    if kind == "error":  # tells more than its envelope
        return Draft202012Validator(schema.failure(command.errors if command is not None else {}))
    assert command is not None, path
    made = {"json": schema.answer, "json-min": schema.smaller, "events": schema.events}[kind](command)
    assert made is not None, f"lisa {' '.join(path)} promises no {kind}"
    return Draft202012Validator(_closed(made))


def _closed(promise: Any) -> Any:
    """The same promise, and that nothing stands there which it does not name: readers may, tests must not expect it."""
    if isinstance(promise, list):
        return [_closed(part) for part in promise]
    if not isinstance(promise, dict):
        return promise
    made = {
        key: {name: _closed(part) for name, part in value.items()} if key in ("properties", "$defs") else _closed(value)
        for key, value in promise.items()
    }
    return {"additionalProperties": False, **made} if "properties" in made else made
