"""Load usage reports from files and pipes: one JSON object each, or the last reporting line of JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from lisa_py import agents
from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.core.inputs import InputError, Inputs
from lisa_py.core.planning import usage_metrics
from lisa_py.core.planning.budget import UsageReport
from lisa_py.core.planning.usage_metrics import UsageReading


def load_reports(inputs: Inputs, objects: Iterable[str], streams: Iterable[str]) -> list[UsageReport]:
    """Return the reports of all sources, objects first. Raise LisaError(invalid_from | invalid_from_jsonl)."""
    found = [UsageReport(name, _load_report(inputs, name, "from")) for name in objects]
    return found + [UsageReport(name, _load_report(inputs, name, "from-jsonl")) for name in streams]


def split_sources(csv: Iterable[str]) -> list[str]:
    """Return the sources of a repeatable flag with comma-separated values."""
    return [name.strip() for item in csv for name in item.split(",") if name.strip()]


def _load_report(inputs: Inputs, name: str, flag: str) -> UsageReading:
    try:
        text = inputs.read_text(name)
        return parse_object(text) if flag == "from" else parse_lines(text)
    except InputError as problem:
        code = "invalid_" + flag.replace("-", "_")
        raise LisaError(code, f'failed loading --{flag} source "{name}": {problem}', source=name) from problem


def parse_object(text: str) -> UsageReading:
    """Parse the whole text as one JSON object. Raise InputError."""
    try:
        payload = jsontext.decode(text)
    except msgspec.DecodeError as problem:
        raise InputError(f"not a JSON object ({problem}); --from-jsonl reads JSON lines") from problem
    if not isinstance(payload, dict):
        raise InputError("not a JSON object")
    return usage_metrics.read_usage(payload)


def parse_lines(text: str) -> UsageReading:
    """Return the last line that is or holds an object; if it reports nothing, the transcript or the last that does.

    Raise InputError if no line holds an object.
    """
    whole = _decode_object(text)
    if whole is not None:
        return usage_metrics.read_usage(whole)
    objects = [found for found in map(_extract_object, text.splitlines()) if found is not None]
    if not objects:
        raise InputError("no valid JSON object found")
    last = usage_metrics.read_usage(objects[-1])
    if not last.is_blank:
        return last
    transcript_usage = parse_transcript(text)
    if not transcript_usage.is_blank:
        return transcript_usage
    return next((reading for reading in map(usage_metrics.read_usage, reversed(objects)) if not reading.is_blank), last)


def parse_transcript(text: str) -> UsageReading:
    """Return the sum of the calls in a transcript of any agent; empty if it is none."""
    for name in agents.names():
        usage = list(_iterate_call_tokens(name, text))
        if usage:
            return UsageReading(tokens=sum(usage))
    return UsageReading()


def _iterate_call_tokens(agent_name: str, text: str) -> Iterator[int]:
    """Yield the tokens of each model call; repeated records of a call count once, by the last of them."""
    agent = agents.get(agent_name)
    by_call: dict[str, int] = {}
    for number, line in enumerate(text.encode("utf-8", "surrogateescape").splitlines()):
        for frame in agent.parse_frames(line, 0):
            if frame.kind == "usage" and frame.usage is not None:
                by_call[frame.id or f"#{number}"] = frame.usage.total_tokens
    yield from by_call.values()


def _decode_object(text: str) -> dict[str, Any] | None:
    try:
        found = jsontext.decode(text)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None


def _extract_object(line: str) -> dict[str, Any] | None:
    """Return the object of a line, or the one between its first and last brace."""
    if not line.strip():
        return None
    return _decode_object(line) or _decode_object(line[line.find("{") : line.rfind("}") + 1])
