"""Cancellation from another thread: every wait ends soon, with a typed outcome, and the session continues."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import lisa_py
from lisa_py import commands
from lisa_py.cli import parse
from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.host.cancellation import Cancellation
from lisa_py.store import session_records
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

REACTION_SECONDS = 3.0
"""Generous for a loaded machine; without cancellation each wait here is unlimited."""


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


class _Call:
    """A call in its own thread."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.result: Any = None
        self.error: LisaError | None = None
        self._action = action
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._action()
        except LisaError as problem:
            self.error = problem

    def cancel(self, cancellation: Cancellation, when: Callable[[], object], *, observed: bool = True) -> float:
        """Cancel once the condition holds; return the seconds until the call has ended."""
        wait_until(lambda: (cancellation.is_observed or not observed) and when(), what="the call waits")
        began = time.monotonic()
        cancellation.cancel()
        self._thread.join(20)
        assert not self._thread.is_alive()
        return time.monotonic() - began


def _cancel_command(
    stage: SessionHarness, *words: str, when: Callable[[list[object]], object] = lambda events: True, form: str = "json"
) -> _Call:
    """Run a command of `lisa session` in a thread and cancel it; `when` is given the events that it has streamed."""
    cancellation, events = Cancellation(), list[object]()
    path = ("session", words[0])
    command = commands.load(path)
    args, given = parse.read_arguments(path, command, words[1:])
    ctx = stage.machine.context(cancellation=cancellation, given_fields=given, output_format=form, emit=events.append)
    call = _Call(lambda: command.run(args, ctx))
    assert call.cancel(cancellation, lambda: when(events)) < REACTION_SECONDS
    assert not cancellation.is_observed
    return call


def test_cancelled_monitor_is_a_typed_error(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    call = _cancel_command(
        stage, "monitor", "--session", stage.name, "--stream-json", "--poll-interval", "60", when=bool
    )
    assert isinstance(call.error, CancellationError)
    assert (call.error.code, call.error.exit_code, call.error.details) == ("interrupted", 130, {"session": stage.name})
    assert stage.status().session_state == "in_progress"


def test_cancelled_wait_is_a_typed_error(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    call = _cancel_command(stage, "wait", "--sessions", stage.name)
    assert isinstance(call.error, CancellationError) and "stopped waiting" in call.error.message
    assert stage.status().session_state == "in_progress"


def test_cancelled_list_watch_is_a_typed_error(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    call = _cancel_command(stage, "list", "--watch-json", "--watch-interval", "60", when=bool)
    assert isinstance(call.error, CancellationError) and "watching stopped" in call.error.message


def test_cancelled_turn_is_a_typed_error(stage: SessionHarness) -> None:
    stage.spawn()
    words = ("turn", "--session", stage.name, "--text", "[think 600]", "--enter")
    call = _cancel_command(stage, *words, when=lambda events: stage.agent_state().get("state") == "thinking")
    assert isinstance(call.error, CancellationError)
    assert stage.prompts() == ["[think 600]"]


def test_cancelled_loop_returns_its_result(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    got = _cancel_command(stage, "loop", "--session", stage.name, "--steps", "3", "--poll-interval", "60").result
    assert (got.ok, got.exit_code, got.failed_step, got.error_code) == (False, 130, "monitor", "loop_monitor_failed")
    assert (got.cause.error_code, got.completed_steps) == ("interrupted", 0)


def test_loop_cancelled_while_idle_returns_its_rounds(stage: SessionHarness) -> None:
    stage.spawn()
    first_round = f"{stage.ref.folder}/loop-pack.cursor"
    words = ("loop", "--session", stage.name, "--steps", "3", "--poll-interval", "60")
    got = _cancel_command(stage, *words, when=lambda events: os.path.exists(first_round)).result
    assert (got.exit_code, got.cause.error_code) == (130, "interrupted")


def test_cancelled_autopilot_returns_a_summary(stage: SessionHarness) -> None:
    words = ("autopilot", "--agent", "scripted", "--goal", "exec", "--session", stage.name, "--prompt", "[wait go]")
    got = _cancel_command(stage, *words, when=lambda events: "agent_thinking" in stage.event_reasons()).result
    assert (got.ok, got.failed_step, got.monitor.exit_code, got.monitor.error_code) == (
        False, "monitor", 130, "interrupted",
    )  # fmt: skip
    assert stage.status().session_state == "in_progress"


def test_cancelled_spawn_leaves_nothing(stage: SessionHarness) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    lisa = lisa_py.Lisa(str(stage.machine.project), environ=stage.machine.env, cancellation=cancellation)
    with pytest.raises(CancellationError):
        lisa.spawn(name=stage.name, command="sleep 600")
    assert lisa.sessions() == []


def test_library_wait_is_cancelled_from_another_thread(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    cancellation = Cancellation()
    lisa = lisa_py.Lisa(str(stage.machine.project), environ=stage.machine.env, cancellation=cancellation)
    call = _Call(lisa.session(stage.name).wait)
    assert call.cancel(cancellation, lambda: True) < REACTION_SECONDS
    assert isinstance(call.error, lisa_py.CancellationError)


def test_send_waiting_for_another_sender_is_cancelled(stage: SessionHarness) -> None:
    stage.spawn()
    cancellation = Cancellation()
    lisa = lisa_py.Lisa(str(stage.machine.project), environ=stage.machine.env, cancellation=cancellation)
    with session_records.session_lock(stage.ref, stage.ctx.settings, "input"):
        call = _Call(lambda: lisa.session(stage.name).send("[say too late]"))
        assert call.cancel(cancellation, lambda: True, observed=False) < REACTION_SECONDS
    assert isinstance(call.error, CancellationError)
    assert stage.prompts() == []


def test_kill_continues_after_a_cancellation(stage: SessionHarness) -> None:
    stage.run("trap '' TERM; sleep 600")
    cancellation = Cancellation()
    cancellation.cancel()
    lisa = lisa_py.Lisa(str(stage.machine.project), environ=stage.machine.env, cancellation=cancellation)
    assert lisa.session(stage.name).kill().ok
    assert lisa.sessions() == []
