"""The real codex driven by the commands of lisa: facts of its agent file reach the user."""

from __future__ import annotations

import json
import time

import pytest

from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents


@pytest.fixture
def stage(machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, "codex", retries=2)


def test_monitor_returns_at_once_at_a_permission(stage: LiveSessionHarness) -> None:
    stage.begin().send("[fake wait 1 then ask touch made then text asked]")
    began = time.monotonic()
    answer = stage.lisa("monitor")
    assert answer.json["waitingFor"] == "permission"
    assert time.monotonic() - began < 6
    given = stage.lisa("send", "--answer", "yes")
    assert given.json["delivered"] is True, given
    assert stage.lisa("monitor").json["finalState"] == "waiting_input"
    assert (stage.machine.project / "made").exists()


@pytest.mark.parametrize(
    ("kind", "waiting_for", "error"), [("usage_limit", "limit", "usage_limit"), ("auth", "error", "auth")]
)
def test_failed_turn_has_its_waiting_reason(stage: LiveSessionHarness, kind: str, waiting_for: str, error: str) -> None:
    stage.begin().send(f"[fake error {kind}]")
    stage.wait_for_status(lambda status: status.agent_state == "error")
    status = stage.status()
    assert (status.session_state, status.waiting_for, status.error_kind) == ("waiting_input", waiting_for, error)
    assert status.state_source == "title"


def test_text_ending_in_a_dollar_sign_arrives(stage: LiveSessionHarness) -> None:
    answer = stage.begin().send("what does it cost in $")
    assert answer.json["delivered"] is True, answer
    stage.wait_until_idle()
    assert stage.transcript_prompts() == ["what does it cost in $"]


def test_remains_of_unknown_command_are_cleared_by_send(stage: LiveSessionHarness) -> None:
    stage.begin().send("/nonsense")
    answer = stage.send("[fake text fine]")
    assert answer.json["delivered"] is True, answer
    stage.wait_until_idle()
    assert stage.transcript_prompts() == ["[fake text fine]"]


def test_menu_over_the_input_box_loses_no_text(stage: LiveSessionHarness) -> None:
    stage.begin("[fake text one]").wait_until_idle()
    stage.send("/model")
    stage.wait_for_status(lambda status: status.waiting_for == "dialog")
    refused = stage.send("hello")
    assert refused.json["errorCode"] == "agent_waiting_dialog"
    stage.lisa("send", "--keys", "Escape")
    stage.wait_until_idle()
    assert stage.send("[fake text two]").json["delivered"] is True


def test_after_new_the_status_shows_the_new_thread(stage: LiveSessionHarness) -> None:
    stage.begin("[fake text one]").wait_until_idle()
    before = stage.status().agent_session_id
    assert stage.send("/new").json["delivered"] is True
    stage.wait_for_status(lambda status: status.agent_session_id != before)
    stage.send("[fake todos 1/3 then text two]")
    stage.wait_until_idle()
    assert stage.transcript_prompts() == ["[fake todos 1/3 then text two]"]


def test_parallel_runs_in_one_folder_keep_their_transcripts(machine: LisaHost, api: FakeModelApi) -> None:
    stage = LiveSessionHarness(machine, api, "codex")
    names = [f"lisa-run-{number}" for number in range(4)]
    spawns = [
        machine.start(
            "session", "spawn", "--agent", "codex", "--mode", "exec", "--session", name,
            "--prompt", f"[fake tool echo {name} then text the tool said {{last}}]", "--json",
        )
        for name in names
    ]  # fmt: skip
    for spawn in spawns:
        output = spawn.communicate(timeout=60)
        assert spawn.returncode == 0, output
    for name in names:
        machine.lisa("session", "monitor", "--session", name, "--json")
        captured = machine.lisa("session", "capture", "--session", name, "--json").json
        answers = [message["text"] for message in captured["messages"] if message["role"] == "assistant"]
        assert answers == [f"the tool said {name}"], json.dumps(captured)
    stage.machine.lisa("session", "kill-all")


def test_start_up_lines_are_not_captured(stage: LiveSessionHarness) -> None:
    stage.begin("[fake text hook: Stop]", mode="exec")
    stage.lisa("monitor")
    text = stage.machine.lisa("session", "capture", "--session", stage.name, "--raw").out
    assert "hook: SessionStart" not in text
    assert "Reading additional input" not in text
    assert "hook: Stop" in text


@pytest.mark.parametrize("mode", ["exec", "interactive"])
def test_nested_codex_finds_lisa_with_its_tools(stage: LiveSessionHarness, mode: str) -> None:
    prompt = "Use ./lisa for it. [fake tool lisa version >made then text done]"
    words = ("--agent", "codex", "--mode", mode, "--session", "lisa-nested", "--prompt", prompt, "--agent-args")
    bypass = "--dangerously-bypass-approvals-and-sandbox"
    spawned = stage.machine.lisa("session", "spawn", *words, bypass, "--json").json
    assert any("lisa on PATH" in note for note in spawned["notes"]), spawned
    made = stage.machine.project / "made"
    wait_until(lambda: made.exists() and made.read_text(), timeout=60)
    assert made.read_text().startswith("lisa")
