"""session history: the recorded conversation."""

from __future__ import annotations

import json

import pytest

from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    stage = SessionHarness(machine).spawn()
    stage.send("[say one]")
    stage.wait_for_text("● one")
    stage.send("/clear")
    stage.send("[run true] [say two]")
    stage.wait_for_text("● two")
    stage.wait_for_state("idle")
    return stage


def test_history_covers_all_conversations(stage: SessionHarness) -> None:
    answer = stage.lisa("history").json
    texts = [frame["payload"]["content"] for frame in answer["frames"] if frame["type"] in ("user", "assistant")]
    assert texts == ["[say one]", "one", "[run true] [say two]", "two"]
    assert answer["cursor"] == answer["frames"][-1]["cursor"]
    assert (answer["session"], answer["sessionState"]) == (stage.name, "waiting_input")


def test_since_and_limit_select_frames(stage: SessionHarness) -> None:
    frames = stage.lisa("history").json["frames"]
    assert stage.lisa("history", "--limit", "2").json["frames"] == frames[-2:]
    assert stage.lisa("history", "--since", frames[0]["cursor"]).json["frames"] == frames[1:]
    empty = stage.lisa("history", "--since", frames[-1]["cursor"]).json
    assert (empty["frames"], empty["cursor"]) == ([], frames[-1]["cursor"])


def test_text_is_for_people(stage: SessionHarness) -> None:
    out = stage.machine.lisa("session", "history", "--session", stage.name).out
    assert "assistant:\n  two\n" in out and "usage_delta" not in out
    newest = stage.machine.lisa("session", "history", "--session", stage.name, "--limit", "1").out
    assert [line.partition("] ")[2] or line for line in newest.splitlines()] == ["assistant:", "  two"]
    assert "usage_delta" in stage.machine.lisa("session", "history", "--session", stage.name, "--verbose").out


def test_raw_prints_a_line_per_frame(stage: SessionHarness) -> None:
    frames = stage.lisa("history").json["frames"]
    out = stage.machine.lisa("session", "history", "--session", stage.name, "--raw").out
    printed = [json.loads(line) for line in out.splitlines()]
    assert [{key: frame[key] for key in frames[0]} for frame in printed] == frames
    assert stage.lisa("history", "--before", frames[2]["cursor"]).json["frames"] == frames[:2]


def test_capture_of_a_killed_session_names_its_history(machine: LisaHost) -> None:
    stage = SessionHarness(machine, "lisa-gone").spawn("[say one]")
    stage.wait_for_state("idle")
    assert stage.lisa("kill").code == 0
    line = f"lisa session history --session 'lisa-gone' --project-root '{machine.project}'"
    for words, code in ((("--last",), "transcript_unavailable"), (("--raw",), "session_not_found")):
        refused = stage.lisa("capture", *words).json
        assert (refused["errorCode"], f"it was killed; {line} reads it" in refused["error"]) == (code, True)
    read = machine.lisa("session", "history", "--session", "lisa-gone", "--project-root", str(machine.project))
    assert (read.code, "one" in read.out) == (0, True)


def test_bad_before_is_an_error(stage: SessionHarness) -> None:
    assert stage.lisa("history", "--before", "x.1").json["errorCode"] == "invalid_cursor"
