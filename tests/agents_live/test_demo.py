"""lisa demo with the real agents, against the fake model."""

from __future__ import annotations

import pytest

from tests.agents_live.live_harness import LiveSessionHarness
from tests.commands.test_demo import find_leftovers
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.agents


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_demo_runs_a_real_agent_and_answers_its_trust_dialog(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    LiveSessionHarness(machine, api, agent)  # its home, environment and PATH
    answer = machine.lisa("demo", "--agent", agent, "--json", timeout=200)
    got = answer.json
    assert (answer.code, got["ok"], got.get("agent")) == (0, True, agent), got
    assert {reported["sessionState"] for reported in got["sessions"]} == {"waiting_input"}
    assert all(reported["said"] for reported in got["sessions"]), got
    assert (got["handedTo"], got["handDelivered"]) == ("talker", True)
    assert got["leftBehind"] == []
    assert find_leftovers(machine) == []
