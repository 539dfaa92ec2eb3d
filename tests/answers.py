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
    if answer.get("ok") is False and "error" in answer:
        promise = schema.failure(command.errors | {field.code: "" for field in command.fields})
    else:
        promise = (schema.smaller(command) if form == "json-min" else None) or schema.answer(command)
    try:
        jsonschema.validate(answer, promise)
    except jsonschema.ValidationError as problem:
        raise AssertionError(f"lisa {' '.join(path)} ({form}): {problem.message} at {problem.json_path}") from None
    unknown = set(answer) - _keys(promise)
    assert not unknown, f"lisa {' '.join(path)} ({form}) answers keys it does not promise: {sorted(unknown)}"


def _keys(promise: schema.Schema) -> set[str]:
    return {key for member in promise.get("anyOf", [promise]) for key in member.get("properties", {})}
