"""agents/_claude/cost and pane/status_line.sh: claude's own account of a session's dollars."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lisa_py.agents._claude import cost
from lisa_py.agents.launch import AgentLaunch
from lisa_py.contract.session_settings import SessionSettings
from tests.house.sources import PACKAGE

SCRIPT = PACKAGE / "pane" / "status_line.sh"


def report(folder: Path, session: str, dollars: float, requests: int = 0) -> None:
    status = {
        "session_id": session,
        "cost": {"total_cost_usd": dollars},
        "prompt_cache": {"requests": requests},
    }
    text = json.dumps(status, separators=(",", ":"))
    ended = subprocess.run(["/bin/sh", SCRIPT, folder], input=text, text=True, capture_output=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")


def test_costs_of_all_conversations_add_up(tmp_path: Path) -> None:
    assert cost.read_cost(str(tmp_path)) is None
    for dollars in (0, 0.1, 0.25):
        report(tmp_path, "one", dollars)
    report(tmp_path, "two", 0)  # after /clear
    report(tmp_path, "two", 0.5)
    assert cost.read_cost(str(tmp_path)) == pytest.approx(0.75)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_earlier_cost_of_a_resumed_conversation_is_excluded(tmp_path: Path) -> None:
    report(tmp_path, "one", 2.0)
    report(tmp_path, "one", 2.5)
    assert cost.read_cost(str(tmp_path)) == pytest.approx(0.5)


def test_first_status_after_an_answer_counts_in_full(tmp_path: Path) -> None:
    """2.1.332 after /clear, if the first answer is quick."""
    report(tmp_path, "one", 0)
    report(tmp_path, "one", 0.1, requests=1)
    report(tmp_path, "two", 0.25, requests=1)
    assert cost.read_cost(str(tmp_path)) == pytest.approx(0.35)


@pytest.mark.parametrize("session", ["", "../x", "a b"])
def test_invalid_ids_are_ignored(tmp_path: Path, session: str) -> None:
    report(tmp_path, session, 1.0)
    assert list(tmp_path.iterdir()) == []


def test_status_line_is_set_if_the_user_has_none(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / ".claude").mkdir(parents=True)
    launch = AgentLaunch(
        mode="interactive",
        folder="/s/one",
        hook="/lisa/pane/hook.sh",
        project_root=str(project),
        environ={"HOME": str(tmp_path)},
        settings=SessionSettings(max_budget_usd=1.0),
    )
    command = cost.build_status_line(launch)["statusLine"]["command"]
    assert command == "/bin/sh '/lisa/pane/status_line.sh' '/s/one'"
    (project / ".claude" / "settings.json").write_text('{"statusLine": {"type": "command", "command": "date"}}')
    assert cost.build_status_line(launch) == {}
