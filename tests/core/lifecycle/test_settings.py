"""Settings on the way to an agent: agent and model, environment, secrets."""

from __future__ import annotations

from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.lifecycle import launch, session_files
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest, plan_spawn
from lisa_py.store.oauth_tokens import TokenReservation
from tests.lisa_host import LisaHost


def test_agent_and_model_come_from_the_settings_unless_given() -> None:
    settings = SessionSettings(agent="codex", model="m1")
    taken = launch.resolve_launch(launch.LaunchRequest(), settings)
    assert (taken.agent.name, taken.launch.model) == ("codex", "m1")
    given = launch.resolve_launch(launch.LaunchRequest(agent="codex", model="m2"), settings)
    assert given.launch.model == "m2"


def test_environment_and_secrets_are_variables_of_the_agent(machine: LisaHost) -> None:
    request = SpawnRequest(
        launch=launch.LaunchRequest(agent="scripted"),
        session="lisa-a",
        settings=SessionSettings(environment={"ONE": "set", "TWO": "set"}),
        secrets={"TWO": "secret", "HOME": "/elsewhere"},
    )
    plan = plan_spawn(machine.context(), request)
    found = session_files.build_environment(machine.context(), plan, TokenReservation())
    assert (found["ONE"], found["TWO"], found["HOME"]) == ("set", "secret", "/elsewhere")
