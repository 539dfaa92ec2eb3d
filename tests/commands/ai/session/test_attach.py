"""ai session attach: the frames of a session as the client prints them."""

from __future__ import annotations

import json
import re

from tests.lisa_host import LisaHost
from tests.outer_terminal import OuterTerminal
from tests.session_harness import SessionHarness


def test_attach_prints_history_and_end(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[say one]")
    stage.wait_for_text("● one")
    stage.send("/exit")
    stage.wait_until_dead()
    words = ("ai", "session", "attach", "--id", stage.name)
    ended = machine.lisa(*words)
    assert ended.code == 0
    assert "assistant:\n  one\n" in ended.out and "session ended: completed" in ended.out.splitlines()[-1]
    assert ended.err.splitlines() == [
        "Owner access denied; retrying in read-only mode.",
        f"Attached to session {stage.name} (read-only mode). Ctrl+C to detach.",
        "--- History (3 messages) ---",
        "--- Live stream ---",
    ]
    raw = [json.loads(line) for line in machine.lisa(*words, "--raw", "--read-only").out.splitlines()]
    assert [frame["type"] for frame in raw] == ["history", "session_status", "session_end"]
    assert [frame["type"] for frame in raw[0]["payload"]["messages"]] == ["user", "assistant", "result"]
    last = raw[0]["payload"]["messages"][-1]
    assert (raw[0]["cursor"], raw[0]["session_id"]) == (last["cursor"], last["session_id"])
    answer = machine.lisa(*words, "--no-history", "--json").lines[-1]
    assert (answer["session_id"], answer["ended"]) == (stage.name, True)
    assert machine.lisa(*words, "--no-history").out.count("\n") == 1
    assert "session_status" not in ended.out
    for spelling in ("--verbose", "-v"):
        whole = machine.lisa(*words, spelling).out
        assert re.search(r"^\[\d{4}-\d\d-\d\dT[\d:.]+Z\] session_status: ", whole, re.MULTILINE), whole


def test_an_unknown_session_is_refused(machine: LisaHost) -> None:
    refused = machine.lisa("ai", "session", "attach", "--id", "lisa-absent")
    assert (refused.code, refused.out) == (1, "") and refused.err.startswith("Error: session not found")


def test_lines_typed_at_a_chat_are_prompts(machine: LisaHost) -> None:
    chat = machine.lisa("chat", "[say one]", "--agent", "scripted", "--session", "lisa-chat-1", stdin="")
    stage = SessionHarness(machine, "lisa-chat-1")
    words = ("ai", "session", "attach", "--id", chat.err.split()[2], "--no-history", "--interactive")
    assert machine.lisa(*words, stdin="[say two]\n/quit\n").code == 0
    assert stage.prompts() == ["[say one]", "[say two]"]


def test_terminal_keeps_a_half_typed_line(machine: LisaHost) -> None:
    chat = machine.lisa("ai", "chat", "[say one]", "--agent", "scripted", stdin="/quit\n")
    identity = chat.err.split()[2]
    name = json.loads(machine.lisa("ai", "chats", "get", "--id", identity).out)["session"]["lisa_session"]
    stage = SessionHarness(machine, name)
    terminal = OuterTerminal(machine, "ai", "session", "attach", "--id", identity, "-i")
    shown = terminal.wait_for("\n>")
    assert f"Attached to session {identity} (interactive mode). Ctrl+C to detach." in shown
    terminal.type("[say typpd")
    stage.send("[ask touch made] [say asked]")
    terminal.wait_for("Approve? [y/n/session]:")
    assert stage.lisa("approve").code == 0  # from another terminal
    terminal.wait_for("  asked\n> [say typpd")
    terminal.press("BSpace", "BSpace")
    terminal.type("ed]")
    terminal.press("Enter")
    terminal.wait_for("  typed\n>")
    styled = terminal.screen(styled=True)
    assert "\x1b[36m" in styled and "\x1b[33m" in styled and (machine.project / "made").exists()
    terminal.press("C-c")
    assert terminal.wait_for_end() == 0
    assert stage.prompts()[-1] == "[say typed]" and stage.status().session_state == "waiting_input"
