"""ai session get: the description of one session."""

from __future__ import annotations

import json

from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


def test_prompt_is_truncated_on_request(machine: LisaHost) -> None:
    prompt = "[say one] " + "x" * 200
    stage = SessionHarness(machine).spawn(prompt)
    words = ("ai", "session", "get", "--id", stage.name)
    short = json.loads(machine.lisa(*words).out)["session"]
    assert (short["initial_prompt"], short["status"]) == (prompt[:120] + "...", "running")
    assert machine.lisa(*words, "--full-prompt", "--json").json["session"]["initial_prompt"] == prompt
    assert machine.lisa("ai", "chats", "get", "--id", stage.name).code == 3
