"""Tools that a session was given: they act on the sessions that it has started, and on no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.core.fleet import subtree
from lisa_py.host.cancellation import Cancellation
from lisa_py.mcp import main
from lisa_py.mcp.call import ToolRun, ToolScope
from lisa_py.mcp.tools import TOOLS
from tests.lisa_host import LisaHost

PARENT = "lisa-parent"


@pytest.fixture(scope="module")
def host() -> Iterator[LisaHost]:
    """Yield a host with a parent, an unrelated session, and a chain of sessions below the parent."""
    made = LisaHost()
    try:
        above = ""
        for name in (PARENT, "lisa-level-2", "lisa-level-3", "lisa-level-4"):
            start(made, name, above)
            above = name
        start(made, "lisa-other")
        yield made
    finally:
        made.close()


def start(host: LisaHost, name: str, parent: str = "") -> None:
    words = ("session", "spawn", "--session", name, "--command", "sleep 600", "--json")
    assert host.lisa(*words, env={"LISA_SESSION_NAME": parent}).code == 0


def call(host: LisaHost, within: str, tool: str, **args: Any) -> Any:
    """Return the answer of a tool, or the error code of its refusal."""
    settings = host.context().settings
    scope: ToolScope = main.build_scope(settings, str(host.project), within)
    found = next(each for each in TOOLS if each.name == tool)
    try:
        answer = found.run(ToolRun(scope, Cancellation(), print), msgspec.convert(args, found.args))
    except LisaError as problem:
        return problem.code
    return msgspec.to_builtins(answer)


def test_lists_and_waits_for_its_own_sessions(host: LisaHost) -> None:
    listed = call(host, PARENT, "session_list")
    assert {row["session"] for row in listed["sessions"]} == {"lisa-level-2", "lisa-level-3", "lisa-level-4"}
    assert call(host, "lisa-other", "session_list")["count"] == 0
    assert call(host, "lisa-other", "session_wait") == "no_sessions"
    assert sorted(call(host, "lisa-level-3", "session_wait", timeout=1)["pending"]) == ["lisa-level-4"]


@pytest.mark.parametrize("tool", ("session_status", "session_read", "session_send", "session_kill"))
@pytest.mark.parametrize("name", ("lisa-other", PARENT, "lisa-none"))
def test_refuses_other_sessions_and_itself(host: LisaHost, tool: str, name: str) -> None:
    more = {"keys": "C-c"} if tool == "session_send" else {}
    assert call(host, PARENT, tool, session=name, **more) == "session_out_of_scope"
    assert call(host, "", "session_list")["count"] == 5


def test_a_spawned_session_is_its_child(host: LisaHost) -> None:
    made = call(host, PARENT, "session_spawn", prompt="[say x]", agent="scripted", name="lisa-own")
    assert made["session"] == "lisa-own"
    ctx = host.context()
    assert "lisa-own" in subtree.list_descendants(ctx, ctx.project(str(host.project)), PARENT)
    assert call(host, PARENT, "session_kill", session="lisa-own")["found"] is True


def test_fourth_level_cannot_spawn(host: LisaHost) -> None:
    ctx = host.context()
    project = ctx.project(str(host.project))
    levels = [subtree.measure_depth(ctx, project, name) for name in (PARENT, "lisa-level-4", "lisa-none")]
    assert levels == [1, 4, 1]
    assert call(host, "lisa-level-4", "session_spawn", prompt="x", agent="scripted") == "nesting_too_deep"
