"""Read an agent's own definition: a header between `---` lines, then the system prompt."""

from __future__ import annotations

import os
import re
from typing import Any

import msgspec
from msgspec import UNSET

from lisa_py.agents.base import Agent
from lisa_py.contract import session_settings
from lisa_py.contract.errors import LisaError
from lisa_py.contract.late_pattern import compile_late
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.definitions.records import Definition, OwnFields
from lisa_py.core.definitions.yaml_documents import Place, make_error, read_documents

_HEADER = compile_late(r"---[ \t]*\r?\n(?P<header>.*?)(?:^---[ \t]*(?:\r?\n|\Z))", re.DOTALL | re.MULTILINE)
_LINE = compile_late(r"(?P<key>[A-Za-z][\w-]*):[ \t]*(?P<value>.*?)[ \t\r]*$", re.MULTILINE)


def read_agent_file(path: str, text: str, agent: Agent) -> Definition | None:
    """Return the definition; None for a text without a header. Raise LisaError(invalid_definition, ...)."""
    match = _HEADER.match(text)
    if match is None:
        return None
    header = _read_header(path, match["header"])
    fields = agent.read_definition(header)
    stem = os.path.splitext(os.path.basename(path))[0]
    name, description = fields.pop("definition", None) or stem, fields.pop("description", None) or ""
    if not isinstance(name, str) or not isinstance(description, str):
        raise make_error(Place(path, 2, 1), "name and description are texts")
    warnings = list(fields.pop("warnings", ()))
    for field in ("allowed_tools", "denied_tools"):
        patterns = fields.get(field) or ()
        fitting = tuple(each for each in patterns if session_settings.TOOL_PATTERN.match(each))
        warnings += [f"tool pattern without effect: {each}" for each in patterns if each not in fitting]
        if field in fields:
            fields[field] = fitting
    body = text[match.end() :].strip()
    try:
        settings = msgspec.convert({**fields, "agent": agent.name}, SessionSettings)
        session_settings.check(settings)
    except msgspec.ValidationError as problem:
        raise make_error(Place(path, 2, 1), str(problem).replace("`", "")) from None
    except LisaError as problem:
        raise make_error(Place(path, 2, 1), problem.message, problem.code) from None
    return Definition(
        name=name,
        path=path,
        line=1,
        kind=agent.name,
        settings=msgspec.structs.replace(settings, system_prompt=body or UNSET),
        own=OwnFields(description=description),
        warnings=tuple(warnings),
    )


def _read_header(path: str, header: str) -> dict[str, Any]:
    """Return the fields; where agents accept what is no YAML (`description: Use: x`), each line is a field."""
    try:
        documents = read_documents(path, header, 1)
        value = documents[0].value if documents else {}
    except LisaError:
        return {match["key"]: match["value"] for match in _LINE.finditer(header)}
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise make_error(Place(path, 2, 1), "the header is not a map of fields")
    return {str(key): part for key, part in value.items()}
