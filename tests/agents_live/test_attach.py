"""A person at a terminal attached to the real claude and codex: prompts, and dialogs decided here or elsewhere."""

from __future__ import annotations

import pytest

from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.outer_terminal import OuterTerminal

pytestmark = pytest.mark.agents


@pytest.fixture(params=pins(), ids=lambda pin: pin.agent)
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, request.param.agent)


def test_dialogs_are_decided_here_and_by_other_clients(stage: LiveSessionHarness) -> None:
    stage.begin()
    terminal = OuterTerminal(stage.machine, "session", "attach", "--session", stage.name, "-i", columns=160)
    terminal.wait_for("\n>")
    made = stage.machine.project / "made"
    terminal.type(f"[fake ask touch {made} then text finished]")
    terminal.press("Enter")
    terminal.wait_for("Approve? [y/n/session]:")
    terminal.type("y")
    terminal.press("Enter")
    shown = terminal.wait_for("  finished\n")
    assert made.exists() and "approved (this call)" in shown
    terminal.type("[fake ask touch other then text refused]")
    terminal.press("Enter")
    terminal.wait_for("\nApprove? [y/n/session]:\n")
    assert stage.lisa("deny").code == 0  # from another terminal
    shown = terminal.wait_for("(by cli)")
    assert not (stage.machine.project / "other").exists()
    terminal.wait_for("\n>")
    assert "system[approval_decided]: denied" in shown
    terminal.press("C-c")
    assert terminal.wait_for_end() == 0
