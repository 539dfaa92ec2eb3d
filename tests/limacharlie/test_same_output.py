"""`lisa ai` prints the same as the real client for the same session."""

from __future__ import annotations

import json
from pathlib import Path

from tests.core.live.test_feed import fill_transcript
from tests.limacharlie.conftest import Comparison
from tests.session_harness import SessionHarness


def test_history_is_equal_in_every_format(compare: Comparison, ended: SessionHarness) -> None:
    words = ("ai", "session", "history", "--id", ended.name)
    whole = json.loads(compare.check_equal(*words).out)
    kinds = [message["type"] for message in whole["messages"]]
    assert kinds == ["user", "assistant", "result", "user", "tool_use", "tool_result", "assistant", "result"]
    for form in ("json", "yaml", "csv", "table", "jsonl"):
        compare.check_equal(*words, "--output", form)


def test_lists_are_equal(compare: Comparison, ended: SessionHarness) -> None:
    SessionHarness(compare.machine, "lisa-long-1").spawn("[say long] " + "ä" * 200).wait_for_text("● long")
    listed = json.loads(compare.check_equal("ai", "session", "list").out)
    assert [(each["lisa_session"], each["status"]) for each in listed] == [
        ("lisa-long-1", "running"),
        (ended.name, "ended"),
    ]
    assert listed[0]["initial_prompt"] == "[say long] " + "ä" * 109 + "..."
    for flags in (
        ("--status", "running", "--output", "table"),
        ("--limit", "1", "--fields", "id,status", "--output", "csv"),
        ("--limit", "0"),
        ("--cursor", "", "--limit", "1"),
        ("--sort-by", "lisa_session", "--reverse", "--output", "yaml"),
        ("--filter", "[].initial_prompt", "--output", "jsonl"),
    ):
        compare.check_equal("ai", "session", "list", *flags)
    first = json.loads(compare.client("ai", "session", "list", "--cursor", "", "--limit", "1").out)
    second = compare.check_equal("ai", "session", "list", "--cursor", first["next_cursor"], "--limit", "1")
    assert [each["id"] for each in json.loads(second.out)["sessions"]] == [listed[1]["id"]]
    assert compare.check_equal("ai", "chats", "list").out == "[]\n"


def test_one_session_is_described_and_ended(compare: Comparison, ended: SessionHarness) -> None:
    stage = SessionHarness(compare.machine, "lisa-brief-1").spawn("[say brief] " + "ä" * 200)
    stage.wait_for_text("● brief")
    stage.wait_for_state("idle")
    found = json.loads(compare.check_equal("ai", "session", "get", "--id", stage.name).out)["session"]
    identity = found["id"]
    compare.check_equal("ai", "session", "get", "--id", identity, "--full-prompt", "--output", "yaml")
    compare.check_equal("ai", "session", "get", "--id", ended.name, "--output", "table", "-W")
    stopped = compare.client("ai", "session", "terminate", "--id", identity)
    assert (stopped.code, json.loads(stopped.out)) == (0, {"terminated": True})
    assert compare.lisa("ai", "session", "terminate", "--id", identity) == stopped
    after = json.loads(compare.check_equal("ai", "session", "get", "--id", identity).out)["session"]
    assert (after["status"], after["end_reason"]) == ("ended", "org_api_requested")
    compare.check_equal("ai", "session", "history", "--id", identity)
    compare.check_equal("ai", "session", "attach", "--id", identity)


def test_usage_and_credentials_are_equal(compare: Comparison, ended: SessionHarness) -> None:
    names = json.loads(compare.check_equal("ai", "usage", "list").out)["identities"]
    assert names
    for name in names:
        compare.check_equal("ai", "usage", "get", "--identity", name, "--output", "yaml")
    assert compare.client("ai", "usage", "get", "--identity", "none").code == 3
    assert compare.lisa("ai", "usage", "get", "--identity", "none").code == 3
    compare.check_equal("ai", "auth", "claude", "status")


def test_refusals_have_the_same_exit_code(compare: Comparison, ended: SessionHarness) -> None:
    for words, code in (
        (("session", "get", "--id", "lisa-absent"), 3),
        (("session", "terminate", "--id", "lisa-absent"), 3),
        (("session", "history", "--id", "lisa-absent"), 3),
        (("session", "attach", "--id", "lisa-absent"), 1),
        (("chats", "get", "--id", ended.name), 3),
        (("session", "list", "--cursor", "!"), 1),
        (("session", "get"), 1),
        (("session", "list", "--limit", "x"), 1),
        (("session", "list", "--output", "xml"), 1),
        (("session", "list", "--output", "toon"), 1),
        (("session", "list", "--filter", "["), 1),
        (("session", "nothing"), 1),
    ):
        theirs, ours = compare.client("ai", *words), compare.lisa("ai", *words)
        assert (theirs.code, ours.code) == (code, code), words
        assert theirs.out == ours.out == ""
        assert ours.err.startswith("Error: ") and ("Suggestion: " in ours.err or code == 1)


def test_attach_on_a_pipe_is_equal(compare: Comparison, ended: SessionHarness) -> None:
    words = ("ai", "session", "attach", "--id", ended.name)
    for flags in ((), ("--verbose",), ("--raw",), ("--no-history",), ("--read-only",)):
        compare.check_equal(*words, *flags)


def test_cut_history_is_equal_on_a_pipe(compare: Comparison) -> None:
    stage = SessionHarness(compare.machine, "lisa-large-1").spawn("[say large]")
    stage.wait_for_text("● large")
    fill_transcript(Path(stage.agent_state()["transcript"]), 12, size=500_000)
    assert stage.lisa("kill").code == 0
    identity = json.loads(compare.lisa("ai", "session", "list", "--limit", "1").out)[0]["id"]
    theirs = compare.check_equal("ai", "session", "attach", "--id", identity, "--raw")
    history = json.loads(theirs.out.splitlines()[0])["payload"]
    assert (history["truncated"], history["total"]) == (True, 15) and len(history["messages"]) < 12
