"""agents: what runs beside a turn, by the records of claude (2.1.332, 2.1.197) and codex (0.171.0)."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from lisa_py import agents
from lisa_py.agents.base import Binding, View
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import Helper
from lisa_py.core.status import helper_list
from lisa_py.host.processes import Process

CREATED = 1795902600.0
AGENT = {"description": "sub job", "agentType": "general-purpose"}
SNAPSHOT = "/home/u/.claude/shell-snapshots/snapshot-bash-1.sh"


def stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))


def write_subagent(folder: Path, name: str, at: float, *, stop: str = "", about: dict[str, Any] | None = None) -> None:
    """A subagent that began at a time, with its newest message 20 s later."""
    path = folder / "c" / "subagents" / f"agent-{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = [{"type": "text", "text": "x"}]
    begun = {"type": "user", "isSidechain": True, "timestamp": stamp(at), "message": {"role": "user", "content": "go"}}
    message = {"role": "assistant", "content": content, "stop_reason": stop or None}
    said = {"type": "assistant", "isSidechain": True, "timestamp": stamp(at + 20), "message": message}
    path.write_text(f"{json.dumps(begun)}\n{json.dumps(said)}\n")
    path.with_suffix(".meta.json").write_text(json.dumps(about or AGENT))
    os.utime(path, (at + 20, at + 20))


def list_claude(folder: Path, hooks: tuple[dict[str, Any], ...] = (), shells: tuple[Process, ...] = ()) -> list[Helper]:
    view = View(meta=SessionMeta(session="s", created_unix=CREATED), hooks=hooks, processes=shells)
    return list(agents.get("claude").list_helpers(view, Binding(transcript=str(folder / "c.jsonl"))))


def shell(pid: int, command: str, ppid: int = 1) -> Process:
    argv = ("/bin/bash", "-c", f"source {SNAPSHOT} && eval '{command}' < /dev/null")
    return Process(pid=pid, ppid=ppid, started=1.0, name="bash", state="S", cpu_seconds=0, argv=argv)


def stop_hook(at: float, *tasks: dict[str, Any]) -> dict[str, Any]:
    return {"hook": "Stop", "at": at, "background_tasks": [{"status": "running", **task} for task in tasks]}


def test_subagents_of_claude_end_with_their_turn(tmp_path: Path) -> None:
    write_subagent(tmp_path, "a1", CREATED + 10)
    write_subagent(tmp_path, "a2", CREATED + 10, stop="end_turn")
    write_subagent(tmp_path, "a3", CREATED + 10, about={**AGENT, "finished": True})
    write_subagent(tmp_path, "a4", CREATED - 500)  # of an earlier process
    found = {each.id: each for each in list_claude(tmp_path)}
    assert {name: each.state for name, each in found.items()} == {"a1": "running", "a2": "ended", "a3": "ended"}
    assert (found["a1"].name, found["a1"].started_unix, found["a2"].ended_unix) == (
        "sub job",
        CREATED + 10,
        CREATED + 30,
    )


def test_stop_without_the_subagent_ends_it(tmp_path: Path) -> None:
    write_subagent(tmp_path, "a1", CREATED + 10)
    (early,) = list_claude(tmp_path, (stop_hook(CREATED + 20),))
    (listed,) = list_claude(tmp_path, (stop_hook(CREATED + 40, {"id": "a1", "type": "subagent"}),))
    (dropped,) = list_claude(tmp_path, (stop_hook(CREATED + 40),))
    assert [early.state, listed.state, dropped.state] == ["running", "running", "ended"]


def test_shells_of_open_calls_are_no_helpers(tmp_path: Path) -> None:
    call = {"hook": "PreToolUse", "tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "make 'all'"}}
    in_background = {"command": "npm run dev", "run_in_background": True}
    launch = {"hook": "PreToolUse", "tool_name": "Bash", "tool_use_id": "t2", "tool_input": in_background}
    stop = stop_hook(CREATED, {"id": "b1", "type": "shell", "command": "sleep 20"})
    shells = (shell(11, "sleep 20"), shell(12, "npm run dev"), shell(13, "make '\"'\"'all'\"'\"'"), shell(14, "x", 11))
    found = list_claude(tmp_path, (stop, launch, call), shells)
    assert [(each.pid, each.id, each.name) for each in found] == [(11, "b1", "sleep 20"), (12, "", "npm run dev")]
    ended = {"hook": "PostToolUse", "tool_use_id": "t1"}
    assert [each.pid for each in list_claude(tmp_path, (stop, launch, call, ended), shells)] == [11, 12, 13]


def test_teammates_are_those_of_the_newest_stop(tmp_path: Path) -> None:
    stop = stop_hook(CREATED + 5, {"id": "t", "type": "in_process_teammate", "description": "tester"})
    (found,) = list_claude(tmp_path, (stop,))
    assert (found.kind, found.state, found.id, found.name) == ("teammate", "running", "t", "tester")
    assert list_claude(tmp_path, (stop, stop_hook(CREATED + 9))) == []


@pytest.mark.parametrize(("last", "state"), [("task_started", "running"), ("task_complete", "ended")])
def test_subagents_of_codex_are_found_by_rollouts(tmp_path: Path, last: str, state: str) -> None:
    folder = tmp_path / "sessions" / "2026" / "11" / "28"
    folder.mkdir(parents=True)
    root, child = "01a22432-f4b0-7243-91c8-d95bd691fffe", "01a22432-f6cd-7800-8ae4-4d75eaee78db"

    def write(thread: str, meta: dict[str, Any], *kinds: str) -> str:
        path = folder / f"rollout-2026-11-28T22-07-28-{thread}.jsonl"
        first = {"session_id": root, "id": thread, "cwd": "/p", "originator": "codex-tui", **meta}
        records = [{"type": "session_meta", "payload": first}]
        records += [{"type": "event_msg", "payload": {"type": kind, "turn_id": "t"}} for kind in kinds]
        path.write_text("".join(json.dumps({"timestamp": stamp(CREATED + 3), **each}) + "\n" for each in records))
        return str(path)

    own = write(root, {}, "task_started", "task_complete")
    write(child, {"parent_thread_id": root, "agent_nickname": "Faraday"}, "task_started", last)
    view = View(meta=SessionMeta(session="s", created_unix=CREATED))
    (found,) = agents.get("codex").list_helpers(view, Binding(transcript=own))
    assert (found.kind, found.state, found.id, found.name) == ("subagent", state, child, "Faraday")
    assert found.started_unix == CREATED + 3


def test_running_helpers_are_counted_in_words() -> None:
    def helper(kind: Any, state: Any = "running", at: float = 1.0) -> Helper:
        return Helper(kind=kind, state=state, started_unix=at, ended_unix=at + 5 if state == "ended" else 0.0)

    assert helper_list.describe_running([helper("shell"), helper("subagent", "ended")]) == (
        "1 background shell still runs"
    )
    both = [helper("shell"), helper("subagent"), helper("subagent", at=0.5)]
    assert helper_list.describe_running(both) == "2 subagents and 1 background shell still run"
    assert helper_list.describe_running([helper("subagent", "ended")]) == ""
    ended = [helper("subagent", "ended", at) for at in range(30)]
    shown = helper_list.sort_helpers([*ended, helper("shell", at=40)], 100.0)
    assert (len(shown), shown[0].kind, shown[0].age_seconds, shown[1].age_seconds) == (21, "shell", 60, 5)
    assert shown[1].started_unix == 29
