"""The Python library."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import lisa_py
from lisa_py import Lisa, LisaError, MonitorSummary, Poll, Session, WorktreeRequest, api
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.repository import Repository


@pytest.fixture
def lisa(machine: LisaHost) -> Lisa:
    return Lisa(str(machine.project), environ=machine.env)


def test_documented_examples_work(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    found = doctest.testmod(
        api, extraglobs={"project": str(machine.project)}, optionflags=doctest.IGNORE_EXCEPTION_DETAIL
    )
    assert found.attempted >= 12
    assert found.failed == 0


def test_guide_examples_work(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    page = Path(__file__).parents[1] / "docs" / "guide" / "python.md"
    repository = Repository(machine, machine.folder / "repository").create()
    places = {"project": str(machine.project), "repository": str(repository.folder)}
    found = doctest.testfile(str(page), module_relative=False, globs=places)
    assert found.attempted >= 15
    assert found.failed == 0


def test_public_names_are_loaded_lazily() -> None:
    script = "import sys, lisa_py; print([m for m in sys.modules if m.startswith('lisa_py.')]); lisa_py.Lisa"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_public_names_are_exactly_the_documented_ones() -> None:
    for name in dir(lisa_py):
        assert getattr(lisa_py, name) is not None
    with pytest.raises(AttributeError):
        _ = lisa_py.Nothing


def test_project_root_must_be_a_folder(machine: LisaHost) -> None:
    with pytest.raises(LisaError) as raised:
        Lisa(str(machine.folder / "nowhere"), environ=machine.env)
    assert raised.value.code == "invalid_project_root"


def test_monitor_yields_changes_and_ends_with_the_outcome(lisa: Lisa) -> None:
    with lisa.spawn("[wait 0.3] [say done]", agent="scripted") as session:
        events = list(session.monitor(timeout=30))
        assert isinstance(events[-1], MonitorSummary)
        assert all(isinstance(event, Poll) for event in events[:-1])
        states = [event.status.session_state for event in events]
        assert states[-1] == "waiting_input"
        assert "in_progress" in states


def test_leaving_a_monitor_keeps_the_session(lisa: Lisa) -> None:
    with lisa.spawn("[hang]", agent="scripted") as session:
        for event in session.monitor(timeout=30):
            assert event.status.session_state in ("just_started", "in_progress")
            break
        assert session.exists()


def test_waiting_ends_at_its_deadline(lisa: Lisa) -> None:
    with lisa.spawn("[hang]", agent="scripted") as session:
        outcome = session.wait(timeout=0.5)
        assert (outcome.final_state, outcome.exit_code) == ("timeout", 2)


def test_exec_session_is_read_after_its_end(lisa: Lisa) -> None:
    with lisa.spawn("[say the answer] go", agent="scripted", mode="exec", name="lisa-exec-1") as session:
        outcome = session.wait(timeout=30)
        assert (outcome.final_state, outcome.status.exit_code) == ("completed", 0)
        assert session.messages()[-1].text == "the answer"
        assert session.meta.mode == "exec"


def test_a_dialog_is_answered(lisa: Lisa) -> None:
    with lisa.spawn("[ask touch x] go", agent="scripted", skip_permissions=False) as session:
        assert session.wait(timeout=30).status.waiting_for == "permission"
        session.answer("yes")
        wait_until(lambda: session.status().waiting_for == "prompt")


def test_pane_and_transcript_deltas_continue(lisa: Lisa) -> None:
    with lisa.spawn("[say one]", agent="scripted") as session:
        session.wait(timeout=30)
        first = session.capture(source="transcript")
        session.send("[say two]")
        session.wait(timeout=30)
        talk = session.capture(source="transcript", since=first.progress.next).excerpt
        assert talk is not None
        assert [message.text for message in talk.messages] == ["[say two]", "two"]
        assert session.capture(source="pane", markers=["two", "three, four"]).found is not None


def test_handoff_of_a_session(lisa: Lisa) -> None:
    with lisa.spawn("[say hi]", agent="scripted") as session:
        session.wait(timeout=30)
        handoff = session.handoff()
        assert not isinstance(handoff.next_action, str)
        assert handoff.next_action.name == "session send"
        assert session.handoff(since=handoff.next_delta_offset or 0).session_state == "waiting_input"
        assert session.packet().next_action == "session send"


def test_all_states_are_read_and_all_sessions_killed(lisa: Lisa) -> None:
    sessions = [lisa.spawn(command="sleep 60", agent="scripted", name=f"lisa-many-{number}") for number in range(3)]
    assert set(lisa.statuses()) == {session.name for session in sessions}
    assert lisa.kill_all().killed == 3
    assert lisa.sessions() == []


def test_a_lost_session_is_a_status_not_an_exception(lisa: Lisa) -> None:
    session = lisa.session("lisa-nobody")
    assert isinstance(session, Session)
    assert session.status().session_state == "not_found"
    assert session.messages() == ()
    with pytest.raises(LisaError) as raised:
        session.capture()
    assert raised.value.code == "session_not_found"


def test_worktree_is_made_compared_and_merged(machine: LisaHost) -> None:
    main = Repository(machine).create()
    lisa = Lisa(str(machine.project), environ=machine.env)
    session = lisa.spawn(command="true", name="lisa-x", worktree=WorktreeRequest(name="other", base="main"))
    tree = main.at(session.diff().path)
    assert tree.folder.name == "other"
    tree.commit("work", b_txt="two\n")
    assert session.diff(patch=True).patch
    assert not session.kill(worktree="keep").worktrees[0].removed  # type: ignore[index]
    merged = session.merge(squash=True)
    assert (merged.commits, merged.worktree.removed, (machine.project / "b.txt").exists()) == (1, True, True)


def test_watch_yields_a_session_that_asks(lisa: Lisa) -> None:
    with lisa.spawn("[ask touch x]", agent="scripted", skip_permissions=False) as session:
        session.wait(timeout=30)
        notice = next(lisa.watch("asks"))
        assert (notice.kind, notice.session) == ("asks", session.name)


def test_tmux_is_the_libtmux_session(lisa: Lisa) -> None:
    with lisa.spawn("[say hello]", agent="scripted") as session:
        assert session.tmux.session_name == session.name
        assert session.tmux.active_pane.pane_pid == str(session.meta.pane_pid)
    with pytest.raises(LisaError) as refused:
        _ = session.tmux
    assert refused.value.code == "session_not_found"


def test_stream_continues_at_a_cursor(lisa: Lisa) -> None:
    session = lisa.spawn("[say hello]", agent="scripted")
    session.wait(timeout=30)
    seen = []
    for frame in session.stream():
        seen.append(frame)
        if frame.type == "session_status":
            break
    recorded = session.history()
    assert [frame.type for frame in recorded][:2] == ["user", "assistant"] and tuple(seen[:-1]) == recorded
    assert session.history(since=recorded[0].cursor) == recorded[1:]
    with pytest.raises(LisaError) as raised:
        session.history(since="x")
    assert raised.value.code == "invalid_cursor"
    session.kill()


def test_a_killed_session_is_described_and_read(lisa: Lisa) -> None:
    session = lisa.spawn("[say bye]", agent="scripted", mode="exec", name="lisa-gone")
    session.wait(timeout=30)
    frames = session.history()
    session.kill()
    assert session.history() == frames and frames
    assert list(session.stream(since=frames[-1].cursor))[-1].type == "session_end"
    described = session.describe()
    assert (described.status, described.end_reason, described.exit_code) == ("ended", "completed", 0)
