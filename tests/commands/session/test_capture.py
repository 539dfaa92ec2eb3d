"""session capture."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from lisa_py.commands.session.capture import COMMAND, Args, SessionCaptureResult
from lisa_py.core.output import transcript_capture
from lisa_py.store import session_records
from tests.fake_pane import FakePane
from tests.lisa_host import CallResult, LisaHost
from tests.session_harness import SessionHarness


def capture(machine: LisaHost, *words: str, name: str = "lisa-talk") -> CallResult:
    return machine.lisa("session", "capture", "--session", name, *words)


def raw(machine: LisaHost, *words: str) -> dict[str, Any]:
    answer = capture(machine, "--raw", *words, "--json")
    assert answer.code == 0, answer
    return answer.json


# -- the pane -------------------------------------------------------------------------------------------------------


def test_raw_lines_are_the_tail_of_the_output(machine: LisaHost) -> None:
    with FakePane(machine, height=10) as pane:
        pane.write("".join(f"line {number}\n" for number in range(50)))
        assert capture(machine, "--raw", "--lines", "3").out == "line 47\nline 48\nline 49\n"
        assert raw(machine, "--lines", "3")["moreBefore"] is True
        assert "moreBefore" not in raw(machine)


def test_text_of_a_long_pane_is_that_of_json(machine: LisaHost) -> None:
    with FakePane(machine, width=30, height=10) as pane:
        pane.write("".join(f"line {number} " + "x" * (number % 90) + "\n" for number in range(2500)))
        assert capture(machine, "--raw", "--lines", "70").out == raw(machine, "--lines", "70")["capture"] + "\n"


def test_name_prefix_matches_no_session(machine: LisaHost) -> None:
    with FakePane(machine, "lisa-talk-long"):
        before = sorted(machine.folder.rglob("*"))
        answer = capture(machine, "--raw", "--json")
        assert (answer.code, answer.json["errorCode"]) == (1, "session_not_found")
        assert answer.json["projectRoot"] == str(machine.project)
        assert sorted(machine.folder.rglob("*")) == before


def test_delta_has_new_text_of_a_partial_screen(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("one\n")
        first = raw(machine)
        pane.write("two\n")
        delta = raw(machine, "--delta-from", str(first["nextOffset"]))
        assert (delta["capture"], delta["deltaMode"]) == ("\ntwo", "offset")
        assert raw(machine, "--delta-from", str(delta["nextOffset"]))["capture"] == ""


def test_delta_has_new_lines_of_a_full_screen(machine: LisaHost) -> None:
    with FakePane(machine, height=10) as pane:
        pane.write("".join(f"{number}\n" for number in range(300)))
        offset = str(raw(machine, "--lines", "5")["nextOffset"])
        pane.write("new\n")
        assert raw(machine, "--delta-from", offset)["capture"] == "\nnew"


def test_next_offset_does_not_depend_on_flags(machine: LisaHost) -> None:
    with FakePane(machine, agent="codex") as pane:
        pane.write("mcp: github starting\n• hello\n")
        offsets = {raw(machine, *words)["nextOffset"] for words in ((), ("--lines", "2"), ("--keep-noise",))}
        handoff = machine.lisa("session", "handoff", "--session", "lisa-talk", "--json").json["nextOffset"]
        packet = machine.lisa("session", "packet", "--session", "lisa-talk", "--json").json["nextOffset"]
        assert offsets == {handoff} == {packet}


def test_cursor_file_continues_after_history_is_trimmed(machine: LisaHost) -> None:
    cursor = str(machine.folder / "cursor")
    with FakePane(machine, height=5) as pane:
        pane.write("".join(f"old {number}\n" for number in range(50)))
        raw(machine, "--cursor-file", cursor)
        pane.tmux.call("clear-history", "-t", pane.pane.pane_id)
        pane.write("new 1\nnew 2\n")
        delta = raw(machine, "--cursor-file", cursor)
        assert (delta["capture"], "deltaReset" in delta) == ("\nnew 1\nnew 2", False)


def test_gap_is_reported(machine: LisaHost) -> None:
    cursor = str(machine.folder / "cursor")
    with FakePane(machine, height=5) as pane:
        pane.write("old\n")
        offset = raw(machine, "--cursor-file", cursor)["nextOffset"]
        pane.write("\x1b[2J\x1b[H\x1b[3Jnew\n")
        assert raw(machine, "--cursor-file", cursor)["deltaReset"] == "history_trimmed"
        by_number = raw(machine, "--delta-from", str(offset))
        assert (by_number["capture"], by_number["deltaReset"]) == ("new", "history_trimmed")


def test_first_read_returns_last_lines_and_counts_rest(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("".join(f"{number}\n" for number in range(300)))
        answer = raw(machine, "--cursor-file", str(machine.folder / "c"))
        assert answer["capture"].split("\n")[-1] == "299"
        assert len(answer["capture"].split("\n")) == 200
        assert answer["skippedLines"] == 102


@pytest.mark.parametrize("value", ["-5", "@", "@x", "yesterday", "2026-13-01T00:00:00Z", "1.5"])
def test_invalid_delta_start_is_refused(machine: LisaHost, value: str) -> None:
    answer = capture(machine, "--raw", f"--delta-from={value}", "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "invalid_delta_from")


def test_time_start_returns_all_or_nothing(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("printed\n")
        now = time.time()
        for past in (
            f"@{now - 60:.0f}",
            f"@{(now - 60) * 1e3:.0f}",
            f"@{(now - 60) * 1e9:.0f}",
            "2020-01-01T00:00:00Z",
        ):
            answer = raw(machine, "--delta-from", past)
            assert answer["capture"].endswith("printed")
            assert answer["deltaMode"] == "timestamp"
        assert raw(machine, "--delta-from", f"@{now + 60:.0f}")["capture"] == ""


def test_integer_cursor_file_is_read_and_upgraded(machine: LisaHost) -> None:
    cursor = machine.folder / "cursor"
    with FakePane(machine) as pane:
        pane.write("one\ntwo\n")
        size = pane.read().size
        cursor.write_text(f"{size - 4}\n")
        assert raw(machine, "--cursor-file", str(cursor))["capture"] == "\ntwo"
        assert json.loads(cursor.read_text())["offset"] == size


def test_corrupt_cursor_file_is_moved_aside_on_request(machine: LisaHost) -> None:
    cursor = machine.folder / "cursor"
    with FakePane(machine) as pane:
        pane.write("one\n")
        cursor.write_text("garbage")
        refused = capture(machine, "--raw", "--cursor-file", str(cursor), "--json")
        assert (refused.code, refused.json["errorCode"]) == (1, "invalid_cursor_file")
        assert cursor.read_text() == "garbage"
        answer = raw(machine, "--cursor-file", str(cursor), "--cursor-reset")
        assert answer["cursorRecovered"] is True
        assert answer["capture"].endswith("one")


def test_one_cursor_file_serves_capture_and_handoff(machine: LisaHost) -> None:
    cursor = str(machine.folder / "cursor")
    with FakePane(machine) as pane:
        pane.write("one\n")
        raw(machine, "--cursor-file", cursor)
        handoff = machine.lisa("session", "handoff", "--session", "lisa-talk", "--cursor-file", cursor, "--json")
        assert handoff.json["deltaFrom"] == 0
        pane.write("two\n")
        assert raw(machine, "--cursor-file", cursor)["capture"] == "\ntwo"


def test_wrapped_marker_is_found(machine: LisaHost) -> None:
    with FakePane(machine, width=30) as pane:
        pane.write("x" * 25 + "BUILD_FINISHED_OK\n")
        answer = raw(machine, "--markers", "BUILD_FINISHED_OK,NOPE", "--markers-json")
        assert (answer["foundMarkers"], answer["missingMarkers"]) == (["BUILD_FINISHED_OK"], ["NOPE"])
        hit = answer["markerHits"][0]
        assert hit["end"] - hit["start"] == len("BUILD_FINISHED_OK")
        assert "capture" not in answer


def test_marker_with_comma_is_a_single_marker(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("done, really\n")
        answer = capture(machine, "--raw", "--marker", "done, really", "--marker", "nope")
        assert answer.out == "done, really=true\nnope=false\n"


def test_marker_in_echoed_prompt_does_not_count(machine: LisaHost) -> None:
    with FakePane(machine, agent="claude", prompt="print READY_NOW when ready") as pane:
        pane.write("❯ print READY_NOW when ready\n")
        assert raw(machine, "--markers", "READY_NOW")["markerMatches"] == {"READY_NOW": False}
        pane.write("● READY_NOW\n")
        assert raw(machine, "--markers", "READY_NOW")["markerCounts"] == {"READY_NOW": 1}


def test_noise_is_removed_and_counted(machine: LisaHost) -> None:
    with FakePane(machine, agent="codex") as pane:
        pane.write("mcp: github starting\n• Please run codex to update the docs\n")
        answer = raw(machine)
        assert (answer["noiseRemoved"], answer["capture"].split("\n")[-1]) == (
            1,
            "• Please run codex to update the docs",
        )
        assert "mcp: github starting" in raw(machine, "--keep-noise")["capture"]
        assert "mcp: github starting" in raw(machine, "--keep-noise", "--strip-banner")["capture"]
        assert "mcp: github starting" not in raw(machine, "--keep-noise", "--strip-noise")["capture"]


def test_lines_of_the_supervisor_are_not_output(machine: LisaHost) -> None:
    stage = SessionHarness(machine).run("echo from me; exit 3")
    stage.wait_until_ended()
    kept = stage.lisa("capture", "--raw", "--keep-noise").json["capture"]
    assert "__LISA_SESSION_START__" in kept and "__LISA_SESSION_DONE__" in kept
    shown = stage.lisa("capture", "--raw").json
    assert shown["capture"].strip() == "from me"
    assert stage.lisa("snapshot").json["capture"].strip() == "from me"
    assert shown["nextOffset"] == stage.lisa("capture", "--raw", "--keep-noise").json["nextOffset"]
    marked = stage.lisa("capture", "--raw", "--markers", "__LISA_SESSION_DONE__").json
    assert marked["markerMatches"] == {"__LISA_SESSION_DONE__": True}


def test_semantic_deltas_need_no_offsets(machine: LisaHost) -> None:
    cursor = machine.folder / "cursor"
    with FakePane(machine) as pane:
        pane.write("built at 10:00:01\n")
        assert raw(machine, "--semantic-delta", "--cursor-file", str(cursor))["semanticDelta"] == "built at 10:00:01"
        pane.write("\x1b[2J\x1b[Hbuilt at 10:00:09\nLisa is done\n")
        answer = raw(machine, "--semantic-delta", "--cursor-file", str(cursor))
        assert (answer["semanticDelta"], answer["semanticDeltaCount"]) == ("Lisa is done", 1)
        assert capture(machine, "--raw", "--semantic-delta").json["semanticDeltaCount"] == 2
        Path(f"{cursor}.semantic.json").write_text("{")
        refused = capture(machine, "--raw", "--semantic-delta", "--cursor-file", str(cursor))
        assert refused.json["errorCode"] == "semantic_cursor_read_failed"


def test_semantic_delta_starts_at_the_last_read(machine: LisaHost) -> None:
    cursor = str(machine.folder / "cursor")
    with FakePane(machine) as pane:
        pane.write("start\n")
        raw(machine, "--semantic-delta", "--cursor-file", cursor)
        pane.write("".join(f"step {number} of many\n" for number in range(300)))
        answer = raw(machine, "--semantic-delta", "--cursor-file", cursor)
        assert answer["semanticDeltaCount"] == len(answer["semanticLines"]) == 300
        again = raw(machine, "--semantic-delta", "--cursor-file", cursor)
        assert (again["semanticDelta"], again["semanticLines"]) == ("", [])


def test_summary_replaces_the_capture(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("".join(f"line {number}\n" for number in range(100)))
        answer = raw(machine, "--summary", "--token-budget", "10")
        assert "capture" not in answer
        assert (answer["summaryStyle"], answer["tokenBudget"], answer["truncated"]) == ("terse", 10, True)
        assert answer["summary"].endswith("line 99")
        debug = raw(machine, "--summary", "--summary-style", "debug")["summary"]
        assert debug.split("\n")[2].startswith("state=")


def test_debug_summary_is_redacted(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("export API_KEY=sk-abcdefghij0123456789\n")
        assert "sk-abc" not in raw(machine, "--summary", "--summary-style", "debug")["summary"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--delta-from", "1"], "delta_requires_raw_capture"),
        (["--cursor-file", "c"], "cursor_file_requires_raw_capture"),
        (["--semantic-delta"], "semantic_delta_requires_raw_capture"),
        (["--summary", "--markers", "x"], "summary_incompatible_with_markers"),
        (["--raw", "--semantic-delta", "--markers", "x"], "semantic_delta_incompatible_with_markers"),
        (["--markers-json"], "markers_json_requires_markers"),
        (["--markers-json", "--markers", " "], "markers_json_requires_markers"),
        (["--summary-style", "ops"], "summary_style_requires_summary"),
        (["--summary", "--summary-style", "bogus"], "invalid_summary_style"),
        (["--markers", "a,,b"], "invalid_markers"),
        (["--lines", "0"], "invalid_lines"),
        (["--token-budget", "x"], "invalid_token_budget"),
        (["--raw", "--transcript"], "raw_incompatible_with_transcript"),
        (["--last", "--raw"], "last_incompatible_with_part"),
        (["--last", "--transcript", "--delta-from", "1"], "last_incompatible_with_part"),
        (["--last", "--markers", "x"], "last_incompatible_with_part"),
        (["--bogus"], "unknown_flag"),
        (["--delta-from", "1", "--summary", "--markers", "x"], "delta_requires_raw_capture"),
    ],
)
def test_conflicting_flags_are_refused(machine: LisaHost, words: list[str], code: str) -> None:
    answer = capture(machine, *words, "--json-min")
    assert (answer.code, answer.json["errorCode"]) == (1, code)


def test_session_is_required(machine: LisaHost) -> None:
    answer = machine.lisa("session", "capture", "--raw", "--json")
    assert answer.json["errorCode"] == "missing_required_flag"


def test_reading_writes_no_files(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("one\n")
        before = {path: path.stat().st_mtime_ns for path in machine.folder.rglob("*") if path.is_file()}
        raw(machine, "--summary", "--summary-style", "debug")
        capture(machine)
        after = {path: path.stat().st_mtime_ns for path in machine.folder.rglob("*") if path.is_file()}
        assert before == after


# -- the transcript -------------------------------------------------------------------------------------------------


def test_transcript_is_read_first(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    stage.send("[run echo hello] [say all done] go")
    stage.wait_for_state("idle", queued=0)
    answer = stage.lisa("capture").json
    assert answer["source"] == "transcript"
    assert [(message["role"], message["text"]) for message in answer["messages"]][-1] == ("assistant", "all done")
    assert answer["toolCalls"][0]["text"] == "echo hello"
    small = stage.lisa("capture", "--json-min").json
    assert small["messageCount"] == len(answer["messages"])
    assert small["capture"].startswith("> [run echo hello]")
    assert small["capture"].endswith("all done")
    assert "messages" not in small


def test_ended_session_is_readable_while_kept(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[say the answer] go", mode="exec")
    stage.wait_until_ended()
    stage.ctx.server(stage.ref).kill_server()
    answer = stage.lisa("capture").json
    assert (answer["source"], answer["messages"][-1]["text"]) == ("transcript", "the answer")
    assert stage.lisa("capture", "--raw").json["errorCode"] == "session_not_found"


def test_lines_limit_the_conversation_to_its_end(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[say the end] go", mode="exec")
    stage.wait_until_ended()
    answer = stage.lisa("capture", "--lines", "1", "--json-min").json
    assert (answer["capture"], answer["moreBefore"]) == ("the end", True)
    assert "moreBefore" not in stage.lisa("capture", "--json-min").json


def test_long_conversation_is_read_from_its_end(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript_capture, "NEWEST_BYTES", 1500)
    stage = SessionHarness(machine).spawn("[say FIRST] go", mode="exec")
    stage.wait_until_ended()
    meta = session_records.read_meta(stage.ref)
    assert meta is not None
    with (stage.home / "transcripts" / f"{meta.agent_session_id}.jsonl").open("a") as file:
        for number in range(300):
            file.write(json.dumps({"type": "assistant", "text": f"answer {number}", "at": time.time()}) + "\n")

    def run(form: str, **flags: Any) -> tuple[SessionCaptureResult, list[str]]:
        warnings: list[str] = []
        ctx = machine.context(output_format=form, warn=warnings.append, given_fields=frozenset(flags))
        return COMMAND.run(Args(session=stage.name, **flags), ctx), warnings

    answer, warnings = run("json")
    assert isinstance(answer.messages, tuple) and isinstance(answer.rest_command, str)
    assert (answer.truncated, answer.more_before, answer.messages[-1].text) == (True, True, "answer 299")
    assert (5 < len(answer.messages) < 200, warnings) == (True, [])
    rest = machine.lisa(*shlex.split(answer.rest_command)[1:]).out
    assert rest.index("FIRST") < rest.index("answer 0") < rest.index("answer 299")
    answer, warnings = run("text")
    assert len(warnings) == 1 and str(answer.rest_command) in warnings[0]
    answer, _ = run("json", lines=3)
    assert (answer.truncated, answer.rest_command, answer.more_before) == (UNSET, UNSET, True)
    answer, _ = run("json", marker=("FIRST",))
    assert (answer.marker_matches, answer.rest_command) == ({"FIRST": True}, UNSET)


def test_markers_are_found_in_replies_not_in_prompts(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[say FOUND, yes] and ONLY_ASKED", mode="exec")
    stage.wait_until_ended()
    answer = stage.lisa("capture", "--markers", "FOUND,ONLY_ASKED", "--markers-json").json
    assert answer["markerMatches"] == {"FOUND": True, "ONLY_ASKED": False}
    assert answer["markerHits"][0]["at"].startswith("20")


def test_transcript_supports_deltas(machine: LisaHost) -> None:
    cursor = str(machine.folder / "cursor")
    stage = SessionHarness(machine).spawn("[say one] go", mode="exec")
    stage.wait_until_ended()
    first = stage.lisa("capture", "--transcript", "--cursor-file", cursor).json
    assert first["messages"][-1]["text"] == "one"
    again = stage.lisa("capture", "--transcript", "--cursor-file", cursor).json
    assert (again["messages"], again["nextOffset"]) == ([], first["nextOffset"])
    assert stage.lisa("capture", "--transcript", "--delta-from", "0").json["messages"] == first["messages"]
    later = stage.lisa("capture", "--transcript", "--delta-from", f"@{time.time() + 60:.0f}").json
    assert later["messages"] == []


def test_text_of_a_transcript_delta_ends_with_a_newline(machine: LisaHost) -> None:
    cursor = str(machine.folder / "cursor")
    stage = SessionHarness(machine).spawn("[say one] go", mode="exec")
    stage.wait_until_ended()
    words = ("--transcript", "--cursor-file", cursor)
    assert capture(machine, *words, name=stage.name).out == "> [say one] go\n\none\n"
    assert capture(machine, *words, name=stage.name).out == ""


# -- the last answer ------------------------------------------------------------------------------------------------


def test_last_answer_excludes_prompt_and_older_text(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    stage.send("[say first] go")
    stage.wait_for_state("idle", queued=0)
    stage.send("[say looking] [run echo x] [say all done] go")
    stage.wait_for_state("idle", queued=0)
    assert capture(machine, "--last", name=stage.name).out == "all done\n"
    answer = stage.lisa("capture", "--last", "--json-min").json
    assert set(answer) == {"session", "source", "capture", "stderrPolicy"}
    assert answer["capture"] == "all done"
    assert stage.lisa("capture", "--last").json["capture"] == "all done"


def test_last_answer_of_an_ended_run(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[say the answer] go", mode="exec")
    stage.wait_until_ended()
    assert stage.lisa("capture", "--last").json["capture"] == "the answer"


def test_missing_answer_is_not_replaced_by_an_older(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    stage.send("[say first] go")
    stage.wait_for_state("idle", queued=0)
    stage.send("[wait 600] [say never] go")
    refused = stage.lisa("capture", "--last")
    assert (refused.code, refused.json["errorCode"]) == (1, "no_answer_yet")
    assert f"lisa session monitor --session '{stage.name}'" in refused.json["error"]


def test_last_answer_is_redacted(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[say write to ann@example.com] go", mode="exec")
    stage.wait_until_ended()
    answer = stage.lisa("capture", "--last", "--redact", "emails").json
    assert "ann@" not in answer["capture"] and answer["redacted"] == {"emails": 1}


def test_last_answer_needs_a_transcript(machine: LisaHost) -> None:
    stage = SessionHarness(machine).run("sleep 60")
    assert stage.lisa("capture", "--last").json["errorCode"] == "transcript_unavailable"


def test_missing_transcript_falls_back_to_pane_with_reason(machine: LisaHost) -> None:
    stage = SessionHarness(machine).run("echo from a command of my own; sleep 60")
    answer = stage.lisa("capture").json
    assert answer["source"] == "pane"
    assert answer["fallbackReason"]
    refused = stage.lisa("capture", "--transcript").json
    assert refused["errorCode"] == "transcript_unavailable"


def test_transcript_summary_keeps_the_newest(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[say the very end] " + "words " * 500, mode="exec")
    stage.wait_until_ended()
    answer = stage.lisa("capture", "--summary", "--token-budget", "8").json
    assert answer["summary"].endswith("the very end")
    assert answer["truncated"] is True
