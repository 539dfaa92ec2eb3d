"""ai usage get: the usage of an identity per hour."""

from __future__ import annotations

import json

from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


def test_usage_has_the_keys_of_the_sessions_api(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[usage 1000 200 claude-opus-5-5]")
    words = ("ai", "usage", "get", "--identity", f"{machine.project.name}-{stage.ref.project.hash}")
    wait_until(lambda: machine.lisa(*words).code == 0, what="the usage is known")
    answer = json.loads(machine.lisa(*words).out)
    assert list(answer) == ["identity", "usage"]
    row = {row["model"]: row for row in answer["usage"]}["claude-opus-5-5"]
    assert row.pop("hour").endswith(":00:00Z")
    assert row == {
        "input_tokens": 1000,
        "output_tokens": 200,
        "cache_read_tokens": 0,
        "cost_usd": 0.008,
        "estimated": True,
        "model": "claude-opus-5-5",
        "provider": "anthropic",
    }


def test_an_unknown_identity_exits_with_3(machine: LisaHost) -> None:
    assert machine.lisa("ai", "usage", "get", "--identity", "triage").code == 3
