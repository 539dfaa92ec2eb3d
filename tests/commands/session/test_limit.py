"""lisa session limit, and `session spawn --on-limit`."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from lisa_py.contract.status import Status
from lisa_py.core.outbox import queue
from lisa_py.core.outbox.delivery import has_left_limit
from lisa_py.core.usage import limits
from lisa_py.host import processes
from lisa_py.store import archives, events, limit_records, outbox_records
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

AT_LIMIT = "[limit usage limit reached, try again in {} seconds]"


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def notices(stage: SessionHarness) -> list[str]:
    return [event.reason for event in events.read_tail(stage.ref, 100).events if event.type == "limit"]


def kill_process(stage: SessionHarness, name: str) -> None:
    path = Path(stage.ref.file(name))
    pid = wait_until(lambda: path.exists() and int(path.read_text() or 0), what=name)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: processes.read_process(pid, argv=False) is None, what="it has ended")


def test_turn_continues_once_after_the_limit(stage: SessionHarness) -> None:
    stage.spawn(AT_LIMIT.format(2), "--on-limit", "wait")
    wait_until(lambda: notices(stage) == ["limit_wait"], what="the limit")
    assert stage.prompts() == [AT_LIMIT.format(2)]
    listed = stage.machine.lisa("session", "list", "--with-next-action", "--json").json["items"][0]["limits"]
    assert listed["onLimit"] == "wait"
    assert listed["continuesAt"] > "2026"
    kill_process(stage, limit_records.PID_FILE)
    kill_process(stage, outbox_records.PID_FILE)
    for script in (limit_records.SCRIPT, outbox_records.SCRIPT) * 2:  # as the supervisor does, and a second time
        queue.start_process(stage.ref, script)
    wait_until(lambda: len(stage.prompts()) > 1, what="the turn goes on")
    wait_until(lambda: stage.status().waiting_for == "prompt", what="the end of the turn")
    assert stage.prompts() == [AT_LIMIT.format(2), "continue"]
    texts = outbox_records.registry(stage.ref).read().texts
    assert [each.state for each in texts] in (["accepted"], ["answered"])


def test_a_text_for_later_does_not_hold_the_turn(stage: SessionHarness, tmp_path: Path) -> None:
    go = tmp_path / "go"
    stage.spawn(f"[wait {go}] {AT_LIMIT.format(1)}", "--on-limit", "wait")
    assert stage.lisa("send", "--text", "[say later]", "--when", "idle").code == 0
    go.touch()
    wait_until(lambda: "[say later]" in stage.prompts(), what="the text for later")
    assert stage.prompts()[1:] == ["continue", "[say later]"]


def test_a_limit_without_a_certain_end_is_not_waited_for(stage: SessionHarness) -> None:
    stage.spawn("[limit usage limit reached, come back some time]", "--on-limit", "wait")
    wait_until(lambda: notices(stage) == ["limit_end_unknown"], what="the notice")
    shown = stage.lisa("limit").json
    assert (shown["onLimit"], shown["limit"]) == ("wait", True)
    assert "resetsAt" not in shown
    assert "continuesAt" not in shown


def test_off_withdraws_the_waiting_turn(stage: SessionHarness) -> None:
    stage.spawn(AT_LIMIT.format(3600), "--on-limit", "wait")
    wait_until(lambda: notices(stage) == ["limit_wait"], what="the limit")
    assert "continuesAt" in stage.lisa("limit").json
    done = stage.lisa("limit", "--on-limit", "off").json
    assert (done["onLimit"], done["withdrawn"]) == (None, 1)
    assert "continuesAt" not in done
    assert "onLimit" not in stage.lisa("status").json["limits"]


@pytest.mark.parametrize(
    ("state", "waiting_for", "has_left"),
    [
        ("waiting_input", "limit", False),
        ("degraded", "", False),  # tmux does not answer: it may be at the limit still
        ("just_started", "", False),
        ("in_progress", "", True),
        ("waiting_input", "prompt", True),
        ("crashed", "", True),
    ],
)
def test_only_a_clear_state_ends_the_wait(state: Any, waiting_for: Any, has_left: bool) -> None:
    assert has_left_limit(Status(session="lisa-x", session_state=state, waiting_for=waiting_for)) is has_left


def test_wait_after_off_waits_again(stage: SessionHarness) -> None:
    stage.spawn(AT_LIMIT.format(3600), "--on-limit", "wait")
    wait_until(lambda: notices(stage) == ["limit_wait"], what="the limit")
    first = stage.lisa("limit").json
    assert stage.lisa("limit", "--on-limit", "off").json["withdrawn"] == 1
    again = stage.lisa("limit", "--on-limit", "wait").json
    assert (again["onLimit"], again["continuesAt"]) == ("wait", first["continuesAt"])
    assert [each.state for each in outbox_records.registry(stage.ref).read().texts] == ["queued"]


def test_a_turn_that_continues_earlier_gets_no_text(stage: SessionHarness, tmp_path: Path) -> None:
    go = tmp_path / "go"
    stage.spawn(AT_LIMIT.format(2), "--on-limit", "wait")
    wait_until(lambda: notices(stage) == ["limit_wait"], what="the limit")
    assert stage.send(f"[wait {go}]").code == 0
    (text,) = outbox_records.registry(stage.ref).read().texts
    wait_until(lambda: outbox_records.registry(stage.ref).read().find(text.id).is_over, what="it is taken back")
    assert outbox_records.registry(stage.ref).read().find(text.id).state == "withdrawn"
    go.touch()
    wait_until(lambda: stage.status().waiting_for == "prompt", what="the end of the turn")
    assert stage.prompts() == [AT_LIMIT.format(2), f"[wait {go}]"]


def test_a_running_session_can_wait(stage: SessionHarness) -> None:
    stage.spawn(AT_LIMIT.format(3600))
    wait_until(lambda: stage.status().waiting_for == "limit", what="the limit")
    assert "limits" not in stage.lisa("status").json
    assert stage.lisa("limit", "--on-limit", "wait").json["onLimit"] == "wait"
    assert "continuesAt" in stage.lisa("limit").json
    wait_until(lambda: limits.is_enforced(stage.ref), what="the limit process")


def test_stop_ends_the_session_with_its_reason(stage: SessionHarness) -> None:
    stage.spawn(AT_LIMIT.format(3600), "--on-limit", "stop")
    wait_until(lambda: not Path(stage.ref.folder, "meta.json").exists(), what="the session is ended")
    ((_, record),) = wait_until(lambda: list(archives.list_archives(stage.ref.project)), what="an archive")
    assert (record.end_reason, record.end_detail) == ("failed", "usage_limit")
    assert notices(stage) == ["usage_limit_reached"]


def test_a_missing_session_is_refused(machine: LisaHost) -> None:
    assert machine.lisa("session", "limit", "--session", "lisa-x", "--json").json["errorCode"] == "session_not_found"


def test_a_monitor_waits_past_the_limit(stage: SessionHarness) -> None:
    stage.spawn(AT_LIMIT.format(1))
    wait_until(lambda: stage.status().waiting_for == "limit", what="the limit")
    plain = stage.lisa("monitor").json
    assert (plain["exitReason"], plain["waitingFor"]) == ("waiting_input", "limit")
    found = stage.lisa("monitor", "--on-limit", "wait", "--max-polls", "1", "--expect", "any")
    assert (found.json["exitReason"], found.json["waitingFor"], found.code) == ("waiting_input", "prompt", 0)
    assert "at a usage limit; the turn continues at" in found.err
    assert stage.prompts() == [AT_LIMIT.format(1), "continue"]


@pytest.mark.parametrize(("prompt", "flag"), [(AT_LIMIT.format(3600), "stop"), ("[limit come back some time]", "wait")])
def test_a_monitor_stops_at_the_limit(stage: SessionHarness, prompt: str, flag: str) -> None:
    stage.spawn(prompt)
    found = stage.lisa("monitor", "--on-limit", flag, "--stop-on-waiting", "false")
    assert (found.json["exitReason"], found.json["errorCode"], found.code) == ("usage_limit", "usage_limit_reached", 2)
    assert stage.prompts() == [prompt]


def test_off_ends_a_waiting_monitor(stage: SessionHarness) -> None:
    stage.spawn(AT_LIMIT.format(3600))
    words = ("--session", stage.name, "--on-limit", "wait", "--poll-interval", "1", "--json")
    watching = stage.machine.start("session", "monitor", *words)
    wait_until(lambda: "continuesAt" in stage.lisa("limit").json, what="the wait")
    assert stage.lisa("limit", "--on-limit", "off").json["withdrawn"] == 1
    out, _ = watching.communicate(timeout=20)
    assert json.loads(out)["errorCode"] == "usage_limit_reached"


def test_a_loop_stops_at_the_limit(stage: SessionHarness) -> None:
    stage.spawn(AT_LIMIT.format(3600))
    found = stage.lisa("loop", "--on-limit", "stop")
    assert (found.code, found.json["failedStep"]) == (1, "monitor")
    assert "(usage_limit)" in found.json["error"]


def test_an_autopilot_stops_at_the_limit(stage: SessionHarness) -> None:
    words = ("--agent", "scripted", "--mode", "interactive", "--prompt", AT_LIMIT.format(3600), "--on-limit", "stop")
    found = stage.lisa("autopilot", *words)
    assert (found.code, found.json["monitor"]["errorCode"], found.json["onLimit"]) == (2, "usage_limit_reached", "stop")
