"""Broadcasts and inputs of a process: shared while they are used, and not kept after that."""

from __future__ import annotations

import pytest

from lisa_py.core.live.input_queue import InputOutcome
from lisa_py.core.live.shared_sessions import SharedSessions
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine).spawn()


def test_input_closes_after_last_reader_and_last_text(stage: SessionHarness) -> None:
    sessions = SharedSessions(stage.machine.context)
    outcomes: list[InputOutcome] = []
    first, second = sessions.join(stage.ref, "s"), sessions.join(stage.ref, "s")
    sending = sessions.open_input(stage.ref, "s")
    assert first is second and sending is sessions.open_input(stage.ref, "s")
    sessions.leave("s", first)
    assert (len(sessions), sessions.inputs) == (1, 1)
    assert sending.add_prompt("[say one]", "p1", outcomes.append)
    sessions.leave("s", second)
    assert len(sessions) == 0
    wait_until(lambda: sessions.inputs == 0)
    assert [outcome.code for outcome in outcomes] == [""]
    stage.wait_for_text("● one")
    third = sessions.join(stage.ref, "s")
    assert sessions.open_input(stage.ref, "s").add_prompt("[say one]", "p1", outcomes.append)
    sessions.leave("s", third)
    assert sessions.inputs == 0 and len(outcomes) == 1 and stage.prompts() == ["[say one]"]
