"""session preflight asks the real claude and codex for a model."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import psutil
import pytest

from tests.agents_kit import AgentHome, claude_home, codex_home
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import CallResult, LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents

HOMES = {"claude": claude_home, "codex": codex_home}
EACH = pytest.mark.parametrize("agent", ["claude", "codex"])
LIMIT = 3


def live(machine: LisaHost, agent: str, url: str) -> AgentHome:
    home = HOMES[agent](machine.folder, machine.project, url)
    machine.env |= {**home.env, "PATH": f"{machine.bin}:{home.env['PATH']}"}
    (machine.bin / agent).symlink_to(home.binary)
    return home


def ask(machine: LisaHost, agent: str, *words: str) -> CallResult:
    return machine.lisa("session", "preflight", "--fast", "--agent", agent, *words, "--json", timeout=120)


def kept(machine: LisaHost) -> set[Path]:
    """Conversations that the agents have stored."""
    return {path for path in machine.folder.rglob("*.jsonl") if "/projects/" in str(path) or "/sessions/" in str(path)}


@EACH
def test_model_is_verified_without_leftover_files(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    live(machine, agent, api.url)
    before = kept(machine)
    answer = ask(machine, agent, "--model", "some-model")
    model = answer.json["modelCheck"]
    assert (answer.code, model["ok"], model["verified"]) == (0, True, True), answer
    assert len(api.prompts()) == 1
    assert kept(machine) == before and list(machine.project.iterdir()) == []


@EACH
def test_hanging_model_ends_in_time(machine: LisaHost, agent: str) -> None:
    """B23: the probe ends within its limit and two seconds, and leaves no process."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        live(machine, agent, f"http://127.0.0.1:{silent.getsockname()[1]}")
        machine.lisa("doctor", timeout=120)  # what the binary can do is asked once, beforehand
        machine.env["LISA_MODEL_PROBE_TIMEOUT_SECONDS"] = str(LIMIT)
        began = time.monotonic()
        without = ask(machine, agent)
        usual = time.monotonic() - began
        began = time.monotonic()
        answer = ask(machine, agent, "--model", "some-model")
        took = time.monotonic() - began - usual
    model = answer.json["modelCheck"]
    assert "modelCheck" not in without.json
    assert (answer.code, model["ok"], model["errorCode"]) == (1, False, "preflight_model_probe_failed")
    assert LIMIT <= model["seconds"] < LIMIT + 2 and took < LIMIT + 2
    wait_until(lambda: not [process for process in psutil.process_iter(["environ"]) if is_probe(process, machine)])


def is_probe(process: psutil.Process, machine: LisaHost) -> bool:
    return (process.info["environ"] or {}).get("HOME") == machine.env["HOME"]


@EACH
def test_the_first_candidate_that_answers_is_selected(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    live(machine, agent, api.url)
    answer = ask(machine, agent, "--auto-model").json
    assert answer["autoModel"]["selected"] == answer["autoModel"]["candidates"][0]
    assert len(answer["autoModel"]["attempts"]) == 1 and answer["modelCheck"]["verified"] is True
