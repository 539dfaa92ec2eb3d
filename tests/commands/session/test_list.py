"""session list."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.lisa_host import LisaHost
from tests.outer_terminal import OuterTerminal
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture
def fleet(machine: LisaHost) -> list[SessionHarness]:
    """One session that waits, one that works, one that failed and one that is through, by name."""
    commands = {"lisa-a": "cat", "lisa-b": "sleep 600", "lisa-c": "exit 2", "lisa-d": "true"}
    made = [SessionHarness(machine, name).run(command) for name, command in commands.items()]
    for stage in made[2:]:
        stage.wait_until_ended()
    wait_until(lambda: made[0].status().session_state == "waiting_input")
    wait_until(lambda: made[1].status().session_state == "in_progress")
    return made


def listed(machine: LisaHost, *words: str, **more: Any) -> dict[str, Any]:
    answer = machine.lisa("session", "list", *words, *([] if "--json-min" in words else ["--json"]), **more)
    assert answer.code == 0, answer
    return answer.json


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {item["session"]: item["sessionState"] for item in answer["items"]}


EXPECTED = {"lisa-a": "waiting_input", "lisa-b": "in_progress", "lisa-c": "crashed", "lisa-d": "completed"}


def test_no_sessions_give_an_empty_list(machine: LisaHost) -> None:
    assert machine.lisa("session", "list").out == "\n"
    assert listed(machine, "--json-min") == {"count": 0, "sessions": [], "stderrPolicy": "diagnostic"}


def test_names_are_listed_in_order(fleet: list[SessionHarness]) -> None:
    machine = fleet[0].machine
    assert machine.lisa("session", "list").out.split() == list(EXPECTED)
    assert listed(machine)["sessions"] == list(EXPECTED)
    assert listed(machine)["count"] == 4


def test_each_state_has_a_next_action(fleet: list[SessionHarness]) -> None:
    machine = fleet[0].machine
    assert machine.lisa("session", "list", "--with-next-action").out.splitlines() == [
        "lisa-a,idle,waiting_input,session send",
        "lisa-b,active,in_progress,session monitor",
        "lisa-c,crashed,crashed,session explain",
        "lisa-d,completed,completed,session capture",
    ]
    assert states(listed(machine, "--with-next-action")) == EXPECTED


def test_most_urgent_sessions_are_first(fleet: list[SessionHarness]) -> None:
    assert fleet[0].machine.lisa("session", "list", "--priority").out.splitlines() == [
        "lisa-c,crashed,crashed,session explain,100,critical",
        "lisa-a,idle,waiting_input,session send,86,needs_input",
        "lisa-b,active,in_progress,session monitor,70,active",
        "lisa-d,completed,completed,session capture,20,complete",
    ]


def test_listing_with_states_changes_nothing(fleet: list[SessionHarness]) -> None:
    before = [stage.event_reasons() for stage in fleet]
    for _ in range(3):
        listed(fleet[0].machine, "--with-next-action")
    assert [stage.event_reasons() for stage in fleet] == before


def test_scenario_29_lists_sessions_of_another_socket_folder(
    fleet: list[SessionHarness],
) -> None:
    machine = fleet[0].machine
    elsewhere = machine.folder / "elsewhere"
    elsewhere.mkdir()
    answer = listed(
        machine, "--all-sockets", "--with-next-action", env={"LISA_TMUX_SOCKET_DIR": str(elsewhere)}, cwd=elsewhere
    )
    assert states(answer) == EXPECTED
    assert {item["projectRoot"] for item in answer["items"]} == {str(machine.project)}


def test_all_sockets_lists_all_projects(machine: LisaHost) -> None:
    SessionHarness(machine, "lisa-same").run("sleep 600")
    other = machine.folder / "other"
    other.mkdir()
    machine.lisa("session", "spawn", "--session", "lisa-same", "--command", "true", cwd=other)
    answer = wait_until(
        lambda: "completed" in str(now := listed(machine, "--all-sockets", "--with-next-action")) and now
    )
    assert {(item["projectRoot"], item["sessionState"]) for item in answer["items"]} == {
        (str(machine.project), "in_progress"),
        (str(other), "completed"),
    }
    assert listed(machine)["sessions"] == ["lisa-same"]


def test_project_only_omits_sessions_without_records(fleet: list[SessionHarness]) -> None:
    machine, first = fleet[0].machine, fleet[0]
    tmux = first.ctx.server(first.ref)
    tmux.new_session("lisa-stray", ["/bin/cat"], root=str(machine.project), width=80, height=24)
    tmux.new_session("other-thing", ["/bin/cat"], root=str(machine.project), width=80, height=24)
    assert listed(machine)["sessions"] == [*EXPECTED, "lisa-stray"]
    assert listed(machine, "--project-only")["sessions"] == list(EXPECTED)


# -- stale ----------------------------------------------------------------------------------------------------------


def test_stale_records_are_counted_with_prune_commands(fleet: list[SessionHarness]) -> None:
    machine = fleet[0].machine
    fleet[0].ctx.server(fleet[0].ref).kill_session("lisa-d")
    answer = listed(machine, "--stale", "--prune-preview")
    assert (answer["historicalCount"], answer["staleCount"], answer["staleSessions"]) == (4, 1, ["lisa-d"])
    (plan,) = answer["prunePreview"]
    assert plan["metaPath"].endswith("/lisa-d/meta.json")
    assert plan["pruneCmd"] == f"lisa session kill --session 'lisa-d' --project-root '{machine.project}' --json"
    small = listed(machine, "--stale", "--json-min")
    assert (small["staleCount"], "staleSessions" in small) == (1, False)
    lines = machine.lisa("session", "list", "--stale").out.splitlines()
    assert lines[0] == "active=3 historical=4 stale=1"
    assert lines[1] == "active_sessions:"
    assert "stale_sessions:" in lines


# -- deltas ---------------------------------------------------------------------------------------------------------


def test_delta_has_changes_since_the_last_call(fleet: list[SessionHarness]) -> None:
    machine = fleet[0].machine
    first = listed(machine, "--delta-json", "--with-next-action")
    assert [item["session"] for item in first["delta"]["added"]] == list(EXPECTED)
    assert listed(machine, "--delta-json", "--with-next-action")["delta"]["count"] == 0
    fleet[0].ctx.server(fleet[0].ref).kill_session("lisa-d")
    os.kill(fleet[1].wait_for_agent_pid(), signal.SIGTERM)
    fleet[1].wait_until_ended()
    delta = listed(machine, "--delta-json", "--with-next-action")["delta"]
    assert [item["session"] for item in delta["removed"]] == ["lisa-d"]
    assert [(item["session"], item["sessionState"]) for item in delta["changed"]] == [("lisa-b", "crashed")]
    assert delta["count"] == 2


def test_cursor_file_is_private_at_the_documented_path(fleet: list[SessionHarness]) -> None:
    machine = fleet[0].machine
    answer = listed(machine, "--delta-json")
    expected = machine.folder / "shared" / f".lisa-{fleet[0].ref.project.hash}-list-delta.json"
    assert answer["cursorFile"] == str(expected)
    assert os.stat(expected).st_mode & 0o777 == 0o600
    own = machine.folder / "deep" / "cursor.json"
    assert listed(machine, "--delta-json", "--cursor-file", str(own))["delta"]["count"] == 4
    assert set(json.loads(own.read_text())) == {"updatedAt", "items"}


@pytest.mark.parametrize("plant", ["symlink", "folder", "garbage"])
def test_refuses_and_keeps_a_cursor_file_of_another_user(machine: LisaHost, plant: str) -> None:
    cursor, victim = machine.folder / "cursor", machine.folder / "victim"
    victim.write_text('{"items": {}}')
    if plant == "symlink":
        cursor.symlink_to(victim)
    elif plant == "folder":
        cursor.mkdir()
    else:
        cursor.write_text("garbage")
    answer = machine.lisa("session", "list", "--delta-json", "--cursor-file", str(cursor))
    assert (answer.code, answer.json["errorCode"]) == (1, "invalid_cursor_file")
    assert victim.read_text() == '{"items": {}}'


# -- watching -------------------------------------------------------------------------------------------------------


def test_watch_reports_a_change_at_once(fleet: list[SessionHarness]) -> None:
    machine = fleet[0].machine
    watching = machine.start("session", "list", "--watch-json", "--watch-interval", "60", "--watch-cycles", "3")
    first = watching.read_event()
    assert states(first) == EXPECTED
    os.kill(fleet[1].wait_for_agent_pid(), signal.SIGTERM)
    second = watching.read_event()
    assert [(item["session"], item["sessionState"]) for item in second["delta"]["changed"]] == [("lisa-b", "crashed")]
    SessionHarness(machine, "lisa-e").run("sleep 600")
    third = json.loads(watching.communicate(timeout=30)[0].splitlines()[0])
    assert [item["session"] for item in third["delta"]["added"]] == ["lisa-e"]
    assert watching.returncode == 0


def test_watch_emits_a_line_at_each_interval(machine: LisaHost) -> None:
    answer = machine.lisa("session", "list", "--watch-json", "--watch-interval", "1", "--watch-cycles", "2")
    assert [line["delta"]["count"] for line in answer.lines] == [0, 0]
    assert {"sessions", "count", "delta", "cursorFile", "stderrPolicy"} <= set(answer.lines[0])


# -- trouble --------------------------------------------------------------------------------------------------------


def test_without_tmux_the_list_fails_instead_of_being_empty(machine: LisaHost) -> None:
    answer = machine.lisa("session", "list", "--json", env={"PATH": str(machine.bin)})
    assert (answer.code, answer.json["errorCode"], answer.json["cause"]) == (1, "session_list_failed", "tmux_missing")


def test_unreadable_record_does_not_hide_others(fleet: list[SessionHarness]) -> None:
    Path(fleet[0].ref.meta).write_text("{")
    assert states(listed(fleet[0].machine, "--with-next-action")) == {**EXPECTED, "lisa-a": "degraded"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--prune-preview",), "prune_preview_requires_stale"),
        (("--delta-json", "--stale"), "delta_json_incompatible_with_stale"),
        (("--active-only", "--stale"), "active_only_incompatible_with_stale"),
        (("--cursor-file", "x"), "cursor_file_requires_delta_json"),
        (("--watch-interval", "0"), "invalid_watch_interval"),
        (("--watch-cycles", "-1"), "invalid_watch_cycles"),
    ],
)
def test_invalid_arguments_are_refused_with_their_code(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "list", *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)


def test_watch_redraws_the_table_on_a_terminal(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    terminal = OuterTerminal(machine, "session", "list", "--watch", columns=120)
    terminal.wait_for("idle")
    stage.send("[think 600]")
    shown = terminal.wait_for("thinking")
    assert shown.count(stage.name) == 1
    stage.lisa("kill")
    terminal.wait_for("no sessions")
    terminal.press("C-c")
    assert terminal.wait_for_end() == 130
    refused = machine.lisa("session", "list", "--watch", "--json")
    assert (refused.code, refused.json["errorCode"]) == (1, "no_terminal")
