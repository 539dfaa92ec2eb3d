"""core/usage/prices."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.contract.frames import Usage
from lisa_py.core.usage import prices
from lisa_py.core.usage.prices import ModelPrice, PriceList, Rates
from lisa_py.host.clock import parse_time
from lisa_py.host.env import read_settings
from tests.house.sources import TREE

CALL = Usage(input_tokens=1_000_000, output_tokens=100_000)


def find(model: str) -> ModelPrice:
    found = PriceList().find(model)
    assert found is not None
    return found


def test_table_has_the_version_of_the_pinned_package() -> None:
    project = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
    assert f"genai-prices=={prices.read_table().version}" in project["optional-dependencies"]["dev"]


@pytest.mark.parametrize(
    ("model", "provider", "input_rate", "output_rate"),
    [
        ("claude-opus-5-5", "anthropic", 4, 20),
        ("claude-opus-5-5-20261001", "anthropic", 4, 20),
        ("claude-haiku-4-5-20251001", "anthropic", 1, 5),
        ("gpt-5.3-codex", "openai", 1.75, 14),
        ("openai/gpt-5.2", "openai", 1.75, 14),
        ("anthropic/Claude-Sonnet-5[1m]", "anthropic", 2, 10),
    ],
)
def test_agent_model_names_have_a_price(model: str, provider: str, input_rate: float, output_rate: float) -> None:
    price = find(model)
    assert price.provider == provider
    small = Usage(input_tokens=1000, output_tokens=100)
    assert price.cost(small, 0) == pytest.approx((1000 * input_rate + 100 * output_rate) / 1e6)


def test_unknown_models_have_no_price() -> None:
    assert [PriceList().find(model) for model in ("", "unknown", "my-model")] == [None] * 3


def test_cached_tokens_have_own_rates() -> None:
    rates = Rates(input=10, output=50, cache_read=1, cache_write=12.5, cache_write_1h=20)
    call = Usage(
        input_tokens=1_000_000,
        output_tokens=100_000,
        cache_read_tokens=500_000,
        cache_write_tokens=300_000,
        cache_write_1h_tokens=100_000,
    )
    assert rates.cost(call) == pytest.approx(0.2 * 10 + 0.5 * 1 + 0.2 * 12.5 + 0.1 * 20 + 0.1 * 50)
    assert Rates(input=10, output=50).cost(call) == pytest.approx(10 + 5)


def test_rates_depend_on_date_and_size_of_the_call() -> None:
    price = find("claude-opus-4-6")  # 200,000 tokens cost double until March 2026
    before, after = parse_time("2026-03-01T00:00:00Z"), parse_time("2026-03-13T00:00:00Z")
    assert before and after
    large = Usage(input_tokens=300_000)
    assert price.cost(large, before) == pytest.approx(0.3 * 10)
    assert price.cost(Usage(input_tokens=200_000), before) == pytest.approx(0.2 * 5)
    assert price.cost(large, after) == pytest.approx(0.3 * 5)


def test_own_prices_precede_the_table(tmp_path: Path) -> None:
    settings = read_settings({"LISA_STATE_DIR": str(tmp_path)})
    assert prices.read_user_prices(settings) == {}
    (tmp_path / "prices.json").write_text('{"GPT-5.2": {"input": 1, "output": 2}, "mine": {"input": 3, "output": 4}}')
    own = PriceList(prices.read_user_prices(settings))
    costs = {model: found.cost(CALL, 0) for model in ("gpt-5.2", "mine") if (found := own.find(model))}
    assert costs == {"gpt-5.2": pytest.approx(1.2), "mine": pytest.approx(3.4)}
    (tmp_path / "prices.json").rename(tmp_path / "kept.json")
    (tmp_path / "prices.json").symlink_to("kept.json")
    assert prices.read_user_prices(settings).keys() == {"gpt-5.2", "mine"}
    (tmp_path / "prices.json").write_text('{"gpt-5.2": {"input": "free"}}')
    with pytest.raises(LisaError, match=r"prices\.json") as problem:
        prices.read_user_prices(settings)
    assert problem.value.code == "invalid_prices"
    (tmp_path / "prices.json").unlink()
    (tmp_path / "prices.json").mkdir()
    with pytest.raises(LisaError, match=r"prices\.json cannot be read") as problem:
        prices.read_user_prices(settings)
    assert problem.value.code == "invalid_prices"
