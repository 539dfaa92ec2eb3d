"""Settings on the way to an agent: agent and model, environment, secrets."""

from __future__ import annotations

import stat
from pathlib import Path

from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.lifecycle import launch, session_files
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest, plan_spawn
from lisa_py.store.oauth_tokens import TokenReservation
from tests.lisa_host import LisaHost
from tests.polling import wait_until


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


def test_a_referenced_secret_reaches_the_agent_and_no_output(machine: LisaHost) -> None:
    value = "planted-value-0123456789"
    machine.lisa("secret", "set", "--name", "k", stdin=value)
    wanted = ("--env", "KEY=secret://k", "--command", 'echo "is:$KEY:${#KEY}:"; exec sleep 60')
    assert machine.lisa("session", "spawn", "--session", "lisa-a", *wanted, "--json").json["session"] == "lisa-a"
    wait_until(lambda: ":24:" in machine.lisa("session", "capture", "lisa-a").out, what="the output")
    for call in (("capture", "lisa-a", "--raw"), ("capture", "lisa-a", "--json"), ("packet", "lisa-a", "--json")):
        shown = machine.lisa("session", *call).out
        assert "is:[REDACTED_SECRET]:24:" in shown and value not in shown
    assert value not in machine.lisa("session", "history", "lisa-a", "--raw").out
    folder = Path(machine.context().ref("lisa-a").folder)
    holding = [path.name for path in folder.rglob("*") if path.is_file() and value in path.read_text(errors="replace")]
    assert holding == ["masked.json"] and stat.S_IMODE((folder / "masked.json").stat().st_mode) == 0o600
    machine.lisa("session", "kill", "lisa-a")
    assert not (folder / "masked.json").exists()


def test_a_missing_secret_creates_nothing(machine: LisaHost) -> None:
    answer = machine.lisa("session", "spawn", "--session", "lisa-a", "--env", "K=hive://secret/no", "--json")
    assert (answer.json["errorCode"], answer.json["secret"]) == ("secret_not_found", "no")
    assert not Path(machine.context().ref("lisa-a", str(machine.project)).folder).exists()
