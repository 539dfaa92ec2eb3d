"""session monitor."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.lisa_host import PROGRAM, LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def test_ended_session_needs_one_poll(stage: SessionHarness) -> None:
    stage.run("echo bye")
    stage.wait_until_ended()
    answer = stage.lisa("monitor")
    assert answer.code == 0
    summary = answer.json
    assert (summary["finalState"], summary["finalStatus"], summary["exitReason"], summary["polls"]) == (
        "completed",
        "completed",
        "completed",
        1,
    )
    assert summary["nextOffset"] > 0
    assert "bye" in Path(summary["outputFile"]).read_text()
    assert "errorCode" not in summary


def test_text_form_is_the_csv_line(stage: SessionHarness) -> None:
    stage.run("exit 4")
    stage.wait_until_ended()
    answer = stage.machine.lisa("session", "monitor", "--session", stage.name)
    assert (answer.code, answer.out) == (2, f"crashed,0,0,{stage.ref.output},crashed,1,crashed\n")


def test_json_min_has_its_few_keys(stage: SessionHarness) -> None:
    answer = stage.lisa("monitor", "--json-min")
    assert (answer.code, answer.json) == (
        2,
        {
            "error": f"{stage.name}: the session does not exist",
            "errorCode": "monitor_not_found",
            "exitReason": "not_found",
            "finalState": "not_found",
            "ok": False,
            "polls": 1,
            "session": stage.name,
            "stderrPolicy": "diagnostic",
        },
    )
    met = stage.lisa("monitor", "--json-min", "--until-state", "not_found")
    assert (met.code, met.json["exitReason"], "errorCode" in met.json) == (0, "not_found", False)


def test_timeout_exits_with_2(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    line = stage.machine.lisa("session", "monitor", "--session", stage.name, "--max-polls", "2", "--poll-interval", "1")
    assert (line.code, line.out) == (2, "timeout,0,0,,max_polls_exceeded,2,timeout\n")
    summary = stage.lisa("monitor", "--timeout-seconds", "1").json
    assert (summary["errorCode"], summary["finalState"]) == ("monitor_timeout", "timeout")


def test_crash_carries_its_exit_code(stage: SessionHarness) -> None:
    stage.run("exit 9")
    answer = stage.lisa("monitor")
    assert (answer.code, answer.json["errorCode"], answer.json["exitCode"]) == (2, "monitor_crashed", 9)


def test_unmet_expectation_fails_despite_a_found_marker(stage: SessionHarness) -> None:
    stage.run("echo HERE; sleep 600")
    answer = stage.lisa("monitor", "--expect", "terminal", "--until-marker", "HERE")
    assert answer.code == 2
    assert answer.json["exitReason"] == "expected_terminal_got_marker_found"
    assert answer.json["errorCode"] == "monitor_expectation_mismatch"


def test_jsonpath_match_ends_the_monitor(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    answer = stage.lisa("monitor", "--until-jsonpath", "$.signals.heartbeatFresh=true", "--timeout-seconds", "20")
    assert (answer.code, answer.json["exitReason"]) == (0, "jsonpath_matched")


# -- streams --------------------------------------------------------------------------------------------------------


def test_stream_has_a_line_per_poll_and_ends_with_the_result(stage: SessionHarness) -> None:
    stage.spawn("[wait 1] [say done]")
    lines = stage.lisa("monitor", "--stream-json").lines
    assert {line["type"] for line in lines[:-1]} == {"poll"}
    assert [line["sessionState"] for line in lines[:-1]][-1] == "waiting_input"
    assert set(lines[0]) >= {
        "type", "poll", "session", "status", "sessionState", "activeTask", "waitEstimate", "todosDone", "todosTotal",
        "classificationReason", "stderrPolicy",
    }  # fmt: skip
    assert lines[-1]["exitReason"] == "waiting_input"
    assert "type" not in lines[-1]


def test_minimal_stream_omits_task_and_reason(stage: SessionHarness) -> None:
    lines = stage.lisa("monitor", "--stream-json", "--json-min").lines
    assert "activeTask" not in lines[0]
    assert "classificationReason" not in lines[0]


def test_handoff_lines_name_the_next_action(stage: SessionHarness) -> None:
    stage.spawn()
    lines = stage.lisa("monitor", "--stream-json", "--emit-handoff").lines
    handoff = next(line for line in lines if line.get("type") == "handoff")
    assert (handoff["nextAction"], handoff["sessionState"]) == ("session send", "waiting_input")
    assert handoff["summary"] == f"state=waiting_input reason={handoff['reason']} next=session send"
    assert "recent" not in handoff


def test_handoff_cursor_yields_each_event_once(stage: SessionHarness) -> None:
    stage.spawn()
    cursor = str(stage.machine.folder / "cursors" / "handoff")
    flags = ("--stream-json", "--emit-handoff", "--handoff-cursor-file", cursor)
    seen = []
    for _ in range(3):
        for line in stage.lisa("monitor", *flags).lines:
            seen += [event["seq"] for event in line.get("recent", ())]
    assert seen == sorted(set(seen))
    assert len(seen) >= 3
    assert os.stat(cursor).st_mode & 0o777 == 0o600


def test_event_budget_limits_a_line_without_loss(stage: SessionHarness) -> None:
    stage.spawn()
    for _ in range(3):
        stage.lisa("monitor")
    cursor = str(stage.machine.folder / "cursor")
    flags = ("--stream-json", "--emit-handoff", "--handoff-cursor-file", cursor, "--event-budget", "64")
    first = next(line for line in stage.lisa("monitor", *flags).lines if line.get("type") == "handoff")
    second = next(line for line in stage.lisa("monitor", *flags).lines if line.get("type") == "handoff")
    assert (first["deltaCount"], len(first["recent"])) == (2, 2)
    assert second["deltaFrom"] == first["nextDeltaOffset"]
    assert second["recent"][0]["seq"] == first["recent"][-1]["seq"] + 1


def test_scenario_28_failing_webhook_does_not_end_the_monitor(stage: SessionHarness) -> None:
    stage.run("sleep 0.5")
    answer = stage.lisa("monitor", "--webhook", "http://127.0.0.1:9/down")
    assert (answer.code, answer.json["exitReason"]) == (0, "completed")
    assert "127.0.0.1:9" in answer.json["webhookError"]
    assert "webhook" in answer.err


def test_webhook_file_gets_polls_and_the_result(stage: SessionHarness) -> None:
    stage.run("true")
    stage.wait_until_ended()
    target = stage.machine.folder / "hook" / "events.jsonl"
    answer = stage.lisa("monitor", "--webhook", str(target))
    first, last = [json.loads(line) for line in target.read_text().splitlines()]
    assert (first["event"], first["poll"], first["sessionState"]) == ("poll", 1, "completed")
    assert (last["event"], last["finalState"], last["exitReason"]) == ("final", "completed", "completed")
    assert "webhookError" not in answer.json


def test_blank_webhook_is_ignored(stage: SessionHarness) -> None:
    assert stage.lisa("monitor", "--webhook", "  ").json["exitReason"] == "not_found"


# -- people ---------------------------------------------------------------------------------------------------------


def test_verbose_writes_only_polls_to_stderr(stage: SessionHarness) -> None:
    assert stage.lisa("monitor").err == ""
    line = stage.lisa("monitor", "--verbose").err
    assert "poll=1 state=not_found status=not_found" in line


@pytest.mark.parametrize("form", ["--json", "--json-min"])
def test_end_in_a_dialog_has_its_detail_and_choices(stage: SessionHarness, form: str) -> None:
    stage.spawn("[ask rm -rf build]")
    got = stage.lisa("monitor", form).json
    assert [choice["text"] for choice in got["choices"]] == ["Yes", "Yes, and do not ask again", "No"]
    assert (got["waitingFor"], "rm -rf build" in got["stateDetail"]) == ("permission", True)


@pytest.mark.parametrize("form", ["--json", "--json-min"])
def test_end_at_the_prompt_has_no_choices(stage: SessionHarness, form: str) -> None:
    got = stage.spawn().lisa("monitor", form).json
    assert "choices" not in got


def test_ctrl_c_keeps_the_session_and_suggests_a_command(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    watching = stage.machine.start("session", "monitor", "--session", stage.name, "--stream-json")
    assert watching.read_event()
    watching.send_signal(signal.SIGINT)
    out, _ = watching.communicate(timeout=20)
    summary = json.loads(out.splitlines()[-1])
    assert (watching.returncode, summary["errorCode"], summary["ok"]) == (130, "interrupted", False)
    assert f"lisa session monitor --session '{stage.name}'" in summary["error"]
    assert stage.status().session_state == "in_progress"


def test_live_line_is_removed_at_the_end(stage: SessionHarness) -> None:
    gate = stage.machine.folder / "gate"
    stage.spawn(f"[wait {gate}] [say x]")
    leader, follower = pty.openpty()
    argv = [*PROGRAM, "session", "monitor", "--session", stage.name, "--json"]
    with subprocess.Popen(
        argv, stderr=follower, stdout=subprocess.PIPE, env=stage.machine.env, cwd=stage.machine.project
    ) as watching:
        os.close(follower)
        shown = ""
        while f"{stage.name}: in_progress" not in shown:
            shown += os.read(leader, 65536).decode()
        gate.touch()
        out, _ = watching.communicate(timeout=30)
    shown += os.read(leader, 65536).decode()
    os.close(leader)
    assert shown.endswith("\r\x1b[2K")
    assert json.loads(out)["exitReason"] == "waiting_input"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--poll-interval", "0"), "invalid_poll_interval"),
        (("--poll-interval", "soon"), "invalid_poll_interval"),
        (("--max-polls", "-1"), "invalid_max_polls"),
        (("--timeout-seconds", "0"), "invalid_timeout_seconds"),
        (("--stop-on-waiting", "yes"), "invalid_stop_on_waiting"),
        (("--waiting-requires-turn-complete", "1"), "invalid_waiting_requires_turn_complete"),
        (("--until-marker", ""), "invalid_until_marker"),
        (("--until-marker", "  "), "invalid_until_marker"),
        (("--until-jsonpath", ""), "invalid_until_jsonpath"),
        (("--until-state", "asleep"), "invalid_until_state"),
        (("--until-jsonpath", "a..b"), "invalid_until_jsonpath"),
        (("--expect", "much"), "invalid_expect"),
        (("--expect", "marker"), "expect_marker_requires_until_marker"),
        (("--recover-max", "0"), "invalid_recover_max"),
        (("--recover-budget", "0"), "invalid_recover_budget"),
        (("--event-budget", "0"), "invalid_event_budget"),
        (("--event-budget", "5"), "event_budget_requires_emit_handoff"),
        (("--handoff-cursor-file", "x"), "handoff_cursor_requires_emit_handoff"),
        (("--emit-handoff",), "emit_handoff_requires_stream_json"),
        (("--webhook", "ftp://x"), "invalid_webhook"),
        (("--agent", "x"), "invalid_agent_hint"),
        (("--mode", "x"), "invalid_mode_hint"),
    ],
)
def test_invalid_values_are_refused_with_their_code(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "monitor", "--session", "lisa-x", *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)


def test_invalid_cursor_file_is_refused_and_kept(stage: SessionHarness) -> None:
    cursor = stage.machine.folder / "cursor"
    cursor.write_text("garbage")
    answer = stage.lisa("monitor", "--stream-json", "--emit-handoff", "--handoff-cursor-file", str(cursor))
    assert (answer.code, answer.json["errorCode"]) == (1, "invalid_cursor_file")
    assert cursor.read_text() == "garbage"


def test_guide_flags_accept_an_equals_sign(stage: SessionHarness) -> None:
    stage.run("true")
    wait_until(lambda: stage.status().session_state == "completed")
    answer = stage.lisa("monitor", "--poll-interval=20", "--max-polls=120", "--expect=terminal")
    assert answer.json["exitReason"] == "completed"
