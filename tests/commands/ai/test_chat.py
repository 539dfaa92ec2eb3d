"""ai chat: a chat of the user, started and left."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


def test_a_chat_is_started_and_left(machine: LisaHost) -> None:
    answer = machine.lisa("ai", "chat", "[say one]", "--agent", "scripted", "--name", "Talk", stdin="/quit\n")
    assert answer.code == 0, answer
    started, attached = answer.err.splitlines()[:2]
    identity = started.removeprefix("Started session ")
    assert attached == f"Attached to session {identity} (interactive mode). Ctrl+C to detach."
    (found,) = json.loads(machine.lisa("ai", "chats", "list").out)
    assert (found["id"], found["name"], found["session_type"]) == (identity, "Talk", "user")
    stage = SessionHarness(machine, found["lisa_session"])
    assert stage.prompts() == ["[say one]"]
    again = machine.lisa("ai", "session", "attach", "--id", identity, "-i", stdin="[say two]\n/quit\n")
    assert again.code == 0 and "Owner access denied" not in again.err
    assert stage.prompts() == ["[say one]", "[say two]"]


def test_every_setting_of_the_guide_is_recorded(machine: LisaHost) -> None:
    words = (
        "--name", "Talk", "--model", "claude-sonnet-4-6", "--max-turns", "9", "--max-budget-usd", "0.50",
        "--task-budget-tokens", "70000", "--permission-mode", "plan", "--allowed-tools", "Read,Grep",
        "--denied-tools", "Bash,Write", "--plugin", "p", "--plugin", "q", "--agent", "scripted",
    )  # fmt: skip
    chat = machine.start("ai", "chat", "[think 60]", *words, "--verbose", stdin=subprocess.PIPE)
    wait_until(lambda: re.match(r"\[\d{4}-\S+Z\] session_status: ", chat.stdout.readline()), what="a noisy frame")
    _, notices = chat.communicate("/quit\n", timeout=30)
    assert chat.returncode == 0
    identity = notices.partition("Started session ")[2].split()[0]
    found = json.loads(machine.lisa("ai", "chats", "get", "--id", identity).out)["session"]
    record = json.loads(Path(machine.context().ref(found["lisa_session"]).file("record.json")).read_text())
    assert record["settings"] == {
        "name": "Talk", "agent": "scripted", "model": "claude-sonnet-4-6", "max_turns": 9, "max_budget_usd": 0.5,
        "task_budget_tokens": 70000, "permission_mode": "plan", "allowed_tools": ["Read", "Grep"],
        "denied_tools": ["Bash", "Write"], "plugins": ["p", "q"],
    }  # fmt: skip
    assert SessionHarness(machine, found["lisa_session"]).prompts() == ["[think 60]"]


def test_nothing_is_created_without_a_credential(machine: LisaHost) -> None:
    machine.add_program("claude", "#!/bin/sh\n")
    refused = machine.lisa("ai", "chat", "hello", "--agent", "claude")
    assert (refused.code, refused.out) == (1, "") and refused.err.startswith("Error: ")
    assert json.loads(machine.lisa("ai", "chats", "list").out) == []


def test_one_active_chat_per_idempotent_key(machine: LisaHost) -> None:
    call = ("ai", "chat", "--agent", "scripted", "--idempotent-key", "k")
    first, second = (machine.lisa(*call, f"[say {word}]", stdin="/quit\n") for word in ("one", "two"))
    started = first.err.splitlines()[0]
    assert (first.code, second.code) == (0, 0) and second.err.splitlines()[0] == started
    (found,) = json.loads(machine.lisa("ai", "chats", "list").out)
    assert found["id"] == started.removeprefix("Started session ")
    stage = SessionHarness(machine, found["lisa_session"])
    assert stage.prompts() == ["[say one]", "[say two]"]
    assert "assistant: one" not in second.out.replace("\n  ", " ")
    machine.lisa("session", "kill", found["lisa_session"])
    again = machine.lisa(*call, stdin="/quit\n")
    assert again.code == 0 and again.err.splitlines()[0] != started
