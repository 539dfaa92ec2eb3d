"""Answers against their promise: whatever a command writes to stdout fits the schema it publishes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema

from lisa_py import commands
from lisa_py.contract import schema


def fits(path: tuple[str, ...], answer: Mapping[str, Any], form: str = "json") -> None:
    """AssertionError when an answer of the command (under --json or --json-min) breaks its schema."""
    command = commands.load(path)
    assert command is not None, path
    if {"error", "errorCode"} <= answer.keys() and answer.get("ok") is False:
        codes = {**command.errors, **{field.code: "" for field in command.fields}}
        if not _breach(answer, schema.failure(codes)):  # a failure may tell more than its envelope
            return
    promise = (schema.smaller(command) if form == "json-min" else None) or schema.answer(command)
    breach = _breach(answer, promise)
    assert not breach, f"lisa {' '.join(path)} ({form}): {breach}"
    unknown = set(answer) - {key for member in promise.get("anyOf", [promise]) for key in member["properties"]}
    assert not unknown, f"lisa {' '.join(path)} ({form}) answers keys it does not promise: {sorted(unknown)}"


def _breach(answer: Mapping[str, Any], promise: schema.Schema) -> str:
    try:
        jsonschema.validate(answer, promise)
    except jsonschema.ValidationError as problem:
        return f"{problem.message} at {problem.json_path}"
    return ""
