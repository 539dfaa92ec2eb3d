"""Sums of the usage log by session, lane, model, day or project."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET

from lisa_py.contract.usage import UsageSum
from lisa_py.core.usage.usage_reader import UNKNOWN_MODEL
from lisa_py.store.paths import Project
from lisa_py.store.usage_log import UsageRow

GROUPS = ("session", "lane", "model", "day", "project")


class _Group:
    """Lines of the log that count together."""

    def __init__(self) -> None:
        self.rows: list[UsageRow] = []
        self.project = ""

    def summarize(self, key: str, *, one_session: bool = False) -> UsageSum:
        priced = [row for row in self.rows if row.cost_usd is not None]
        return UsageSum(
            key=key,
            session_id=self.rows[0].session if one_session else UNSET,
            project=self.project if one_session else UNSET,
            sessions=len({row.session for row in self.rows}),
            input_tokens=sum(row.input_tokens for row in self.rows),
            output_tokens=sum(row.output_tokens for row in self.rows),
            cache_read_tokens=sum(row.cache_read_tokens for row in self.rows),
            cache_write_tokens=sum(row.cache_write_tokens for row in self.rows),
            cost_usd=round(sum(row.cost_usd or 0.0 for row in priced), 6) if priced else None,
            estimated=any(row.estimated for row in priced),
            unpriced_tokens=sum(_count_tokens(row) for row in self.rows if row.cost_usd is None),
        )


def sum_by(rows: Iterable[tuple[Project, UsageRow]], by: str) -> tuple[tuple[UsageSum, ...], UsageSum]:
    """Return the sums, the most dollars first (days: oldest first), and the sum of all lines."""
    total, groups = _Group(), dict[tuple[str, str], _Group]()
    for project, row in rows:
        name = _read_project_name(project, row)
        group = groups.setdefault(_make_key(row, name, by), _Group())
        group.rows.append(row)
        group.project = name
        total.rows.append(row)
    sums = []
    for (key, identity), group in groups.items():
        newest = next((row.name for row in reversed(group.rows) if row.name), identity)  # a session may be renamed
        sums.append(group.summarize(newest if identity else key, one_session=bool(identity)))
    return tuple(sorted(sums, key=_order_by_day if by == "day" else _order_by_cost)), total.summarize("")


def _make_key(row: UsageRow, project: str, by: str) -> tuple[str, str]:
    """Return the key of a line, and the id of its session if it counts by itself."""
    if by == "session":
        return "", row.session
    return {"lane": row.lane, "model": row.model or UNKNOWN_MODEL, "day": row.hour[:10], "project": project}[by], ""


def _read_project_name(project: Project, row: UsageRow) -> str:
    """Return the name under which the line counts for its project; its folder is not known if all sessions are gone."""
    return next((name for name in row.identities if name.endswith(project.hash)), project.hash)


def _count_tokens(row: UsageRow) -> int:
    return row.input_tokens + row.output_tokens + row.cache_read_tokens + row.cache_write_tokens


def _order_by_day(found: UsageSum) -> tuple[float, float, str]:
    return 0.0, 0.0, found.key


def _order_by_cost(found: UsageSum) -> tuple[float, float, str]:
    return -(found.cost_usd or 0.0), -float(found.unpriced_tokens), found.key
