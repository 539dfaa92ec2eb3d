"""kill -9 of the deciding process after each of its steps: a call is decided once, by it or by a later decision."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from lisa_py.store import dialogs
from tests.commands.session.dialog_stage import DialogStage
from tests.lisa_host import LisaHost
from tests.polling import wait_until

APPROVE = """
import os, signal, sys
from lisa_py.core.send.target import SendTarget
from lisa_py.host import files
left = int(sys.argv.pop(1))

def kill_after(owner, name):
    original = getattr(owner, name)
    def call(*words, **more):
        global left
        result = original(*words, **more)
        left -= name != "write_to_pipe" or bool(words[1])  # an empty word only asks for a reader
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, call)

for name in ("ensure_private_dir", "create", "write_to_pipe", "remove", "write", "append"):
    kill_after(files, name)
kill_after(SendTarget, "press")
from lisa_py.cli.main import entry
entry()
"""
MOST_STEPS = 20


@pytest.fixture
def stage(machine: LisaHost) -> DialogStage:
    made = DialogStage(machine)
    made.spawn()
    return made


def approve_until(stage: DialogStage, step: int) -> int:
    """Run `session approve` and kill it after a number of steps; return its exit code."""
    words = (sys.executable, "-c", APPROVE, str(step), "session", "approve", "--session", stage.name, "--json")
    ran = subprocess.run(words, env=stage.machine.env, cwd=stage.machine.project, capture_output=True, timeout=30)
    return ran.returncode


def end_hook(stage: DialogStage) -> None:
    (waiting,) = dialogs.list_waiting(stage.ref)
    os.kill(int(waiting.key.rpartition("-")[2]), signal.SIGKILL)
    wait_until(lambda: not dialogs.list_waiting(stage.ref))


@pytest.mark.parametrize("way", ["hook", "screen"])
def test_a_killed_decision_counts_once_or_not_at_all(stage: DialogStage, way: str) -> None:
    outcomes = []
    for step in range(1, MOST_STEPS):
        stage.ask(f"[ask echo call{step}]")
        if way == "screen":
            end_hook(stage)
        code = approve_until(stage, step)
        late = stage.lisa("deny")
        wait_until(lambda: len(stage.results()) >= step, what="the result of the call")  # noqa: B023
        stage.wait_for_state("idle")
        text, is_denied = stage.results()[-1]
        outcomes.append((code, late.code, is_denied))
        assert len(stage.results()) == step and is_denied == (late.code == 0), (late, outcomes)
        assert is_denied or text == f"call{step}"
        if code == 0:
            break
    assert outcomes[-1] == (0, 1, False), outcomes
    killed = outcomes[:-1]
    assert {code for code, _, _ in killed} == {-signal.SIGKILL}
    assert (-signal.SIGKILL, 0, True) in killed and (-signal.SIGKILL, 1, False) in killed, outcomes
