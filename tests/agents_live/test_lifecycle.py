"""Birth and death of the real agents."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from lisa_py import agents
from lisa_py.core.lifecycle import launch
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents


def words(process: psutil.Process) -> list[str]:
    """The process's arguments; none when it has ended meanwhile."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def is_nap(process: psutil.Process) -> bool:
    return words(process)[:2] == ["python3", "-c"]


def of_machine(machine: LisaHost) -> list[psutil.Process]:
    """Living processes that carry this machine's HOME, tmux aside."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("HOME") == machine.env["HOME"]
            if mine and process.status() != psutil.STATUS_ZOMBIE and not process.name().startswith("tmux"):
                found.append(process)
        except psutil.Error:
            continue
    return found


def daemons(machine: LisaHost) -> list[psutil.Process]:
    return [process for process in of_machine(machine) if "app-server" in words(process)]


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_wrong_flag_fails_at_once_with_the_agents_output(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    stage = LiveSessionHarness(machine, api, agent)
    answer = stage.lisa("spawn", "--agent", agent, "--agent-args", "--no-such-flag")
    assert (answer.code, answer.json["errorCode"]) == (1, "spawn_early_exit")
    assert "--no-such-flag" in answer.json["output"]
    assert answer.json["exitCode"] != 0
    assert of_machine(machine) == []


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_known_start_accepts_a_prompt_at_once(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    """The second spawn returns before the agent has drawn anything."""
    stage = LiveSessionHarness(machine, api, agent).begin()
    assert len(launch.read_facts(stage.ctx, agents.get(agent)).shapes) == 1
    assert stage.lisa("kill").code == 0
    spawned = stage.lisa("spawn", "--agent", agent, "--no-dangerously-skip-permissions")
    assert spawned.code == 0, spawned
    sent = stage.send("[fake text received]")
    assert sent.json["delivered"] is True, sent
    stage.wait_for_status(lambda status: status.waiting_for == "prompt")
    assert stage.model_prompts().count("[fake text received]") == 1
    assert launch.read_facts(stage.ctx, agents.get(agent)).shapes


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_killing_an_agent_at_work_leaves_no_process(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    stage = LiveSessionHarness(machine, api, agent, permission="bypass").begin()
    naps = ["import time; time.sleep(300)", "import time; time.sleep(301)"]
    stage.send(f"[fake tool python3 -c '{naps[1]}' & python3 -c '{naps[0]}' then text done]")
    wait_until(lambda: sorted(words(process)[-1] for process in of_machine(machine) if is_nap(process)) == naps)
    answer = stage.lisa("kill")
    assert (answer.code, answer.json["ok"]) == (0, True)
    assert of_machine(machine) == []
    assert os.listdir(stage.ref.folder) == ["events.jsonl"]


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_stopped_and_killed_exec_run_is_reported(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    nap = "python3 -c 'import time; time.sleep(300)'"  # claude refuses a long sleep of the shell's
    stage = LiveSessionHarness(machine, api, agent, permission="bypass").begin(
        f"[fake tool {nap} then text no]", mode="exec"
    )
    pid = stage.wait_for_status(lambda status: status.agent_pid and status.agent_state == "tool").agent_pid
    os.kill(pid, signal.SIGSTOP)
    stage.wait_for_status(
        lambda status: (status.session_state, status.classification_reason) == ("stuck", "process_stopped")
    )
    os.kill(pid, signal.SIGCONT)
    stage.wait_for_status(lambda status: (status.session_state, status.agent_state) == ("in_progress", "tool"))
    os.kill(pid, signal.SIGKILL)
    ended = stage.wait_for_status(lambda status: status.session_state == "crashed")
    assert ended.exit_code == 128 + signal.SIGKILL
    assert stage.lisa("monitor", "--timeout-seconds", "20").json["exitReason"] == "crashed"
    assert stage.lisa("kill").code == 0
    assert of_machine(machine) == []


def test_an_agents_background_server_ends_with_its_session(machine: LisaHost, api: FakeModelApi) -> None:
    """codex without --no-daemon works in its own process that outlives the pane."""
    stage = LiveSessionHarness(machine, api, "codex", config={"features": {"daemon_auto_start": True}})
    stage.run("codex")
    wait_until(lambda: daemons(machine), timeout=60, what="the daemon")
    agent = stage.wait_for_status(lambda status: status.agent_pid).agent_pid
    os.kill(agent, signal.SIGKILL)
    stage.wait_until_ended()
    assert daemons(machine)
    assert stage.lisa("kill").code == 0
    assert of_machine(machine) == []


@pytest.mark.parametrize("agent", ["claude", "codex"])
@pytest.mark.parametrize("name", ["with space", "ünder_score.dot 日本", "n" * 240])
def test_project_path_may_be_anywhere(machine: LisaHost, api: FakeModelApi, agent: str, name: str) -> None:
    root = machine.folder / name
    root.mkdir()
    machine.project = root
    stage = LiveSessionHarness(machine, api, agent).begin()
    stage.send("[fake text hello]")
    stage.wait_until_idle()
    wait_until(stage.transcript_prompts, what="claude writes its transcript a moment after it has come to rest")
    assert stage.transcript_prompts() == ["[fake text hello]"]
    status = stage.status()
    assert Path(str(status.transcript_path)).exists()


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_trust_set_before_the_start_prevents_the_dialog(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    (machine.project / ".git").mkdir()
    stage = LiveSessionHarness(machine, api, agent, trusted=False)
    answer = stage.lisa("spawn", "--agent", agent, "--trust", "--no-dangerously-skip-permissions")
    assert any("trust" in note for note in answer.json["notes"])
    stage.wait_until_idle()
