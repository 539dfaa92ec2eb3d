"""Approval rules of the user decide calls of the real claude and codex; the log has every decision."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from typing import Any

import pytest

from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.agents_live.test_dialogs import ask
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents
RULES = """
[[deny]]
command = "touch denied"
reason = "never that one"

[[ask]]
command = "touch asked"

[[allow]]
command = "touch allowed"
"""


@pytest.fixture(params=pins(older=True), ids=lambda pin: f"{pin.agent}-{pin.version}")
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    made = LiveSessionHarness(machine, api, request.param.agent, version=request.param.version)
    write_rules(made, RULES)
    return made


def write_rules(stage: LiveSessionHarness, text: str) -> None:
    path = stage.machine.folder / "state" / "approvals.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


def read_log(stage: LiveSessionHarness) -> list[tuple[str, str]]:
    """Return decider and decision of each line."""
    found = stage.machine.lisa("session", "approvals", "--log", "--json").json["decisions"]
    return [(each["by"], each["decision"]) for each in found]


def made(stage: LiveSessionHarness, *names: str) -> list[str]:
    return [name for name in names if (stage.machine.project / name).exists()]


def test_rules_decide_where_permissions_are_asked_for(stage: LiveSessionHarness) -> None:
    step = "tool" if stage.agent_name == "claude" else "ask"
    stage.begin()
    stage.send(f"[fake {step} touch denied then {step} touch allowed then text first over]")
    wait_until(lambda: made(stage, "allowed"), what="the allowed call")
    stage.wait_until_idle()
    assert made(stage, "denied") == []
    if stage.agent_name == "codex":  # it takes no question before a call
        stage.send("[fake tool touch asked then text second over]")
        wait_until(lambda: len(read_log(stage)) == 3, what="the denial")
        stage.wait_until_idle()
        assert made(stage, "asked") == []
        assert read_log(stage) == [("rule", "deny"), ("rule", "allow"), ("rule", "deny")]
        return
    ask(stage, "touch asked", "text second over")
    assert stage.lisa("approve").code == 0
    wait_until(lambda: made(stage, "asked"), what="the approved call")
    assert read_log(stage) == [("rule", "deny"), ("rule", "allow"), ("rule", "ask"), ("cli", "allow")]


def test_rules_hold_where_permissions_are_skipped(stage: LiveSessionHarness) -> None:
    kind = "skip-permissions" if stage.agent_name == "claude" else "bypass-approvals-and-sandbox"
    prompt = "[fake tool touch denied then tool touch asked then tool touch other then text all over]"
    stage.begin(prompt, "--agent-args", f"--dangerously-{kind}")
    wait_until(lambda: made(stage, "other"), timeout=60, what="the call without a rule")
    stage.wait_until_idle()
    assert made(stage, "denied", "asked") == []
    write_rules(stage, "[[deny]]\ncomand = 'touch'\n")
    stage.send("[fake tool touch later then text closed over]")
    wait_until(lambda: len(read_log(stage)) == 3, what="the denial")
    stage.wait_until_idle()
    assert made(stage, "later") == []
    assert "line 2: comand: unknown key" in json.dumps(stage.machine.lisa("session", "approvals", "--json").json)
    assert read_log(stage) == [("rule", "deny")] * 3


def test_rules_hold_in_a_run(stage: LiveSessionHarness) -> None:
    prompt = "[fake tool touch denied then tool touch allowed then text all over]"
    stage.begin(prompt, mode="exec")
    wait_until(lambda: stage.lisa("status").json["sessionState"] in ("completed", "crashed", "ended"), timeout=60)
    assert made(stage, "denied", "allowed") == ["allowed"]


@pytest.mark.parametrize("pin", [pin for pin in pins(older=True) if pin.agent == "claude"], ids=lambda pin: pin.version)
def test_key_in_the_pane_is_in_the_log(machine: LisaHost, api: FakeModelApi, pin: Any) -> None:
    stage = LiveSessionHarness(machine, api, "claude", version=pin.version)
    ask(stage.begin(), "touch approved", "text over")
    press(stage, "1")
    wait_until(lambda: read_log(stage) == [("pane", "allow")], what=f"the approval\n{stage.screen()}")
    stage.wait_until_idle()
    ask(stage, "touch cancelled", "text over")
    press(stage, "Escape")
    stage.send("[fake text next]")
    wait_until(lambda: read_log(stage) == [("pane", "allow"), ("pane", "deny")], what="the refusal")
    assert made(stage, "approved", "cancelled") == ["approved"]


def press(stage: LiveSessionHarness, key: str) -> None:
    """Press a key until the dialog is gone: claude ignores keys for a moment after it has drawn the dialog."""
    stage.wait_for_text("1. Yes")
    for _ in range(5):
        assert stage.lisa("send", "--keys", key).code == 0
        with contextlib.suppress(AssertionError):
            wait_until(lambda: stage.lisa("dialogs").json["dialogs"] == [], timeout=2)
            return


@pytest.mark.parametrize(
    ("agent", "dialog"), [("claude", "trust"), ("codex", "trust"), ("codex", "login"), ("codex", "update")]
)
def test_rules_do_not_answer_what_is_no_call(machine: LisaHost, api: FakeModelApi, agent: str, dialog: str) -> None:
    """A dialog of the agent itself, before any call, waits for a person whatever the rules are."""
    stage = LiveSessionHarness(machine, api, agent, trusted=dialog != "trust")
    write_rules(stage, '[[ask]]\ncommand = "touch"\n\n[[ask]]\ntool = "Bash"\n\n[[allow]]\npath = "**"\n')
    words = []
    if dialog == "trust":
        words = ["--prompt", "[fake text hello]"]  # codex shows no update dialog if it is started with a prompt
        subprocess.run(["git", "init", "-q", str(machine.project)], check=True)
    elif dialog == "login":
        (stage.agent_home.home / ".codex" / "config.toml").write_text("")
    else:
        checked = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        newer = {"latest_version": "99.0.0", "last_checked_at": checked, "dismissed_version": None}
        (stage.agent_home.home / ".codex" / "version.json").write_text(json.dumps(newer))
        words = ["--agent-args", "-c check_for_update_on_startup=true"]
    stage.lisa("spawn", "--agent", agent, "--no-dangerously-skip-permissions", *words)
    stage.wait_for_status(lambda status: (status.agent_state, status.waiting_for) == ("waiting", dialog))
    before = stage.screen().splitlines()[-1]  # above it the login of codex draws an animation
    for _ in range(10):  # its process is still starting
        assert stage.status().waiting_for == dialog
    assert (stage.screen().splitlines()[-1], read_log(stage), stage.model_prompts()) == (before, [], [])
