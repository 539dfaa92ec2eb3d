"""core/usage/sums: the log by session, lane, model, day and project."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from lisa_py.core.usage import sums
from lisa_py.store.paths import Project
from lisa_py.store.usage_log import UsageRow

ONE = Project(root="", hash="aaaa1111", slug="", folder="", socket="")
OTHER = Project(root="", hash="bbbb2222", slug="", folder="", socket="")


def row(session: str, hour: str, cost: float | None, **more: Any) -> UsageRow:
    given = {"model": "opus", "input_tokens": 10, "output_tokens": 1, "name": f"lisa-{session}", **more}
    return UsageRow(hour=hour, session=session, batch=0, cost_usd=cost, **given)


ROWS = [
    (ONE, row("1", "2026-02-01T23", 0.25, lane="web", identities=("shop-aaaa1111",), cache_read_tokens=5)),
    (ONE, row("1", "2026-02-02T00", 0.5, lane="web", identities=("shop-aaaa1111",), estimated=False)),
    (ONE, row("2", "2026-02-02T01", None, model="", identities=("shop-aaaa1111",), cache_write_tokens=4)),
    (OTHER, row("3", "2026-01-31T12", 2.0, model="gpt", identities=("triage", "api-bbbb2222"))),
]


def key_costs(by: str) -> list[tuple[str, float | None]]:
    return [(each.key, each.cost_usd) for each in sums.sum_by(ROWS, by)[0]]


def test_sums_have_the_most_dollars_first() -> None:
    assert key_costs("session") == [("lisa-3", 2.0), ("lisa-1", 0.75), ("lisa-2", None)]
    assert key_costs("lane") == [("", 2.0), ("web", 0.75)]
    assert key_costs("model") == [("gpt", 2.0), ("opus", 0.75), ("unknown", None)]
    assert key_costs("project") == [("api-bbbb2222", 2.0), ("shop-aaaa1111", 0.75)]


def test_days_are_in_order() -> None:
    assert key_costs("day") == [("2026-01-31", 2.0), ("2026-02-01", 0.25), ("2026-02-02", 0.5)]


def test_tokens_without_a_price_are_listed_separately() -> None:
    found, total = sums.sum_by(ROWS, "lane")
    assert [(each.key, each.sessions, each.unpriced_tokens) for each in found] == [("", 2, 15), ("web", 1, 0)]
    assert (total.sessions, total.cost_usd, total.unpriced_tokens, total.session_id) == (3, 2.75, 15, UNSET)
    assert (total.input_tokens, total.output_tokens, total.cache_read_tokens, total.cache_write_tokens) == (40, 4, 5, 4)


def test_dollars_are_estimated_if_some_of_them_are() -> None:
    assert sums.sum_by(ROWS[1:2], "model")[0][0].estimated is False
    assert sums.sum_by(ROWS[:2], "model")[0][0].estimated is True
    assert sums.sum_by(ROWS[2:3], "model")[0][0].estimated is False


def test_reused_name_is_another_session() -> None:
    again = (ONE, row("9", "2026-03-01T00", 0.1, name="lisa-1"))
    unnamed = (ONE, row("8", "2026-03-01T00", 0.05, name=""))
    found, _ = sums.sum_by([*ROWS[:2], again, unnamed], "session")
    assert [(each.key, each.session_id, each.project) for each in found] == [
        ("lisa-1", "1", "shop-aaaa1111"),
        ("lisa-1", "9", "aaaa1111"),
        ("8", "8", "aaaa1111"),
    ]


def test_no_lines_give_an_empty_total() -> None:
    found, total = sums.sum_by([], "day")
    assert (found, total.sessions, total.cost_usd, total.estimated) == ((), 0, None, False)
