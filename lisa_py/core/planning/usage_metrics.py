"""Read tokens, seconds and steps from JSON objects: reports of lisa and of agent CLIs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

METRICS = ("tokens", "seconds", "steps")
_PLAIN = {
    "tokens": ("totalTokens", "tokens"),
    "seconds": ("totalSeconds", "seconds"),
    "steps": ("totalSteps", "steps"),
}
_MEASURED = ("observed", "usage", "metrics")
"""Objects that hold measured amounts under the plain names."""
_TOTALS = ("total_token_usage", "thread_token_usage", "turn_token_usage", "last_token_usage")
"""Keys of running totals in agent records, widest first."""
MAX_AMOUNT = (1 << 53) - 1
"""Larger numbers are not amounts, and not every JSON reader accepts them."""
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,19}\s*\Z")
_ENVELOPES = ("payload", "info", "msg")


class UsageReading(Struct, frozen=True, kw_only=True):
    """Metrics of one report; None: not reported."""

    tokens: int | None = None
    seconds: int | None = None
    steps: int | None = None
    estimated: frozenset[str] = frozenset()
    """Metrics that are only estimated."""

    def amount(self, metric: str) -> int | None:
        found: int | None = getattr(self, metric)
        return found

    @property
    def is_blank(self) -> bool:
        return all(self.amount(metric) is None for metric in METRICS)

    @classmethod
    def from_amounts(cls, amounts: Mapping[str, int]) -> UsageReading:
        """Return the known amounts; zero and missing ones are omitted."""
        return cls(
            tokens=amounts.get("tokens") or None,
            seconds=amounts.get("seconds") or None,
            steps=amounts.get("steps") or None,
        )


def read_usage(payload: Mapping[str, Any]) -> UsageReading:
    """Return all metrics of an object, in any known form; measured ones precede estimates."""
    measured, estimate = _read_measured(payload), _read_estimate(payload.get("costEstimate"))
    plain = _read_plain(payload)
    for metric in _read_metric_names(payload, "missingMetrics"):  # a 0 that means unknown
        measured = {name: value for name, value in measured.items() if name != metric or value}
    found: dict[str, int] = {}
    guessed = {metric for metric in _read_metric_names(payload, "estimatedMetrics") if metric in measured}
    for metric in METRICS:
        certain = [one for one in (plain.get(metric), measured.get(metric)) if one is not None]
        guess = estimate.get(metric)
        if metric not in measured and guess is not None and guess > max(certain, default=-1):
            found[metric] = guess
            guessed.add(metric)
        elif certain:
            found[metric] = max(certain)
    return UsageReading(
        tokens=found.get("tokens"),
        seconds=found.get("seconds"),
        steps=found.get("steps"),
        estimated=frozenset(guessed),
    )


def _read_metric_names(payload: Mapping[str, Any], key: str) -> list[str]:
    """Return the metrics that another report of lisa lists under a key."""
    value = payload.get(key)
    return [metric for metric in METRICS if metric in value] if isinstance(value, list) else []


def _read_plain(payload: object) -> dict[str, int]:
    """Return amounts under lisa's names, the larger of two spellings."""
    if not isinstance(payload, dict):
        return {}
    found = {}
    for metric, keys in _PLAIN.items():
        values = [
            _count_steps(payload.get(key)) if metric == "steps" else parse_integer(payload.get(key)) for key in keys
        ]
        known = [value for value in values if value is not None]
        if known:
            found[metric] = max(known)
    return found


def _read_estimate(payload: object) -> dict[str, int]:
    """Return the amounts of a plan: its tokens are those of lisa's output and those of the agent."""
    found = _read_plain(payload)
    agent_tokens = parse_integer(payload.get("agentTokens")) if isinstance(payload, dict) else None
    if agent_tokens is not None:
        found["tokens"] = found.get("tokens", 0) + agent_tokens
    return found


def _read_measured(payload: Mapping[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in _iterate_parts(payload):
        for metric, value in part.items():
            found[metric] = max(value, found.get(metric, -1))
    return found


def _iterate_parts(payload: Mapping[str, Any]) -> Iterator[dict[str, int]]:
    for key in _MEASURED:
        if isinstance(payload.get(key), dict):
            yield _read_plain(payload[key])
            yield _read_tokens(payload[key])
    yield _read_agent_result(payload)
    yield _read_totals(payload)


def _read_agent_result(payload: Mapping[str, Any]) -> dict[str, int]:
    """Return duration and turns from the final record of an exec run."""
    found = {}
    duration, turns = parse_integer(payload.get("duration_ms")), parse_integer(payload.get("num_turns"))
    if duration is not None:
        found["seconds"] = math.ceil(duration / 1000)
    if turns is not None:
        found["steps"] = turns
    return found


def _read_totals(payload: Mapping[str, Any]) -> dict[str, int]:
    """Return the running totals in an agent record, at any depth."""
    layer: object = payload
    for _ in range(3):
        if not isinstance(layer, dict):
            return {}
        for key in _TOTALS:
            if isinstance(layer.get(key), dict):
                return _read_tokens(layer[key])
        layer = next((layer[key] for key in _ENVELOPES if isinstance(layer.get(key), dict)), None)
    return {}


def _read_tokens(usage: Mapping[str, Any]) -> dict[str, int]:
    """Return the tokens of a usage object.

    Cache reads and writes that are counted apart from the input (`cache_read_input_tokens`) are added; those that are
    part of it (`cached_input_tokens`) are not.
    """
    for key in ("total_tokens", "totalTokens"):
        total = parse_integer(usage.get(key))
        if total is not None:
            return {"tokens": total}
    apart = ("cache_creation_input_tokens", "cache_read_input_tokens")
    sides = ("input_tokens", "output_tokens", "inputTokens", "outputTokens", *apart)
    known = [value for value in (parse_integer(usage.get(key)) for key in sides) if value is not None]
    return {"tokens": sum(known)} if known else {}


def _count_steps(value: object) -> int | None:
    return len(value) if isinstance(value, list) else parse_integer(value)


def parse_integer(value: object) -> int | None:
    """Return an integer: JSON numbers are truncated toward zero, text must be a plain integer, else None."""
    found: int | None = None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        found = value
    elif (isinstance(value, float) and math.isfinite(value)) or (isinstance(value, str) and _INTEGER.match(value)):
        found = int(value)
    return found if found is not None and abs(found) <= MAX_AMOUNT else None
