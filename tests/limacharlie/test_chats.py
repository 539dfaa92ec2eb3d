"""Chats by the real client: prompts, permissions, questions, interrupts, attach, credentials, rights."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.client_kit import TypedClient
from tests.limacharlie.conftest import Comparison
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture
def talk(compare: Comparison) -> Iterator[TypedClient]:
    """Yield the client in a chat of the scripted agent."""
    assert compare.client("ai", "auth", "claude", "set-key", "--key", "sk-ant-api03-of-the-test").code == 0
    made = TypedClient(compare.env, "ai", "chat", "[say hello]", "--name", "Talk", "--max-turns", "50")
    yield made
    made.close()


def find_chat(compare: Comparison, talk: TypedClient) -> SessionHarness:
    talk.wait_for("Started session ")
    identity = talk.text.partition("Started session ")[2].split()[0]
    found = json.loads(compare.lisa("ai", "chats", "get", "--id", identity).out)["session"]
    assert (found["name"], found["session_type"], found["max_turns"]) == ("Talk", "user", 50)
    return SessionHarness(compare.machine, found["lisa_session"])


def test_chat_runs_from_prompt_to_end(compare: Comparison, talk: TypedClient) -> None:
    stage = find_chat(compare, talk)
    talk.wait_for("hello")
    made = compare.machine.project / "made"
    for prompt, request, answer, wanted in (
        (f"[ask touch {made}] [say first]", "Tool approval requested: ", "y", "  first\n"),
        ("[ask touch denied] [say refused]", "Tool approval requested: ", "n", "  refused\n"),
        ("[ask echo again] [say one]", "Tool approval requested: ", "session", "  one\n"),
        ("[ask echo again] [say two]", "", "", "  two\n"),
        ("[question Colour? | red | blue] [say third]", "Question: ", "2", "  third\n"),
    ):
        asked = talk.read().count(request)
        talk.type(prompt)
        if request:
            talk.wait_for_count(request, asked + 1)
            talk.type(answer)  # the client was waiting for a prompt and sends one; the server takes it as the answer
        wait_until(lambda text=prompt: text in stage.prompts(), what=f"the prompt is accepted: {prompt}")
        stage.wait_for_state("idle")
        if request:
            talk.type_until(answer, wanted)  # the client still asks; the server ignores this late answer
        talk.wait_for(wanted)
    for words in ("approved (this call)", "denied (by api)", "approved (session)", "denied by the user", "blue"):
        assert words in talk.text, words
    assert made.exists() and not (compare.machine.project / "denied").exists()
    talk.type("[think 60]")
    stage.wait_for_state("thinking")
    talk.type("/interrupt")
    talk.wait_for("interrupted")
    stage.wait_for_state("interrupted")
    assert talk.leave() == 0 and "Traceback" not in talk.text
    identity = talk.text.partition("Started session ")[2].split()[0]
    _check_records(compare, identity)


def _check_records(compare: Comparison, identity: str) -> None:
    """Compare what both programs print about a chat, then end it."""
    listed = json.loads(compare.check_equal("ai", "chats", "list", "--status", "running").out)
    assert listed[0]["id"] == identity
    compare.check_equal("ai", "chats", "get", "--id", identity, "--full-prompt")
    compare.check_equal("ai", "chats", "history", "--id", identity)
    assert compare.client("ai", "session", "get", "--id", identity).code == 3
    ended = compare.client("ai", "chats", "terminate", "--id", identity)
    assert (ended.code, json.loads(ended.out)) == (0, {"terminated": True})
    compare.check_equal("ai", "chats", "history", "--id", identity, "--raw")
    compare.check_equal("ai", "session", "attach", "--id", identity)


def test_attach_continues_a_chat_and_falls_back(compare: Comparison, ended: SessionHarness) -> None:
    compare.machine.lisa("chat", "[say hello]", "--agent", "scripted", stdin="/quit\n", check_schema=False)
    chat = json.loads(compare.lisa("ai", "chats", "list", "--status", "running").out)[0]
    stage = SessionHarness(compare.machine, chat["lisa_session"])
    stage.wait_for_state("idle")
    typed = TypedClient(
        compare.env, "ai", "session", "attach", "--id", chat["id"], "--interactive", "--no-history", "--raw"
    )
    try:
        typed.type("[say again]")
        typed.wait_for('"content": "again"')
        assert stage.prompts() == ["[say hello]", "[say again]"]
        assert typed.leave() == 0
    finally:
        typed.close()
    assert compare.client("ai", "chats", "terminate", "--id", chat["id"]).code == 0
    refused = compare.client("ai", "session", "attach", "--id", ended.name, "--interactive")
    assert refused.code == 0 and "read-only" in refused.err and "zwei" in refused.out
    assert compare.client("ai", "session", "attach", "--id", "none").code == 1


def test_credentials_are_kept_and_removed(compare: Comparison) -> None:
    def read() -> tuple[bool, str | None]:
        found = json.loads(compare.check_equal("ai", "auth", "claude", "status").out)
        return found["has_credentials"], found["credential_type"]

    assert compare.client("ai", "auth", "claude", "set-key", "--key-from-stdin", stdin="sk-ant-api03-b\n").code == 0
    assert read() == (True, "apikey")
    assert compare.client("ai", "auth", "claude", "logout").code == 0
    assert read() == (False, None)
    refused = compare.client("ai", "chat", "hello")
    assert refused.code == 1 and "No Claude credentials registered" in refused.err


def test_read_key_shows_and_changes_nothing(compare: Comparison, ended: SessionHarness) -> None:
    for words in (("session", "get"), ("session", "history"), ("session", "attach")):
        assert compare.client("ai", *words, "--id", ended.name, scope="read").code == 0
    for words in (("session", "terminate", "--id", ended.name), ("auth", "claude", "logout")):
        refused = compare.client("ai", *words, scope="read")
        assert refused.code == 2 and "Permission denied" in refused.err
    who = json.loads(compare.client("auth", "whoami", "--show-perms", "--output", "json", scope="read").out)
    assert "ai_agent.get" in str(who) and "ai_agent.set" not in str(who)
