"""Loads budget reports from files and pipes: one JSON object each, or the last telling line of a JSON-lines stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from lisa_py import agents
from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.core.advice import metrics
from lisa_py.core.advice.budget import Report
from lisa_py.core.advice.given import Inputs, Unusable
from lisa_py.core.advice.metrics import Reading


def load(inputs: Inputs, objects: Iterable[str], streams: Iterable[str]) -> list[Report]:
    """The reports of all sources, objects first. Raises LisaError(invalid_from | invalid_from_jsonl)."""
    found = [Report(name, _one(inputs, name, "from")) for name in objects]
    return found + [Report(name, _one(inputs, name, "from-jsonl")) for name in streams]


def names(csv: Iterable[str]) -> list[str]:
    """The sources of a flag that may be given several times with several sources each."""
    return [name.strip() for item in csv for name in item.split(",") if name.strip()]


def _one(inputs: Inputs, name: str, flag: str) -> Reading:
    try:
        text = inputs.text(name)
        return of_object(text) if flag == "from" else of_lines(text)
    except Unusable as problem:
        code = "invalid_" + flag.replace("-", "_")
        raise LisaError(code, f'failed loading --{flag} source "{name}": {problem}', source=name) from problem


def of_object(text: str) -> Reading:
    """The whole text is one JSON object. Raises Unusable."""
    try:
        payload = jsontext.decode(text)
    except msgspec.DecodeError as problem:
        raise Unusable(f"not a JSON object ({problem}); --from-jsonl reads JSON lines") from problem
    if not isinstance(payload, dict):
        raise Unusable("not a JSON object")
    return metrics.read(payload)


def of_lines(text: str) -> Reading:
    """The last line that is an object, or holds one; when it reports nothing, the transcript or the last that does.

    Raises Unusable when no line holds an object.
    """
    whole = _object(text)
    if whole is not None:
        return metrics.read(whole)
    every = [found for found in map(_within, text.splitlines()) if found is not None]
    if not every:
        raise Unusable("no valid JSON object found")
    last = metrics.read(every[-1])
    if not last.blank:
        return last
    spent = of_transcript(text)
    if not spent.blank:
        return spent
    return next((reading for reading in map(metrics.read, reversed(every)) if not reading.blank), last)


def of_transcript(text: str) -> Reading:
    """The calls of an agent's transcript added up, whichever agent wrote it; blank when it is none."""
    for name in agents.names():
        usage = list(_calls(name, text))
        if usage:
            return Reading(tokens=sum(usage))
    return Reading()


def _calls(agent_name: str, text: str) -> Iterator[int]:
    """Tokens of each model call; records that repeat a call count once, by what the last of them says."""
    agent = agents.get(agent_name)
    by_call: dict[str, int] = {}
    for number, line in enumerate(text.encode("utf-8", "surrogateescape").splitlines()):
        for frame in agent.frames(line, 0):
            if frame.kind == "usage" and frame.usage is not None:
                by_call[frame.id or f"#{number}"] = frame.usage.total_tokens
    yield from by_call.values()


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = jsontext.decode(text)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None


def _within(line: str) -> dict[str, Any] | None:
    """The object a line is, or the one between its first and last brace."""
    if not line.strip():
        return None
    return _object(line) or _object(line[line.find("{") : line.rfind("}") + 1])
