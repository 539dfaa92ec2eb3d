"""The real client on a terminal, beside `lisa ai` where both print the same."""

from __future__ import annotations

import json
import re

from tests.commands.auth.claude.test_login import CLAUDE_LIKE
from tests.limacharlie.conftest import Comparison
from tests.polling import wait_until
from tests.session_harness import SessionHarness


def start_chat(compare: Comparison, *flags: str) -> SessionHarness:
    """Start a chat by lisa and leave it."""
    compare.machine.lisa("chat", "[say hello]", "--agent", "scripted", *flags, stdin="/quit\n", check_schema=False)
    chat = json.loads(compare.lisa("ai", "chats", "list", "--status", "running", "--limit", "1").out)[0]
    stage = SessionHarness(compare.machine, chat["lisa_session"])
    stage.wait_for_state("idle")
    return stage


def test_output_on_a_terminal_is_equal(compare: Comparison, ended: SessionHarness) -> None:
    for words in (
        ("session", "attach", "--id", ended.name),
        ("session", "attach", "--id", ended.name, "--read-only", "--verbose"),
        ("session", "list"),
        ("session", "get", "--id", ended.name),
    ):
        with compare.client_on_terminal("ai", *words) as theirs, compare.lisa_on_terminal("ai", *words) as ours:
            assert (theirs.wait(), ours.wait()) == (0, 0)
        assert ours.shown == theirs.shown, words
        assert ("\x1b[36m\x1b[1m" in ours.shown) is ("attach" in words)


def test_dialogs_of_an_attached_chat_are_answered(compare: Comparison) -> None:
    stage = start_chat(compare)
    identity = str(json.loads(stage.lisa("get", "--json").out)["session"]["id"])
    words = ("ai", "session", "attach", "--id", identity, "--interactive", "--no-history")
    for name, start in (("client", compare.client_on_terminal), ("lisa", compare.lisa_on_terminal)):
        made = compare.machine.project / name
        with start(*words) as attached:
            attached.wait_for("(interactive mode)")
            attached.type(f"[ask touch {made}] [say done-{name}]")
            attached.wait_for("Approve? [y/n/session]:")
            attached.type("y")
            wait_until(made.exists, what="the command has run")
            if name == "client":
                attached.type("y")  # the first line went out as a prompt, and the client still asks
            attached.wait_for("approved (this call)")
            attached.wait_for(f"  done-{name}\n")
            attached.press("\x03")
            assert attached.wait(lines=name == "client") == 0
    assert stage.lisa("exists").json["exists"] is True


def test_chat_that_reaches_its_limit_ends(compare: Comparison) -> None:
    assert compare.client("ai", "auth", "claude", "set-key", "--key", "sk-ant-api03-of-the-test").code == 0
    with compare.client_on_terminal("ai", "chat", "[say one]", "--max-turns", "1") as chat:
        chat.wait_for("session ended: completed")
        chat.press("\n")  # the client waits for one more line
        assert chat.wait() == 0
        identity = chat.shown.partition("Started session ")[2].split()[0]
    assert "system[max_turns_reached]: max_turns: 1 of 1 turns" in chat.shown
    found = json.loads(compare.check_equal("ai", "chats", "get", "--id", identity).out)["session"]
    assert (found["end_reason"], found["end_detail"], found["num_turns"]) == ("completed", "max_turns", 1)


def test_login_relays_address_and_code(compare: Comparison) -> None:
    compare.machine.add_program("claude", CLAUDE_LIKE)
    shown = []
    for start in (compare.client_on_terminal, compare.lisa_on_terminal):
        with start("ai", "auth", "claude", "login") as login:
            login.wait_for("Code:")
            login.type("good#state")
            assert login.wait() == 0
            shown.append(re.sub(r"oauth-\w+", "oauth-ID", login.shown))
    assert shown[0] == shown[1] and "oauth-ID" in shown[0]
    assert f"https://claude.ai/oauth/authorize?code=true&state={compare.machine.home}" in shown[0]
    assert "good#state" not in shown[0] and "planted" not in shown[0]
