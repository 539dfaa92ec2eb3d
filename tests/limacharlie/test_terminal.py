"""The real client on a terminal, beside `lisa ai` where both print the same."""

from __future__ import annotations

import json
import re

import pytest

from tests.commands.auth.claude.test_login import CLAUDE_LIKE
from tests.limacharlie.conftest import Comparison
from tests.polling import wait_until
from tests.session_harness import SessionHarness

CHAT_SETTINGS = {
    "name": "Limited", "model": "claude-opus-4-6", "task_budget_tokens": 90000,
    "permission_mode": "plan", "allowed_tools": ["Read", "Grep"], "denied_tools": ["Bash(rm:*)"],
    "plugins": ["a", "b"], "idempotent_key": "limited",
}  # fmt: skip
CHAT_FLAGS = (
    "--name", "Limited", "--model", "claude-opus-4-6", "--task-budget-tokens", "90000",
    "--permission-mode", "plan", "--allowed-tools", "Read,Grep", "--denied-tools", "Bash(rm:*)",
    "--plugin", "a", "--plugin", "b", "--idempotent-key", "limited", "--verbose",
)  # fmt: skip


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
                attached.type_until("y", "approved (this call)")  # the first line went out as a prompt
            attached.wait_for("approved (this call)")
            attached.wait_for(f"  done-{name}\n")
            attached.press("\x03")
            assert attached.wait(lines=name == "client") == 0
    assert stage.lisa("exists").json["exists"] is True


@pytest.mark.parametrize(
    ("prompt", "flags", "subtype", "detail"),
    [
        ("[say one]", ("--max-turns", "1", *CHAT_FLAGS), "max_turns_reached", "max_turns"),
        ("[usage 9999 9 claude-opus-5-5] [think 60]", ("--max-budget-usd", "0.01"), "budget_exceeded", "budget"),
    ],
)
def test_chat_that_reaches_its_limit_ends(
    compare: Comparison, prompt: str, flags: tuple[str, ...], subtype: str, detail: str
) -> None:
    assert compare.server.call("POST", "/v1/auth/claude/apikey", {"api_key": "sk-ant-api03-of-the-test"}).status == 200
    with compare.client_on_terminal("ai", "chat", prompt, *flags) as chat:
        chat.wait_for("session ended: completed")
        chat.press("\n")  # the client waits for one more line
        assert chat.wait() == 0
    identity = chat.shown.partition("Started session ")[2].split()[0]
    assert f"system[{subtype}]: {flags[0][2:].replace('-', '_')}: " in chat.shown
    found = compare.server.call("GET", f"/v1/sessions/{identity}").body["session"]
    assert (found["end_reason"], found["end_detail"]) == ("completed", detail)
    if "--verbose" in flags:
        assert CHAT_SETTINGS.items() <= found.items() and found["num_turns"] == 1
        assert "] session_status: " in chat.shown


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
