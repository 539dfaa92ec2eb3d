"""session explain."""

from __future__ import annotations

import pytest

from lisa_py.host.clock import format_rfc3339
from lisa_py.store import events
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

LATER = 4_000_000_000
"""A time after all real events."""


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    """A session with thirty events besides those of its start."""
    stage = SessionHarness(machine).run("cat")
    for number in range(30):
        events.add(stage.ref, stage.ctx.settings, LATER + number, type="transition", reason=f"event_{number}")
    wait_until(lambda: stage.status().session_state == "waiting_input")
    return stage


def reasons(answer: dict[str, list[dict[str, str]]], key: str = "events") -> list[str]:
    return [event["reason"] for event in answer[key]]


def test_newest_events_and_next_cursor_are_shown(stage: SessionHarness) -> None:
    answer = stage.lisa("explain", "--events", "3").json
    assert reasons(answer) == ["event_27", "event_28", "event_29"]
    assert answer["status"]["sessionState"] == "waiting_input"
    assert answer["nextCursor"] == answer["events"][-1]["seq"]
    assert answer["eventFile"] == stage.ref.events


def test_recent_is_an_alias_of_events(stage: SessionHarness) -> None:
    assert reasons(stage.lisa("explain", "--recent", "2").json) == ["event_28", "event_29"]


def test_ten_events_are_shown_by_default(stage: SessionHarness) -> None:
    assert len(stage.lisa("explain").json["events"]) == 10


def test_cursor_pages_through_all_events_without_loss(stage: SessionHarness) -> None:
    cursor, seen = 0, []
    while True:
        answer = stage.lisa("explain", "--since", str(cursor), "--events", "8").json
        if not answer["events"]:
            break
        seen += reasons(answer)
        cursor = answer["nextCursor"]
    assert [reason for reason in seen if reason.startswith("event_")] == [f"event_{number}" for number in range(30)]
    assert answer["since"] == str(cursor)


@pytest.mark.parametrize("zeros", [0, 3, 9])
def test_unix_time_in_any_unit_selects_later_events(stage: SessionHarness, zeros: int) -> None:
    answer = stage.lisa("explain", "--since", f"@{LATER + 25}{'0' * zeros}").json
    assert reasons(answer) == ["event_26", "event_27", "event_28", "event_29"]


def test_rfc_3339_time_selects_later_events(stage: SessionHarness) -> None:
    answer = stage.lisa("explain", "--since", format_rfc3339(LATER + 25)).json
    assert reasons(answer) == ["event_26", "event_27", "event_28", "event_29"]


def test_scenario_25_cursor_at_the_end_of_a_full_log_continues(machine: LisaHost) -> None:
    machine.env["LISA_EVENTS_MAX_LINES"] = "20"
    stage = SessionHarness(machine).run("cat")
    limited = machine.context().settings
    for number in range(50):
        events.add(stage.ref, limited, 1.0, type="transition", reason=f"old_{number}")
    cursor = stage.lisa("explain").json["nextCursor"]
    for number in range(5):
        events.add(stage.ref, limited, 1.0, type="transition", reason=f"new_{number}")
    answer = stage.lisa("explain", "--since", str(cursor)).json
    assert reasons(answer) == [f"new_{number}" for number in range(5)]
    missed = stage.lisa("explain", "--since", "1").json
    assert missed["missedEvents"] > 0


def test_json_min_has_the_keys_of_a_loop(stage: SessionHarness) -> None:
    answer = stage.lisa("explain", "--events", "1", "--json-min").json
    assert set(answer) == {"session", "status", "sessionState", "reason", "recent", "nextCursor", "stderrPolicy"}
    assert set(answer["recent"][0]) == {"at", "type", "reason", "seq"}


def test_text_output(stage: SessionHarness) -> None:
    lines = stage.machine.lisa("session", "explain", "--session", stage.name, "--events", "1").out.splitlines()
    assert lines[0] == f"session: {stage.name}"
    assert "state: waiting_input (idle)" in lines
    assert "reason: interactive_idle_cpu" in lines
    assert any(line.startswith("decided by: activity") for line in lines)
    assert any(line.startswith("- ") and "reason=event_29" in line for line in lines)
    assert lines[-1].startswith("next_cursor: ")


def test_missing_session_is_explained_with_exit_0_and_its_code(machine: LisaHost) -> None:
    answer = machine.lisa("session", "explain", "--session", "lisa-x", "--json")
    assert (answer.code, answer.json["errorCode"]) == (0, "session_not_found")
    assert answer.json["events"] == []
    assert machine.lisa("session", "explain", "--session", "lisa-x").out.splitlines()[-2:] == [
        "events: none",
        "next_cursor: 0",
    ]


def test_explaining_writes_nothing(stage: SessionHarness) -> None:
    before = stage.event_reasons()
    for _ in range(3):
        stage.lisa("explain")
    assert stage.event_reasons() == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--events", "0"), "invalid_events"),
        (("--events", "x"), "invalid_events"),
        (("--since", "yesterday"), "invalid_since_cursor"),
        (("--since", "@x"), "invalid_since_cursor"),
        (("--agent", "x"), "invalid_agent_hint"),
    ],
)
def test_invalid_values_are_refused_with_their_code(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "explain", "--session", "lisa-x", *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)
