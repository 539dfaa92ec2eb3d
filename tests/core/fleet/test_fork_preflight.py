"""Refusals of forks."""

from __future__ import annotations

from typing import Any

import pytest

from lisa_py.contract.api_answers import ForkPreflight
from lisa_py.contract.errors import LisaError
from lisa_py.core.fleet.fork_preflight import require_fork


def make_facts(**changes: Any) -> ForkPreflight:
    facts: dict[str, Any] = {
        "source_session_id": "s", "source_session_type": "user", "source_status": "ended", "source_name": "S",
        "default_fork_name": "Fork of S", "is_forkable": True, "history_available": True,
    }  # fmt: skip
    return ForkPreflight(**{**facts, **changes})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"is_forkable": False, "history_available": False}, "archive_gone"),
        ({"is_forkable": False, "history_available": False, "source_status": "running"}, "session_not_forkable"),
        ({"is_forkable": False}, "session_not_forkable"),
        ({"missing_mcps": ("a", "b")}, "missing_tools"),
    ],
)
def test_refusals(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(LisaError) as refused:
        require_fork(make_facts(**changes), ("a",))
    assert refused.value.code == code


def test_acknowledged_tools_may_be_missing() -> None:
    require_fork(make_facts(missing_mcps=("a", "b")), ("b", "a", "c"))
