"""When an agent shows a list of choices, which takes typed text for keys."""

from __future__ import annotations

import pytest

from lisa_py.contract.status import Status
from lisa_py.core.send import dialog


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
    assert dialog.has_dialog(status) is asks
