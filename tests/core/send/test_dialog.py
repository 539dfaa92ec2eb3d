"""Detect a list of choices, which interprets typed text as keys."""

from __future__ import annotations

import pytest

from lisa_py import agents
from lisa_py.contract.status import AgentReport, Status
from lisa_py.core.send import dialog, open_dialog


@pytest.mark.parametrize(
    ("waiting_for", "agent_state", "asks"),
    [
        ("permission", "waiting", True),
        ("trust", "waiting", True),
        ("dialog", "waiting", True),
        ("limit", "waiting", True),  # claude offers what to do about it, as a menu
        ("limit", "error", False),  # the turn ended so, and the input box is there
        ("error", "error", False),
        ("prompt", "idle", False),
        ("", "thinking", False),
    ],
)
def test_menu_is_distinguished_from_idle_at_a_limit(waiting_for: str, agent_state: str, asks: bool) -> None:
    status = Status(session="lisa-x", waiting_for=waiting_for, agent_state=agent_state)  # type: ignore[arg-type]
    assert open_dialog.has_dialog(status) is asks


def test_first_key_waits_for_a_dialog_that_has_just_opened() -> None:
    opened = (AgentReport(source="agent_file", state="waiting"), AgentReport(source="hook", state="waiting", at=100.0))
    claude, codex = agents.get("claude"), agents.get("codex")
    assert dialog.pause_before_keys(claude, opened, 100.3) == claude.dialog_pause_seconds > 0.1
    assert dialog.pause_before_keys(claude, opened, 160.0) == 0.0
    assert dialog.pause_before_keys(claude, opened[:1], 100.3) == 0.0
    assert dialog.pause_before_keys(codex, opened, 100.3) == 0.0
