"""chat: a new session and its conversation in one call."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.lisa_host import LisaHost
from tests.outer_terminal import OuterTerminal
from tests.session_harness import SessionHarness

AGENT = ("--agent", "scripted", "--session", "lisa-chat-1")


def test_chat_starts_a_session_and_leaves_it_running(machine: LisaHost) -> None:
    answer = machine.lisa("chat", "[say one]", *AGENT, "--name", "Talk", stdin="[say two]\n/quit\n")
    assert answer.code == 0, answer
    stage = SessionHarness(machine, "lisa-chat-1")
    assert stage.prompts() == ["[say one]", "[say two]"]
    started, attached = answer.err.splitlines()[:2]
    assert re.fullmatch(r"Started session [0-9a-f-]{36}", started)
    assert attached == "Attached to session lisa-chat-1 (interactive mode). Ctrl+C to detach."
    record = json.loads(Path(stage.ref.file("record.json")).read_text())
    assert (record["family"], record["settings"]["name"], record["id"]) == ("user", "Talk", started.split()[-1])
    assert stage.status().session_state in ("in_progress", "waiting_input")


def test_nothing_is_created_without_the_agent(machine: LisaHost) -> None:
    answer = machine.lisa("chat", "hello", "--agent", "codex", "--json", env={"PATH": "/usr/bin:/bin"})
    assert (answer.code, answer.json["errorCode"]) == (1, "agent_not_installed")
    machine.add_program("claude", "#!/bin/sh\n")
    refused = machine.lisa("chat", "hello", "--agent", "claude", "--json")
    assert (refused.code, refused.json["errorCode"]) == (1, "not_logged_in")
    assert machine.lisa("chat", "--definition", "none", "--json").json["errorCode"] == "definition_not_found"
    assert machine.lisa("session", "list", "--json").json["sessions"] == []


def test_definition_gives_settings_and_prompt(machine: LisaHost) -> None:
    folder = machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True)
    (folder / "greeter.yaml").write_text("name: greeter\nagent: scripted\nprompt: '[say hello]'\none_shot: true\n")
    answer = machine.lisa("chat", "--definition", "greeter", "--session", "lisa-chat-1", "--raw", stdin="")
    assert answer.code == 0, answer
    stage = SessionHarness(machine, "lisa-chat-1")
    stage.wait_for_text("● hello")
    record = json.loads(Path(stage.ref.file("record.json")).read_text())
    assert record["definition"] == "greeter" and "one_shot" not in record["settings"]


def test_chat_on_a_terminal_shows_the_first_answer(machine: LisaHost) -> None:
    terminal = OuterTerminal(machine, "chat", "[say one]", *AGENT)
    shown = terminal.wait_for("  one")
    assert "  [say one]" in shown and "History" not in shown
    terminal.wait_for("\n>")
    terminal.paste("[say two]\nsecond line")
    terminal.wait_for("second line")
    terminal.press("Enter")
    terminal.wait_for("  two\n>")
    assert SessionHarness(machine, "lisa-chat-1").prompts() == ["[say one]", "[say two]\nsecond line"]
    terminal.press("C-d")
    assert terminal.wait_for_end() == 0
