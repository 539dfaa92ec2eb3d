"""session context-pack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lisa_py.store import events, session_memory
from tests.fake_pane import FakePane
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

SECRET = "sk-" + "a1B2" * 10


def pack(machine: LisaHost, *words: str, code: int = 0, stdin: str | None = None) -> dict[str, Any]:
    form = [] if {"--json", "--json-min"} & set(words) else ["--json"]
    answer = machine.lisa("session", "context-pack", *words, *form, stdin=stdin)
    assert answer.code == code, answer
    return answer.json


def talk(machine: LisaHost, *words: str, code: int = 0) -> dict[str, Any]:
    return pack(machine, "--for", "lisa-talk", *words, code=code)


def happen(pane: FakePane, *reasons: str) -> None:
    for reason in reasons:
        events.add(pane.ref, pane.ctx.settings, 0.0, type="transition", state="in_progress", reason=reason)


def remember(pane: FakePane, *lines: str) -> None:
    with session_memory.registry(pane.ref).change(pane.ctx.settings, pane.ctx.clock.now()) as opened:
        opened.content = session_memory.SessionMemory(session=pane.name, updated_at="2026-01-01T00:00:00Z", lines=lines)


def test_balanced_pack_has_its_sections_in_order(machine: LisaHost) -> None:
    with FakePane(machine, objective_id="o1", objective_goal="ship it", objective_budget=9, lane="ok") as pane:
        happen(pane, "r1", "r2")
        remember(pane, "we chose sqlite")
        pane.write("building\ndone\n")
        answer = talk(machine)
        assert answer["pack"].split("\n") == [
            "session=lisa-talk",
            f"state={answer['sessionState']}",
            f"status={answer['status']}",
            f"reason={answer['reason']}",
            "next_action=session monitor",
            "recent_events:",
            "1970-01-01T00:00:00Z in_progress/ r1",
            "1970-01-01T00:00:00Z in_progress/ r2",
            "capture_tail:",
            *[line for line in answer["pack"].split("\n") if "__LISA_SESSION_START__" in line],
            "building",
            "done",
            "objective:",
            "id=o1 | goal=ship it | budget=9",
            "memory:",
            "we chose sqlite",
        ]
        assert (answer["source"], answer["lane"], answer["events"], answer["truncated"]) == ("pane", "ok", 2, False)
        assert answer["objective"] == {"id": "o1", "goal": "ship it", "budget": 9, "lane": "ok"}
        assert answer["memory"]["lines"] == ["we chose sqlite"]


def test_terse_pack_starts_with_newest_events(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        happen(pane, "r1", "r2", "r3", "r4")
        terse = talk(machine, "--strategy", "terse", "--json-min")
        lines = terse["pack"].split("\n")
        assert [line.split("=")[0] for line in lines[:4]] == ["session", "state", "status", "next_action"]
        assert [line.split()[-1] for line in lines[4:]] == ["recent:", "r4", "r3", "r2"]
        assert (terse["tokenBudget"], "events" in terse) == (400, False)
        full = talk(machine, "--strategy", "full")
        assert "\ntodos=0/0 wait_estimate=" in full["pack"]
        assert (full["tokenBudget"], full["events"]) == (1400, 4)


def test_long_output_leaves_space_for_objective_and_memory(machine: LisaHost) -> None:
    with FakePane(machine, objective_goal="ship it", objective_id="o1") as pane:
        remember(pane, *(f"remembered {number}" for number in range(60)))
        pane.write("".join(f"output line {number}\n" for number in range(300)))
        answer = talk(machine, "--token-budget", "120")
        assert len(answer["pack"].encode()) <= 480
        assert {"output line 299", "remembered 59"} <= set(answer["pack"].split("\n"))
        assert "goal=ship it" in answer["pack"]
        assert answer["truncated"] is True and "capture_tail" in answer["cut"]


def test_pack_reads_the_transcript_and_reports_its_source(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[say the answer is 42]")
    stage.wait_for_state("idle")
    answer = pack(machine, "--session", stage.name)
    assert answer["source"] == "transcript"
    assert answer["pack"].endswith("capture_tail:\n> [say the answer is 42]\n\nthe answer is 42")
    piped = json.dumps(answer | {"captureTail": "seen by another"})
    assert pack(machine, "--from-handoff", "-", stdin=piped)["pack"].endswith("capture_tail:\nseen by another")


def test_redaction_precedes_the_cut_in_every_field(machine: LisaHost) -> None:
    with FakePane(machine, objective_id="o1", objective_goal=f"use {SECRET} for me@corp.org") as pane:
        remember(pane, f"API_KEY={SECRET}", "see /opt/secret/place")
        pane.write(f"export OPENAI_API_KEY={SECRET} password='two words' me@corp.org (/opt/secret/place) 123456789\n")
        for budget in ("38", "42", "47"):
            cut = talk(machine, "--redact", "all", "--token-budget", budget, "--json-min")["pack"]
            assert not any(leak in cut for leak in (SECRET[3:13], "two words", "corp.org", "opt/secret", "123456789"))
        answer = talk(machine, "--redact", "all")
        text = json.dumps(answer)
        for leak in (SECRET[3:13], "two words", "corp.org", "opt/secret", "123456789", str(machine.project)):
            assert leak not in text
        assert answer["session"] == "lisa-talk"
        assert answer["redactRules"] == ["all"]
        assert answer["redacted"].keys() == {"tokens", "secrets", "emails", "numbers", "paths"}


def test_key_with_invisible_beginning_is_redacted(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        body = "".join(f"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC{number:02}\n" for number in range(30))
        pane.write(f"-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\nbye\n")
        answer = talk(machine, "--redact", "secrets", "--lines", "6")
        assert "MIIEvQ" not in answer["pack"] and answer["pack"].endswith("bye")


def test_reading_writes_no_files(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        before = sorted(path.name for path in Path(pane.ref.folder).iterdir())
        first, second = talk(machine), talk(machine)
        assert first["pack"] == second["pack"]
        assert sorted(path.name for path in Path(pane.ref.folder).iterdir()) == before


# -- from a handoff -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["--schema", schema] for schema in ("v1", "v2", "v3", "v4")] + [["--compress=zstd"]])
def test_every_handoff_schema_is_accepted_with_its_events(machine: LisaHost, words: list[str]) -> None:
    with FakePane(machine, objective_id="o1", objective_goal="ship it", lane="ok") as pane:
        happen(pane, "r1", "r2")
        remember(pane, "we chose sqlite")
        given = machine.lisa("session", "handoff", "--session", "lisa-talk", *words, "--json").out
        live = talk(machine)
        answer = pack(machine, "--from-handoff", "-", stdin=given)
        for key in (
            "session",
            "sessionState",
            "status",
            "reason",
            "nextAction",
            "events",
            "objective",
            "lane",
            "memory",
        ):
            assert answer[key] == live[key], key
        assert answer["nextOffset"] == json.loads(given)["nextOffset"]
        assert "in_progress/ r2\ncapture_tail:\n(from handoff: capture unavailable)" in answer["pack"]
        assert (answer["source"], answer["fromHandoff"]) == ("none", "-")


def test_handoff_input_needs_no_session_and_no_tmux(machine: LisaHost) -> None:
    path = machine.project / "h.json"
    path.write_text(json.dumps({"session": "lisa-far", "sessionState": "completed", "captureTail": "all done"}))
    answer = pack(machine, "--from-handoff", "h.json")
    assert (answer["status"], answer["reason"], answer["nextAction"]) == (
        "completed",
        "from_handoff",
        "session capture",
    )
    assert answer["pack"].endswith("capture_tail:\nall done")
    other = pack(machine, "--for", "lisa-x", "--from-handoff", "h.json", code=1)
    assert other["errorCode"] == "from_handoff_session_mismatch"
    path.write_text("{}")
    assert pack(machine, "--for", "lisa-x", "--from-handoff", "h.json")["sessionState"] == "in_progress"
    path.write_text(json.dumps({"session": "lisa-x", "sessionState": "not_found"}))
    assert pack(machine, "--from-handoff", "h.json", code=1)["errorCode"] == "session_not_found"


def test_handoff_input_is_redacted(machine: LisaHost) -> None:
    given = {
        "session": "lisa-x",
        "reason": f"token={SECRET}",
        "nextAction": {"command": "lisa session send --project-root /opt/secret"},
        "recent": [{"at": "t", "state": "x", "reason": SECRET}],
        "captureTail": f"Bearer {SECRET}",
        "objective": {"goal": SECRET},
        "memory": {"updatedAt": "", "expiresAt": "", "lineCount": 1, "lines": [SECRET]},
    }
    text = json.dumps(pack(machine, "--from-handoff", "-", "--redact", "all", stdin=json.dumps(given)))
    assert SECRET[3:13] not in text and "opt/secret" not in text


@pytest.mark.parametrize("given", ["", "{", "[]", '{"recent":{}}', '{"session":5}'])
def test_invalid_handoff_is_refused(machine: LisaHost, given: str) -> None:
    answer = pack(machine, "--for", "lisa-x", "--from-handoff", "-", code=1, stdin=given)
    assert answer["errorCode"] == "invalid_from_handoff"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], "missing_required_flag"),
        (["--for", "lisa-x", "--strategy", "long"], "invalid_strategy"),
        (["--for", "lisa-x", "--redact", "all,none"], "invalid_redact_rules"),
        (["--for", "lisa-x", "--redact", "some"], "invalid_redact_rules"),
        (["--for", "lisa-x", "--events", "0"], "invalid_events"),
        (["--for", "../x"], "invalid_session_name"),
        (["--for", "lisa-x"], "session_not_found"),
        (["--from-handoff", "nowhere"], "invalid_from_handoff"),
    ],
)
def test_refused_calls_have_a_code(machine: LisaHost, words: list[str], code: str) -> None:
    assert pack(machine, *words, code=1)["errorCode"] == code


def test_damaged_compressed_handoff_is_refused(machine: LisaHost) -> None:
    answer = pack(machine, "--from-handoff", "-", code=1, stdin='{"session":"lisa-x","compressedPayload":"!"}')
    assert answer["errorCode"] == "handoff_decompress_failed"


def test_text_is_the_pack(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("hello\n")
        assert machine.lisa("session", "context-pack", "--session", "lisa-talk").out == talk(machine)["pack"] + "\n"


@pytest.mark.parametrize(
    ("prompt", "waits", "words"),
    [("[ask rm -rf build]", "permission", "rm -rf build"), ("[error overloaded it is full]", "error", "it is full")],
)
def test_pack_head_shows_the_reason_for_attention(machine: LisaHost, prompt: str, waits: str, words: str) -> None:
    """A dialog and a failed turn are shown; an idle session shows neither."""
    stage = SessionHarness(machine).spawn()
    assert "waiting_for" not in pack(machine, "--for", stage.name)["pack"]
    stage.send(prompt)
    wait_until(lambda: stage.status().waiting_for == waits)
    head = pack(machine, "--for", stage.name)["pack"].partition("recent_events:")[0].splitlines()
    (line,) = [line for line in head if line.startswith("waiting_for=")]
    assert line.startswith(f"waiting_for={waits}") and words in line
