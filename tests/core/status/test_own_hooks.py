"""Hooks of this agent's conversations, and of other agents that run with its settings."""

from __future__ import annotations

import time

import pytest

from lisa_py.agents.base import View
from lisa_py.contract.records import SessionMeta
from lisa_py.core.status.own_hooks import select_own_hooks

OWN, OTHER = 77, 88


def hook(pid: int | None, conversation: str) -> dict[str, object]:
    return {"hook": "Stop", "at": 1.0, "session_id": conversation, **({} if pid is None else {"pid": pid})}


@pytest.mark.parametrize("pid", [OWN, 0], ids=["alive", "ended"])
@pytest.mark.parametrize(
    ("hooks", "kept"),
    [
        pytest.param([hook(OWN, "a"), hook(OTHER, "z")], 1, id="another-agent"),
        pytest.param([hook(OWN, "a"), hook(OWN, "b"), hook(OTHER, "z")], 2, id="after-clear"),
        pytest.param([hook(OWN, "a"), hook(OTHER, "a")], 2, id="own-conversation-elsewhere"),
        pytest.param([hook(None, "a"), hook(0, "z")], 2, id="callers-unknown"),
        pytest.param([hook(OTHER, "z"), hook(OWN, "a")], 1, id="other-first"),
    ],
)
def test_hooks_of_other_agents_are_left_out(pid: int, hooks: list[dict[str, object]], kept: int) -> None:
    view = View(meta=SessionMeta(session="lisa-x", agent_session_id="a"), hooks=tuple(hooks))
    own = select_own_hooks(view, pid)
    assert len(own) == kept
    assert all(entry["session_id"] != "z" or not entry.get("pid") for entry in own)


def test_hooks_of_an_earlier_agent_are_ignored() -> None:
    earlier = {**hook(OTHER, "a"), "at": time.time() - 60}
    view = View(meta=SessionMeta(session="lisa-x"), hooks=(earlier,))
    assert select_own_hooks(view, OWN, time.time() - 5) == ()


def test_hooks_with_process_ids_of_a_container_are_kept() -> None:
    hooks = ({**hook(7, "a"), "at": time.time() - 60}, {**hook(9, "z"), "at": time.time() - 30})
    view = View(meta=SessionMeta(session="lisa-x", agent_session_id="a"), hooks=hooks)
    assert select_own_hooks(view, OWN, time.time() - 3600) == hooks[:1]
