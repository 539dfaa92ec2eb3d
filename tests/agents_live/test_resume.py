"""Resume a fleet of real agents after an external end; no conversations are swapped."""

from __future__ import annotations

import copy
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lisa_py.host import processes
from lisa_py.store import session_records
from tests.agents_kit import Pin, pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

pytestmark = pytest.mark.agents
SCRIPTED = 20
CLEARING = {"claude": "/clear", "codex": "/new"}


def name_session(stage: LiveSessionHarness, name: str) -> LiveSessionHarness:
    """Return a further session of the same agent and home."""
    other = copy.copy(stage)
    other.name, other.ref = name, stage.ctx.ref(name, str(stage.machine.project))
    return other


def talk(stage: LiveSessionHarness, word: str) -> None:
    assert stage.send(f"[fake text {word}]").code == 0
    wait_until(lambda: word in stage.transcript(), timeout=60, what=f"{stage.name} says {word}")
    stage.wait_until_idle()


def leave_idle(stage: LiveSessionHarness) -> None:
    """Leave it idle after its answer."""


def leave_streaming(stage: LiveSessionHarness) -> None:
    stage.send(f"[fake slow 60 {'more ' * 60}]")
    stage.wait_for_status(lambda status: status.session_state == "in_progress")


def leave_in_tool(stage: LiveSessionHarness) -> None:
    stage.send(f"[fake tool touch {stage.name}.ran; sleep 77; touch {stage.name}.done then text over]")
    wait_until(lambda: (stage.machine.project / f"{stage.name}.ran").exists(), timeout=60)


def leave_new(stage: LiveSessionHarness) -> None:
    stage.send(CLEARING[stage.agent_name])
    stage.wait_until_idle()
    talk(stage, f"after-clear-{stage.name}")


def leave_empty(stage: LiveSessionHarness) -> None:
    stage.send(CLEARING[stage.agent_name])
    stage.wait_until_idle()


MOMENTS: dict[str, Callable[[LiveSessionHarness], None]] = {
    "idle": leave_idle,
    "streaming": leave_streaming,
    "tool": leave_in_tool,
    "new": leave_new,
    "empty": leave_empty,
}


def lose(machine: LisaHost, stages: Sequence[SessionHarness]) -> None:
    """Kill the tmux server, and remove its socket, as a reboot does."""
    metas = [meta for stage in stages if (meta := session_records.read_meta(stage.ref))]
    os.kill(metas[0].server_pid, signal.SIGKILL)
    for meta in metas:
        wait_until(lambda meta=meta: not processes.is_running(meta.pane_pid, meta.pane_started), timeout=30)
    Path(metas[0].socket_path).unlink(missing_ok=True)


def start_agents(machine: LisaHost, api: FakeModelApi, agent: str, version: str) -> dict[str, LiveSessionHarness]:
    """Start an agent for each moment, and bring it there."""
    stage = LiveSessionHarness(machine, api, agent, version=version, permission="bypass")
    started = {moment: name_session(stage, f"lisa-{agent}-{moment}") for moment in MOMENTS}
    for each in started.values():
        each.begin()
    for moment, each in started.items():
        talk(each, f"word-{each.name}")
        MOMENTS[moment](each)
    return started


def check_conversation(stage: LiveSessionHarness, moment: str, every: Sequence[str]) -> None:
    """Check by a further prompt that the model gets the words of this session and of no other one."""
    stage.wait_until_idle()
    number = len(stage.api.requests)
    talk(stage, f"again-{stage.name}")
    body = next(str(each.body) for each in stage.api.requests[number:] if f"again-{stage.name}" in str(each.body))
    known = {f"{kind}-{name}" for kind in ("word", "after-clear") for name in every}
    own = {"new": {f"after-clear-{stage.name}"}, "empty": set()}.get(moment, {f"word-{stage.name}"})
    assert {word for word in known if f"text {word}]" in body} == own, stage.name


def resume_all(machine: LisaHost) -> dict[str, str]:
    """Resume the fleet; return the method of each session."""
    answer = machine.lisa("session", "resume", "--all", "--json", timeout=300)
    assert answer.code == 0, answer.json
    return {each["session"]: each["method"] for each in answer.json["resumed"]}


def check_agents(machine: LisaHost, started: dict[str, LiveSessionHarness], methods: dict[str, str]) -> None:
    names = [each.name for each in started.values()]
    for moment, each in started.items():
        assert methods[each.name] == ("new" if moment == "empty" else "conversation")
        check_conversation(each, moment, names)
    assert not list(machine.project.glob("*.done"))  # nothing ran twice, and no tool continued


@pytest.mark.parametrize("pin", pins(older=True), ids=lambda pin: f"{pin.agent}-{pin.version}")
def test_agent_is_resumed_from_every_state(machine: LisaHost, api: FakeModelApi, pin: Pin) -> None:
    started = start_agents(machine, api, pin.agent, pin.version)
    for _ in range(2):  # the second time without any input since
        lose(machine, list(started.values()))
        methods = resume_all(machine)
        for each in started.values():
            each.wait_until_idle()
    check_agents(machine, started, methods)


def test_mixed_fleet_is_resumed_twice(machine: LisaHost, api: FakeModelApi) -> None:
    fleet: list[SessionHarness] = []
    for pin in pins():
        stage = LiveSessionHarness(machine, api, pin.agent, version=pin.version)
        fleet += [name_session(stage, f"lisa-{pin.agent}-{number}").begin() for number in range(3)]
    fleet += [SessionHarness(machine, f"lisa-scripted-{number}") for number in range(SCRIPTED)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda each: each.spawn(), fleet[6:]))
    conversations = {each.name: begin_conversation(each) for each in fleet}
    assert len(set(conversations.values())) == len(fleet)
    for _ in range(2):
        lose(machine, fleet)
        assert resume_all(machine) == dict.fromkeys(conversations, "conversation")
        for each in fleet:
            assert begin_conversation(each) == conversations[each.name]
    for each in fleet:
        frames = each.lisa("history").json["frames"]
        said = [frame["payload"]["content"] for frame in frames if frame["type"] == "user"]
        assert len(said) == 3 and all(each.name in text for text in said)


def begin_conversation(stage: SessionHarness) -> str:
    """Have the agent reply with its name; return the id of its conversation."""
    if isinstance(stage, LiveSessionHarness):
        stage.wait_until_idle()
        talk(stage, stage.name)
    else:
        stage.wait_for_state("idle")
        assert stage.send(f"[say {stage.name}]").code == 0
        stage.wait_for_state("idle")
    return str(stage.status().agent_session_id)
