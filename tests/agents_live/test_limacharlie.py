"""The real client, a real claude and a real codex: prompt, permission, interrupt, history, end."""

from __future__ import annotations

import json

import pytest

from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.client_kit import CLIENT, TypedClient, call_client, client_environment
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.server_kit import serving

pytestmark = pytest.mark.agents


@pytest.fixture(params=pins(), ids=lambda pin: pin.agent)
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    if not CLIENT.program.exists():
        pytest.skip(CLIENT.reason)
    return LiveSessionHarness(machine, api, request.param.agent)


def test_client_leads_a_conversation(stage: LiveSessionHarness) -> None:
    stage.begin()
    made = stage.machine.project / "made"
    with serving(stage.machine, "--interactive-api-sessions"):
        env = client_environment(stage.machine)
        typed = TypedClient(env, "ai", "session", "attach", "--id", stage.name, "--interactive")
        try:
            typed.wait_for("Attached to session")
            typed.type(f"[fake ask touch {made} then text finished]")
            typed.wait_for("Approve? [y/n/session]:")
            typed.type("y")
            stage.wait_until_idle()
            typed.type_until("y", "  finished\n")
            assert made.exists() and "approved (this call)" in typed.text
            typed.type("[fake slow 60 many words]")
            stage.wait_for_status(lambda status: status.session_state == "in_progress")
            typed.type("/interrupt")
            typed.wait_for("interrupted")
            assert typed.leave() == 0
        finally:
            typed.close()
        stage.wait_until_idle()
        call = ("ai", "session", "history", "--id", stage.name, "--raw")
        theirs, ours = call_client(*call, env=env), stage.machine.lisa(*call, check_schema=False)
        assert (theirs.code, theirs.out) == (ours.code, ours.out)
        ended = call_client("ai", "session", "terminate", "--id", stage.name, env=env)
        assert json.loads(ended.out) == {"terminated": True}
        call = ("ai", "session", "attach", "--id", stage.name, "--raw")
        theirs, ours = call_client(*call, env=env), stage.machine.lisa(*call, check_schema=False)
        assert theirs.code == 0 and theirs.out == ours.out and "session_end" in theirs.out
