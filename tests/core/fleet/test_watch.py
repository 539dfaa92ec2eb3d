"""Notices of a watch: which transitions count, when, and once each."""

from __future__ import annotations

import pytest

from lisa_py.contract.status import Status
from lisa_py.core.fleet import watch
from lisa_py.core.fleet.list_items import ListItem, LostSession
from lisa_py.core.fleet.session_list import SessionList
from lisa_py.core.fleet.watch import FleetWatch
from tests.lisa_host import LisaHost


def state(session_state: str, waiting_for: str = "", detail: str = "") -> Status:
    return Status(session="lisa-a", session_state=session_state, waiting_for=waiting_for, state_detail=detail)  # type: ignore[arg-type]


WORK, ASKS, DONE = state("in_progress"), state("waiting_input", "permission", "Bash"), state("waiting_input", "prompt")
FAILED, LIMIT = state("crashed"), state("waiting_input", "limit")


@pytest.mark.parametrize(
    ("status", "kind"),
    (
        (WORK, ""),
        (ASKS, "asks"),
        (state("waiting_input", "trust"), "asks"),
        (DONE, "done"),
        (state("completed"), "done"),
        (FAILED, "failed"),
        (state("stuck"), "failed"),
        (state("waiting_input", "error"), "failed"),
        (LIMIT, "limit"),
        (state("just_started"), ""),
        (state("degraded"), ""),
    ),
)
def test_each_state_has_its_kind(status: Status, kind: str) -> None:
    assert watch.classify(status) == kind


class SteppedClock:
    """A clock that moves by steps."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> float:
        return 1.0


class WatchTrial:
    """A watch of one session whose states the test sets."""

    def __init__(self, machine: LisaHost, kinds: tuple[str, ...] = ("asks", "failed", "done", "lost", "limit")) -> None:
        self.clock = SteppedClock()
        ctx = machine.context(clock=self.clock)
        self.root = ctx.project(str(machine.project)).root
        self.watch = FleetWatch(ctx, ctx.project(str(machine.project)), kinds=kinds, all_projects=False)  # type: ignore[arg-type]
        self.attended = False
        self.watch._is_attended = lambda ref: self.attended  # type: ignore[method-assign]
        self.watch._read_question = lambda ref: ("May I?", "lisa session approve")  # type: ignore[method-assign]

    def see(self, *statuses: Status, after: float = 60.0, lost: bool = False) -> list[str]:
        """Return the kinds of the notices for the states that a look finds."""
        self.clock.seconds += after
        items = tuple(ListItem(session=each.session, project_root=self.root) for each in statuses)
        gone = LostSession(session="lisa-a", project_root=self.root, agent="claude", resumable=True, resume_command="r")
        found = SessionList(items=items, has_items=True, statuses=statuses, lost=(gone,) if lost else ())
        notices = [notice.kind for notice in self.watch._collect(found)]
        self.watch._is_first = False
        return notices


def test_a_transition_is_reported_once(machine: LisaHost) -> None:
    trial = WatchTrial(machine)
    seen = [trial.see(each) for each in (WORK, ASKS, ASKS, WORK, ASKS, WORK, DONE, DONE, WORK, FAILED, FAILED)]
    assert seen == [[], ["asks"], [], [], ["asks"], [], ["done"], [], [], ["failed"], []]


def test_new_question_gives_a_new_notice(machine: LisaHost) -> None:
    trial = WatchTrial(machine)
    assert trial.see(ASKS) == ["asks"]
    assert trial.see(state("waiting_input", "permission", "Write")) == ["asks"]


def test_first_report_has_only_sessions_that_need_a_person(machine: LisaHost) -> None:
    assert [WatchTrial(machine).see(each) for each in (ASKS, LIMIT, DONE, FAILED)] == [["asks"], ["limit"], [], []]
    late = WatchTrial(machine)
    assert late.see() == []
    assert late.see(DONE) == ["done"]  # it began and ended between two looks


def test_notices_of_a_session_have_a_minimum_interval(machine: LisaHost) -> None:
    trial = WatchTrial(machine)
    assert trial.see(ASKS) == ["asks"]
    assert trial.see(WORK, after=1) == []
    assert trial.see(DONE, after=1) == []
    assert trial.see(DONE, after=1) == []
    assert trial.see(DONE, after=watch.COOLDOWN_SECONDS) == ["done"]


def test_attached_session_gives_no_notice(machine: LisaHost) -> None:
    trial = WatchTrial(machine)
    trial.see(WORK)
    trial.attended = True
    assert trial.see(ASKS) == []
    trial.attended = False
    assert trial.see(ASKS) == []  # a person has seen it
    assert trial.see(WORK) == []
    assert trial.see(ASKS) == ["asks"]


def test_only_chosen_kinds_are_reported(machine: LisaHost) -> None:
    trial = WatchTrial(machine, ("failed", "lost"))
    assert [trial.see(each) for each in (WORK, ASKS, WORK, FAILED)] == [[], [], [], ["failed"]]
    assert trial.see(lost=True) == ["lost"]
    assert trial.see(lost=True) == []


def test_a_text_is_one_line_without_secrets(machine: LisaHost) -> None:
    trial = WatchTrial(machine)
    secret = "sk-ant-" + "a1B2" * 8
    trial.watch._read_question = lambda ref: (f"Use {secret}?\nmore", "c")  # type: ignore[method-assign]
    found = SessionList(items=(ListItem(session="lisa-a", project_root=trial.root),), has_items=True, statuses=(ASKS,))
    notice = next(iter(trial.watch._collect(found)))
    assert notice.title == "lisa-a asks: permission"
    assert secret not in notice.text
    assert "more" not in notice.text
