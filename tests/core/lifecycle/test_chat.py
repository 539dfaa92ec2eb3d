"""Chats with a slow start: they can be read and written at once."""

from __future__ import annotations

import os
import shutil

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.core.fleet import session_objects
from lisa_py.core.lifecycle import chat
from lisa_py.core.lifecycle.chat import ChatRequest
from lisa_py.core.live.input_queue import InputOutcome, InputQueue
from lisa_py.core.live.typed_lines import TypedPrompt
from tests.core.live.test_feed import Reader
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


def test_a_slow_start_is_returned_as_starting(machine: LisaHost) -> None:
    gate = machine.folder / "gate"
    os.mkfifo(gate)
    blocked = f"case \" $* \" in *new-session*) read -r _ <'{gate}' ;; esac"
    machine.add_program("tmux", f'#!/bin/sh\n{blocked}\nexec {shutil.which("tmux")} "$@"\n')
    ctx = machine.context()
    started = chat.start_soon(ctx, ChatRequest(agent="scripted", prompt="[say hi]"), seconds=0.3)
    stage = SessionHarness(machine, started.session)
    assert session_objects.describe_session(ctx, stage.ref).status == "starting"
    outcomes: list[InputOutcome] = []
    queue = InputQueue(ctx, stage.ref, lambda: False)
    queue.add(TypedPrompt(text="[say later]"), outcomes.append)
    reader = Reader(stage)
    wait_until(lambda: reader.feed is not None and reader.feed.status.session_state == "not_found", what="a read")
    assert reader.kinds() == []
    gate.write_text("go\n")
    reader.wait_for("assistant", "hi")
    reader.wait_for("assistant", "later")
    wait_until(lambda: outcomes, what="the prompt is reported")
    assert not outcomes[0].code and "session_end" not in reader.kinds()
    found = session_objects.describe_session(ctx, stage.ref)
    assert (found.status, found.id) == ("running", started.id)


def test_a_quick_failure_is_raised(machine: LisaHost) -> None:
    with pytest.raises(LisaError) as refused:
        chat.start_soon(machine.context(), ChatRequest(agent="codex"))
    assert refused.value.code == "agent_not_installed"
