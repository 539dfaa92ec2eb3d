"""core/wait/activity_check: a change is found without a read, at almost no cost while nothing changes."""

from __future__ import annotations

import pytest
from msgspec import structs

from lisa_py.contract.status import Status
from lisa_py.core.status import process_activity, status_reader
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.wait.activity_check import ActivityCheck
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


def read(stage: SessionHarness) -> tuple[Evidence, Status]:
    return status_reader.read_with_evidence(stage.ctx, stage.ref)


def settle(check: ActivityCheck) -> None:
    """Check until nothing has run since the last time."""
    wait_until(lambda: not check.find_changed() and not check.find_changed())


def test_silent_command_is_not_read(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = SessionHarness(machine).run("sleep 600")
    wait_until(lambda: stage.status().session_state == "in_progress")
    check = ActivityCheck(stage.ctx, output=False)
    check.update("a", *read(stage))
    settle(check)
    looks: list[object] = []
    monkeypatch.setattr(process_activity, "take_snapshots", lambda *values: looks.append(values))
    assert check.find_changed() == set()
    assert looks == []


def test_command_that_begins_to_read_is_found(machine: LisaHost) -> None:
    stage = SessionHarness(machine).run("until [ -e go ]; do sleep 0.05; done; read word; sleep 600")
    wait_until(lambda: stage.status().session_state == "in_progress")
    check = ActivityCheck(stage.ctx, output=False)
    check.update("a", *read(stage))
    check.find_changed()
    (machine.project / "go").touch()
    wait_until(lambda: check.find_changed() == {"a"})
    settle(check)
    pane = read(stage)[0].pane
    assert pane is not None
    stage.ctx.server(stage.ref).send_keys(pane.pane_id, ["x", "Enter"])
    wait_until(lambda: check.find_changed() == {"a"})


def test_forgotten_member_is_not_checked(machine: LisaHost) -> None:
    stage = SessionHarness(machine).run("sleep 600")
    wait_until(lambda: stage.status().session_state == "in_progress")
    check = ActivityCheck(stage.ctx, output=False)
    check.update("a", *read(stage))
    assert check.is_needed
    check.forget("a")
    assert not check.is_needed and check.find_changed() == set()


def titled(stage: SessionHarness, state: str) -> tuple[Evidence, Status]:
    """Return the read of a session as if it were codex, whose state shows in the title."""
    evidence, status = read(stage)
    evidence.agent = "codex"
    return evidence, structs.replace(status, session_state=state, state_source="title")


def test_title_is_compared_without_its_spinner(machine: LisaHost) -> None:
    script = (
        "title() { printf '\\033]2;%s\\007' \"$1\"; }; "
        "title '⠋ Working | 01a'; read a; title '⠙ Working | 01a'; echo more; read a; title 'Ready | 01a'; read a"
    )
    stage = SessionHarness(machine).run(script)
    server, pane_id = stage.ctx.server(stage.ref), ""

    def title() -> str:
        nonlocal pane_id
        pane = server.find_pane(stage.name)
        assert pane is not None
        pane_id = pane.pane_id
        return pane.title

    wait_until(lambda: title().startswith("⠋"))
    check = ActivityCheck(stage.ctx, output=False)
    check.update("a", *titled(stage, "in_progress"))
    assert check.find_changed() == set()
    server.send_keys(pane_id, ["Enter"])
    wait_until(lambda: title().startswith("⠙"))
    assert check.find_changed() == set()
    server.send_keys(pane_id, ["Enter"])
    wait_until(lambda: title().startswith("Ready"))
    assert check.find_changed() == {"a"}


def test_output_of_an_idle_agent_is_a_difference(machine: LisaHost) -> None:
    stage = SessionHarness(machine).run("read a; echo menu; sleep 600")
    wait_until(lambda: stage.status().session_state == "waiting_input")
    check = ActivityCheck(stage.ctx, output=False)

    def is_same() -> bool:
        check.update("a", *titled(stage, "waiting_input"))
        return check.find_changed() == set()

    wait_until(is_same)
    pane = read(stage)[0].pane
    assert pane is not None
    stage.ctx.server(stage.ref).send_keys(pane.pane_id, ["Enter"])
    wait_until(lambda: check.find_changed() == {"a"})
