"""Status of the real claude and codex: every state, without delay and without a false idle during a turn."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable

import pytest

from lisa_py.contract.status import Status
from lisa_py.core.status import status_reader
from lisa_py.core.wait.monitor import run_monitor
from lisa_py.core.wait.stop_rules import StopRules
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents
BOTH = pytest.mark.parametrize("agent", ["claude", "codex"])


Make = Callable[..., LiveSessionHarness]


@pytest.fixture
def make(machine: LisaHost, api: FakeModelApi) -> Make:
    return lambda agent, **options: LiveSessionHarness(machine, api, agent, **options)


class Sampler:
    """Asks for the status all the time, as an impatient orchestrator would, and keeps every change."""

    def __init__(self, stage: LiveSessionHarness, *, brief: bool = False) -> None:
        self._stage = stage
        self._brief = brief  # as one of many, of which a list or a wait makes do with less
        self._stop = threading.Event()
        self.changes: list[tuple[float, str, str]] = []
        self.looks = 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Sampler:
        self._thread.start()
        wait_until(lambda: self.looks > 0)  # the state before the test acts
        return self

    def __exit__(self, *_: object) -> None:
        wait_until(lambda: self.states[-1:] == ["waiting_input"], what=str(self.changes))
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            status = (
                status_reader.read_status_list(self._stage.ctx, [self._stage.ref])[0]
                if self._brief
                else self._stage.status()
            )
            self.looks += 1
            word = (status.session_state, f"{status.classification_reason}/{status.state_source}")
            if not self.changes or self.changes[-1][1:] != word:
                self.changes.append((time.time(), *word))

    @property
    def states(self) -> list[str]:
        """Return the states in order without repeats, from the first one after the start."""
        found: list[str] = []
        for _, state, _ in self.changes:
            if state != "just_started" and found[-1:] != [state]:
                found.append(state)
        return found


def is_(state: str, agent_state: str = "", waiting_for: str = "") -> Callable[[Status], bool]:
    return lambda status: (
        status.session_state == state
        and agent_state in ("", status.agent_state)
        and waiting_for in ("", status.waiting_for)
    )


@BOTH
def test_turn_is_one_busy_period_between_idle_states(make: Make, agent: str) -> None:
    stage = make(agent, permission="bypass").begin()
    with Sampler(stage) as sampler:
        stage.send(
            "[fake wait 1 then slow 1 one two three then tool sleep 1; echo hi then think 1 hm then text all done]"
        )
        stage.wait_for_status(is_("waiting_input", "idle"))
        time.sleep(1.5)
    assert sampler.states == ["waiting_input", "in_progress", "waiting_input"], sampler.changes
    assert sampler.looks > 20


def test_older_claude_is_supported(make: Make) -> None:
    stage = make("claude", permission="bypass", version="2.1.197").begin()
    with Sampler(stage) as sampler:
        stage.send("[fake wait 1 then tool echo hi then think 1 hm then text all done]")
        stage.wait_for_status(is_("waiting_input", "idle"))
    assert sampler.states == ["waiting_input", "in_progress", "waiting_input"], sampler.changes


@BOTH
def test_several_turns_in_a_row_are_distinguished(make: Make, agent: str) -> None:
    stage = make(agent).begin()
    with Sampler(stage) as sampler:
        for number in range(3):
            stage.send(f"[fake wait 0.4 then text answer {number}]")
            stage.wait_for_status(is_("waiting_input", "idle"))
    assert sampler.states == ["waiting_input", "in_progress"] * 3 + ["waiting_input"], sampler.changes


@BOTH
def test_no_idle_between_queued_prompts(make: Make, agent: str) -> None:
    stage = make(agent).begin()
    with Sampler(stage) as close, Sampler(stage, brief=True) as brief:
        stage.send("[fake gate on then text first]")
        stage.send("[fake wait 0.5 then text second]")
        stage.api.open("on")
        stage.wait_for_text("second")
        stage.wait_for_status(is_("waiting_input", "idle"))
    for sampler in (close, brief):
        assert sampler.states == ["waiting_input", "in_progress", "waiting_input"], sampler.changes


@BOTH
def test_first_prompt_at_spawn_gives_no_false_idle(make: Make, agent: str) -> None:
    stage = make(agent)
    stage.begin("[fake wait 1 then text hello]")
    with Sampler(stage) as sampler:
        stage.wait_for_status(is_("waiting_input", "idle"))
    assert sampler.states == ["in_progress", "waiting_input"], sampler.changes


@BOTH
def test_thinking_streaming_and_tools_are_distinguished(make: Make, agent: str) -> None:
    stage = make(agent, permission="bypass").begin()
    stage.send("[fake gate first then text hm then tool sleep 3 then gate last then text done]")
    assert stage.wait_for_status(is_("in_progress", "thinking")).wait_estimate >= 1
    stage.api.open("first")
    stage.wait_for_status(  # the screen can show the tool before hook and transcript name it
        lambda status: (
            is_("in_progress", "tool")(status) and any(word in status.active_task for word in ("sleep", "Bash"))
        )
    )
    stage.wait_for_status(lambda status: status.session_state == "in_progress" and status.agent_state != "tool")
    stage.api.open("last")
    stage.wait_for_status(is_("waiting_input", "idle"))


@BOTH
def test_permission_is_requested_and_answered(make: Make, agent: str) -> None:
    stage = make(agent).begin()
    stage.send("[fake ask touch made-it then text done]")
    status = stage.wait_for_status(is_("waiting_input", "waiting", "permission"))
    assert not status.signals.transcript_turn_complete
    assert stage.lisa("send", "--answer", "yes").code == 0
    stage.wait_for_status(is_("waiting_input", "idle", "prompt"))
    assert (stage.machine.project / "made-it").exists()


@BOTH
def test_task_list_is_counted(make: Make, agent: str) -> None:
    stage = make(agent, todos=True, permission="bypass").begin()
    stage.send("[fake todos 1/3 then gate on then text done]")
    status = stage.wait_for_status(lambda status: (status.todos_done, status.todos_total) == (1, 3))
    assert status.session_state == "in_progress"
    stage.api.open("on")
    stage.wait_for_status(is_("waiting_input", "idle"))


@BOTH
@pytest.mark.parametrize(("kind", "waiting_for"), [("usage_limit", "limit"), ("auth", "error"), ("too_long", "error")])
def test_failed_turn_has_its_reason(make: Make, agent: str, kind: str, waiting_for: str) -> None:
    stage = make(agent).begin()
    stage.send(f"[fake error {kind}]")
    status = stage.wait_for_status(is_("waiting_input", "error"))
    assert (status.waiting_for, status.error_kind) == (waiting_for, kind)
    stage.send("[fake text better]")
    assert stage.wait_for_status(is_("waiting_input", "idle")).waiting_for == "prompt"


@BOTH
def test_interrupted_turn_has_ended(make: Make, agent: str) -> None:
    stage = make(agent, permission="bypass").begin()
    stage.send("[fake text hm then tool python3 -c 1; sleep 30 then text never]")
    stage.wait_for_status(is_("in_progress", "tool"))
    assert stage.lisa("send", "--keys", "Escape").code == 0
    stage.wait_for_status(is_("waiting_input", "interrupted"))


@BOTH
@pytest.mark.parametrize("complete", ["true", "false"])
def test_wait_ends_at_an_interrupt_before_any_output(make: Make, agent: str, complete: str) -> None:
    stage = make(agent).begin()
    stage.send("[fake hang 60]")
    words = ("--waiting-requires-turn-complete", complete, "--timeout-seconds", "30", "--json")
    watching = stage.machine.start("session", "monitor", "--session", stage.name, *words)
    stage.wait_for_status(is_("in_progress", "thinking"))
    assert stage.lisa("send", "--keys", "Escape").code == 0
    got = json.loads(watching.communicate(timeout=60)[0])
    assert (watching.returncode, got["finalState"], got["classificationReason"]) == (
        0, "waiting_input", "agent_interrupted",
    ), got  # fmt: skip


@BOTH
def test_exit_is_completed_and_kill_is_crashed(make: Make, agent: str) -> None:
    stage = make(agent).begin()
    stage.send("/exit" if agent == "claude" else "/quit")
    assert stage.wait_for_status(is_("completed")).exit_code == 0
    stage.lisa("kill")
    again = make(agent).begin()
    again.send("[fake hang 60]")
    again.wait_for_status(is_("in_progress", "thinking"))
    os.kill(again.wait_for_agent_pid(), signal.SIGKILL)
    status = again.wait_for_status(is_("crashed"), timeout=10)
    assert status.exit_signal == "SIGKILL"


@BOTH
def test_an_exec_run_works_and_completes(make: Make, agent: str) -> None:
    stage = make(agent, permission="bypass")
    stage.begin("[fake gate on then text done]", mode="exec")
    stage.wait_for_status(is_("in_progress"))
    assert stage.status().agent_pid
    stage.api.open("on")
    assert stage.wait_for_status(is_("completed")).exit_code == 0


@BOTH
def test_failed_exec_run_is_crashed(make: Make, agent: str) -> None:
    stage = make(agent)
    stage.begin("[fake error auth]", mode="exec")
    assert stage.wait_for_status(is_("crashed")).exit_code == 1


@BOTH
@pytest.mark.parametrize("answer", ["yes", "no"])
def test_trust_dialog_of_a_folder_can_be_answered(make: Make, agent: str, answer: str) -> None:
    stage = make(agent, trusted=False)
    subprocess.run(["git", "init", "-q", str(stage.machine.project)], check=True)
    words = ["--agent", agent, "--no-dangerously-skip-permissions", "--prompt", "[fake text hello]"]
    assert stage.lisa("spawn", *words).code == 0
    stage.wait_for_status(is_("waiting_input", "waiting", "trust"))
    for _ in range(20):  # it stays, also while its process is still starting
        assert stage.status().waiting_for == "trust"
    given = stage.lisa("send", "--answer", answer)
    assert (given.code, given.json["delivered"]) == (0, True), given
    if answer == "yes":
        stage.wait_for_status(is_("waiting_input", "idle", "prompt"))
        assert stage.model_prompts() == ["[fake text hello]"]
    else:
        stage.wait_for_status(lambda status: status.waiting_for != "trust")
        assert stage.model_prompts() == []


@BOTH
def test_marker_in_the_prompt_is_not_found(make: Make, agent: str) -> None:
    stage = make(agent).begin()
    stage.send("Say MARK_55 at the end. [fake wait 2 then text here it is: MARK_55]")
    began = time.monotonic()
    outcome = run_monitor(
        stage.ctx, stage.ref, StopRules(until_marker="MARK_55", stop_on_waiting=False, timeout_seconds=30)
    )
    assert outcome.reason == "marker_found"
    assert time.monotonic() - began > 1


@BOTH
@pytest.mark.parametrize("what", ["turn", "permission"])
def test_change_is_reported_within_milliseconds(make: Make, agent: str, what: str) -> None:
    """Measure the time from a detectable change to the return of the monitor."""
    stage = make(agent).begin()
    delays = []
    for number in range(5):
        step = "text done" if what == "turn" else f"ask touch made-{number}"
        stage.send(f"[fake wait 0.5 then {step} then text done]")
        seen: list[float] = []

        def sample(seen: list[float] = seen) -> None:
            while not seen:
                if stage.status().session_state == "waiting_input":
                    seen.append(time.time())

        sampler = threading.Thread(target=sample)
        sampler.start()
        outcome = run_monitor(stage.ctx, stage.ref, StopRules(timeout_seconds=30))
        returned = time.time()
        sampler.join()
        assert outcome.reason == "waiting_input"
        delays.append(returned - seen[0])
        if what == "permission":
            stage.lisa("send", "--answer", "yes")
            stage.wait_until_idle()
    print(f"\n{agent} {what}: " + " ".join(f"{delay * 1000:.0f}" for delay in delays), "ms")
    assert sorted(delays)[2] < 0.5


def test_rejected_token_is_quarantined_and_the_other_kept(make: Make) -> None:
    stage = make("claude", retries=0)
    machine = stage.machine
    del machine.env["ANTHROPIC_AUTH_TOKEN"]
    ids = [machine.lisa("oauth", "add", "--stdin", "--json", stdin=token).json["id"] for token in ("good", "bad")]
    for name, error in (("lisa-good", "text fine"), ("lisa-bad", "error auth")):
        machine.lisa(
            "session", "spawn", "--agent", "claude", "--session", name, "--prompt", f"[fake {error}]", "--json",
            "--no-dangerously-skip-permissions",
        )  # fmt: skip
        answer = machine.lisa("session", "monitor", "--session", name, "--timeout-seconds", "60", "--json")
        assert answer.json["exitReason"] == "waiting_input", answer
    tokens = {
        token["id"]: token.get("disabled", False) for token in machine.lisa("oauth", "list", "--json").json["tokens"]
    }
    assert tokens == {ids[0]: False, ids[1]: True}
