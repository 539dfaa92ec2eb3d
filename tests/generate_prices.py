"""Write lisa_py/core/usage/model_prices.json from the package genai-prices: python -m tests.generate_prices."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent.parent / "lisa_py" / "core" / "usage" / "model_prices.json"
PROVIDERS = ("anthropic", "openai", "google")
FIELDS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}


def build_table() -> dict[str, Any]:
    from genai_prices import data

    models = [
        {"provider": provider.id, "match": match, "prices": prices}
        for provider in data.providers
        if provider.id in PROVIDERS
        for model in provider.models
        if (prices := _build_prices(model.prices)) and (match := _flatten(model.match))
    ]
    return {"version": version("genai-prices"), "models": models}


def _flatten(clause: Any) -> list[list[str]]:
    """Return the alternatives of a clause as pairs of kind and text; a conjunction has no such form."""
    if hasattr(clause, "or_"):
        return [pair for part in clause.or_ for pair in _flatten(part)]
    for kind in ("equals", "starts_with", "ends_with", "contains", "regex"):
        if hasattr(clause, kind):
            return [[kind, getattr(clause, kind)]]
    return []


def _build_prices(prices: Any) -> list[dict[str, Any]]:
    """Return the prices by start date, the newest last; those of other conditions are left out."""
    periods = prices if isinstance(prices, list) else [prices]
    built = []
    for period in periods:
        constraint = getattr(period, "constraint", None)
        since = getattr(constraint, "start_date", None)
        if constraint is not None and since is None:
            continue
        rates = _build_rates(getattr(period, "prices", period))
        if rates:
            built.append({"since": since.isoformat() if since else "", "tiers": rates})
    return sorted(built, key=lambda period: period["since"])


def _build_rates(price: Any) -> list[dict[str, float]]:
    """Return the rates per million tokens by least number of input tokens."""
    values = {name: getattr(price, field, None) for name, field in FIELDS.items()}
    if values["input"] is None or values["output"] is None:
        return []
    starts = {tier.start for value in values.values() for tier in getattr(value, "tiers", ())}
    return [{"above": start, **_rates_at(values, start)} for start in sorted({-1, *starts})]


def _rates_at(values: dict[str, Any], start: int) -> dict[str, float]:
    found = {}
    for name, value in values.items():
        if value is None:
            continue
        tiers = [tier.price for tier in getattr(value, "tiers", ()) if tier.start <= start]
        found[name] = float(tiers[-1] if tiers else getattr(value, "base", value))
    return found


def main() -> None:
    table = build_table()
    lines = [json.dumps(model, separators=(",", ":")) for model in table["models"]]
    body = ",\n".join(lines)
    TABLE.write_text(f'{{"version":"{table["version"]}","models":[\n{body}\n]}}\n', encoding="utf-8")
    print(f"{TABLE}: {len(lines)} models of genai-prices {table['version']}")


if __name__ == "__main__":
    main()
