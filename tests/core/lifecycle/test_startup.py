"""core/lifecycle/startup: a kind of start that has run before is not watched for an early end."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

import lisa_py
from lisa_py import agents
from lisa_py.agents.launch import AgentLaunch, Facts, LaunchPlan
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.lifecycle import launch, startup
from lisa_py.core.lifecycle.launch import PreparedLaunch
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

PANE = Path(lisa_py.__file__).parent / "pane"
CLAUDE = agents.get("claude")
START = AgentLaunch(
    mode="interactive", prompt="one", folder="/f/1", run_id="1", project_root="/p", secrets={"KEY": "a"}
)
FACTS = Facts(binary="/bin/claude", version="1")


def describe(start: AgentLaunch = START, *, agent: str = "claude", home: str = "/h", **plan: object) -> str:
    prepared = PreparedLaunch(plan=LaunchPlan(command="", script="", **plan), facts=FACTS, launch=start)  # type: ignore[arg-type]
    return startup.describe_shape(agents.get(agent), prepared, home)


@pytest.mark.parametrize(
    "change",
    [{"prompt": "two"}, {"folder": "/f/2"}, {"run_id": "2"}, {"environ": {"A": "b"}}, {"secrets": {"KEY": "b"}}],
    ids=lambda change: next(iter(change)),
)
def test_prompt_session_and_secrets_are_not_in_the_shape(change: dict[str, object]) -> None:
    assert describe(structs.replace(START, **change)) == describe() != ""


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "exec"},
        {"model": "opus"},
        {"prompt": ""},
        {"project_root": "/q"},
        {"skip_permissions": False},
        {"bypass": True},
        {"trust": True},
        {"secrets": {"OTHER": "a"}},
        {"settings": SessionSettings(allowed_tools=("Read",))},
        {"hook": "/other/hook.sh"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_command_lines_have_other_shapes(change: dict[str, object]) -> None:
    assert describe(structs.replace(START, **change)) not in ("", describe())


def test_agent_home_and_prompt_channel_are_in_the_shape() -> None:
    every = [describe(), describe(agent="codex"), describe(home="/i"), describe(send_prompt=True), describe(stdin="x")]
    assert len({*every}) == len(every)


def test_own_arguments_and_unknown_programs_have_no_shape() -> None:
    assert describe(structs.replace(START, agent_args="--debug")) == ""
    prepared = PreparedLaunch(plan=LaunchPlan(command="", script=""), facts=Facts(), launch=START)
    assert startup.describe_shape(CLAUDE, prepared, "") == ""


def test_next_read_reports_a_late_end_of_a_known_start(machine: LisaHost) -> None:
    stage = SessionHarness(machine, "lisa-first").spawn("[say hello]")
    scripted = agents.get("scripted")
    (shape,) = launch.read_facts(stage.ctx, scripted).shapes
    failing = SessionHarness(machine, "lisa-second").spawn("[say so far] [crash 7]")
    status = wait_until(lambda: (now := failing.status()).session_state == "crashed" and now)
    assert status.exit_code == 7
    assert "so far" in failing.lisa("capture", "--raw").json["capture"]
    assert launch.read_facts(stage.ctx, scripted).shapes == {shape}


def test_heartbeat_interval_is_below_its_stale_limit(machine: LisaHost) -> None:
    ctx = machine.context()
    default = ctx.settings.heartbeat_stale_seconds
    script = (PANE / "supervisor.sh").read_text()
    interval = int(script.partition("beat_every=${4:-")[2].partition("}")[0])
    assert interval + 3 <= default == startup.DEFAULT_STALE_SECONDS
    for stale, expected in ((1, ["1"]), (4, ["2"]), (7, ["3"]), (8, []), (60, [])):
        assert startup.supervisor_command(ctx.ref("lisa-x"), "1", "exec", stale)[5:] == expected
