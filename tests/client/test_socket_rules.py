"""The rules of a socket that the Python and the TypeScript client keep: sdk/typescript/test/socket-cases.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lisa_py.client import SocketOptions
from lisa_py.client.socket_core import Loss, SocketCore, describe_loss

TABLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "sdk" / "typescript" / "test" / "socket-cases.json").read_text()
)


def make_frame(name: str) -> dict[str, Any]:
    """Return a frame whose time is its name in the table."""
    return {**TABLE["frames"][name], "timestamp": name}


def make_message(entry: str | list[str]) -> str:
    if isinstance(entry, str):
        return json.dumps(make_frame(entry))
    messages = [make_frame(name) for name in entry]
    cursor = messages[-1].get("cursor", "") if messages else ""
    return json.dumps({"type": "history", "payload": {"messages": messages}, "cursor": cursor})


@pytest.mark.parametrize("case", TABLE["reading"], ids=lambda case: case["case"])
def test_each_frame_is_read_once(case: dict[str, Any]) -> None:
    core = SocketCore(SocketOptions())
    delivered = []
    for connection in case["connections"]:
        core.begin()
        for entry in connection:
            if isinstance(entry, dict):
                payload = TABLE["frames"][entry["answered"]]["payload"]
                core.note_answer(payload.get("tool_use_id") or payload["question_id"])
            else:
                delivered += [frame.timestamp for frame in core.read(make_message(entry))]
    assert (delivered, core.cursor) == (case["delivered"], case["cursor"])


@pytest.mark.parametrize("end", TABLE["ends"], ids=lambda end: str(end.get("code") or end["status"]))
def test_ends_of_a_connection(end: dict[str, Any]) -> None:
    loss = Loss(code=end.get("code", 1006), status=end.get("status", 0), reason="why")
    assert (SocketCore(SocketOptions()).choose_delay(loss) is not None) is end["again"]
    problem = describe_loss(loss)
    assert (problem is None) is end.get("quiet", False)
    if "status" in end:
        assert getattr(problem, "status", None) == end["status"]


@pytest.mark.parametrize("case", TABLE["delays"], ids=lambda case: case["case"])
def test_delays_of_attempts(case: dict[str, Any]) -> None:
    options = SocketOptions(reconnect_delay=case["first"], max_reconnect_attempts=case["attempts"])
    core = SocketCore(options, jitter=lambda: case["jitter"])
    assert [core.choose_delay(Loss(seconds=lived)) for lived in case["lives"]] == case["delays"]
