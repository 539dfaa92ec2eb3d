"""Prices of models: the table of the package genai-prices, and the user's own table over it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import cache

import msgspec
from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.frames import Usage
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.env import Settings

USER_FILE = "prices.json"
"""File in the state folder: model name -> rates in dollars per million tokens."""
MAX_BYTES = 4 << 20
_TABLE = os.path.join(os.path.dirname(__file__), "model_prices.json")
_MILLION = 1_000_000
_VARIANT = re.compile(r"\[[^\]]*\]\Z")
"""Suffix of a model name that chooses a context size: claude-opus-4-6[1m]."""


class Rates(Struct, frozen=True, omit_defaults=True):
    """Dollars per million tokens; a missing cache rate is that of other input."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    above: int = -1
    """The rates apply to calls with more input tokens than this."""

    def cost(self, usage: Usage) -> float:
        """Return the dollars of one call."""
        read, write, long = usage.cache_read_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens
        fresh = usage.input_tokens - read - write
        write_rate = self.input if self.cache_write is None else self.cache_write
        total = fresh * self.input + usage.output_tokens * self.output
        total += read * (self.input if self.cache_read is None else self.cache_read)
        total += (write - long) * write_rate
        total += long * (write_rate if self.cache_write_1h is None else self.cache_write_1h)
        return total / _MILLION


class _Period(Struct, frozen=True):
    since: str
    """First day, YYYY-MM-DD; empty: from the beginning."""
    tiers: tuple[Rates, ...]


class ModelPrice(Struct, frozen=True):
    """The prices of one model over time."""

    provider: str
    match: tuple[tuple[str, str], ...]
    """Alternatives: equals, starts_with, ends_with, contains or regex, and the text."""
    prices: tuple[_Period, ...]

    def matches(self, model: str, *, exact: bool) -> bool:
        if exact:
            return any(kind == "equals" and text == model for kind, text in self.match)
        return any(_CLAUSES[kind](model, text) for kind, text in self.match)

    def cost(self, usage: Usage, at: float) -> float:
        """Return the dollars of one call at a Unix time."""
        day = format_rfc3339(at)[:10] if at else ""
        period = [each for each in self.prices if not day or each.since <= day][-1:] or self.prices[:1]
        tiers = [rates for rates in period[0].tiers if usage.input_tokens > rates.above]
        return (tiers or period[0].tiers)[-1 if tiers else 0].cost(usage)


_CLAUSES: dict[str, Callable[[str, str], bool]] = {
    "equals": lambda model, text: model == text,
    "starts_with": lambda model, text: model.startswith(text),
    "ends_with": lambda model, text: model.endswith(text),
    "contains": lambda model, text: text in model,
    "regex": lambda model, text: re.search(text, model) is not None,
}


class _Table(Struct, frozen=True):
    version: str
    models: tuple[ModelPrice, ...]


@cache
def read_table() -> _Table:
    """Return the table that comes with lisa."""
    return msgspec.json.decode(files.read(_TABLE) or b"", type=_Table)


class PriceList:
    """Prices by model name; the user's own precede the table."""

    def __init__(self, own: Mapping[str, Rates] | None = None) -> None:
        self._own = own or {}
        self._found: dict[str, ModelPrice | None] = {}

    def find(self, model: str) -> ModelPrice | None:
        """Return the prices of a model; None if they are unknown."""
        if model not in self._found:
            self._found[model] = self._search(model)
        return self._found[model]

    def _search(self, model: str) -> ModelPrice | None:
        name = _VARIANT.sub("", model.strip().lower())
        names = dict.fromkeys((name, name.rpartition("/")[2]))  # openai/gpt-5: a model by way of another provider
        for each in names:
            if each in self._own:
                provider = next((known.provider for known in _search_table(each)), "")
                return ModelPrice(provider, (("equals", each),), (_Period("", (self._own[each],)),))
        return next((known for each in names for known in _search_table(each)), None)


def _search_table(name: str) -> list[ModelPrice]:
    if not name:
        return []
    models = read_table().models
    exact = [known for known in models if known.matches(name, exact=True)]
    return exact or [known for known in models if known.matches(name, exact=False)]


def read_user_prices(settings: Settings) -> dict[str, Rates]:
    """Return the user's own prices. Raise LisaError(invalid_prices)."""
    path = os.path.join(settings.state_dir, USER_FILE)
    try:
        raw = files.read_user_file(path, MAX_BYTES)  # a person writes it: it may be a symlink
    except FileNotFoundError:
        return {}
    except OSError as problem:
        raise LisaError("invalid_prices", f"{path} cannot be read: {problem.strerror}") from None
    try:
        found = msgspec.json.decode(raw, type=dict[str, Rates])
    except msgspec.DecodeError as problem:
        raise LisaError(
            "invalid_prices",
            f"{path}: {problem} (expected a JSON object: model name -> input, output, cache_read, cache_write"
            " in dollars per million tokens)",
        ) from None
    return {name.lower(): rates for name, rates in found.items()}
