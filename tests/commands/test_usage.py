"""lisa usage."""

from __future__ import annotations

import pytest

from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def test_usage_outlives_the_session(stage: SessionHarness, machine: LisaHost) -> None:
    stage.spawn("[usage 1000 200 claude-opus-5-5][say x]")
    wait_until(lambda: len(machine.lisa("usage", "--json").json["usage"]) == 2, what="both calls are counted")
    stage.lisa("kill", "--no-archive")
    answer = machine.lisa("usage", "--hours", "2", "--json").json
    priced = {row["model"]: row for row in answer["usage"]}["claude-opus-5-5"]
    assert (priced["input_tokens"], priced["output_tokens"], priced["cost_usd"]) == (1000, 200, 0.008)
    assert (priced["provider"], priced["estimated"]) == ("anthropic", True)
    (name,) = answer["identities"]
    assert name.startswith(machine.project.name) and name.endswith(stage.ref.project.hash)
    assert machine.lisa("usage", name, "--all-projects", "--json").json["usage"] == answer["usage"]
    assert machine.lisa("usage", "--identity", "other", "--json").json["usage"] == []
    assert "1000 input" in machine.lisa("usage").out
    by_lane = machine.lisa("usage", "--by", "lane", "--json").json
    (lane,) = by_lane["sums"]
    assert (lane["key"], lane["sessions"], lane["cost_usd"], lane["estimated"]) == ("", 1, 0.008, True)
    assert by_lane["total"] == lane and "usage" not in by_lane
    lines = machine.lisa("usage", "--by", "session").out.splitlines()
    assert lines[0].startswith(stage.name) and "$0.0080 (estimated)" in lines[0] and lines[-1].startswith("total ")
    brief = machine.lisa("usage", "--by", "lane", "--json-min").json
    brief.pop("stderrPolicy")
    assert brief == {"by": "lane", "sums": [lane], "total": lane}
