"""List what runs beside claude's own turn: subagents, background shells, teammates (2.1.332, 2.1.197)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from lisa_py.agents._claude import home, transcript
from lisa_py.agents._claude.reports import SHELL_SNAPSHOT
from lisa_py.agents._claude.session import hook_time, string_field
from lisa_py.agents.base import View
from lisa_py.contract.status import Helper, HelperKind
from lisa_py.host import files, processes
from lisa_py.host.clock import parse_time
from lisa_py.host.processes import Process

TAIL_BYTES = 1 << 16
HEAD_BYTES = 1 << 14
DETAIL_LIMIT = 120
_TIME = re.compile(rb'"timestamp":\s*"([^"]+)"')
_MARKS = re.compile(r"[\s'\"\\]+")
_SHELL_TOOL = "Bash"
_CALL_ENDS = ("PostToolUse", "PostToolUseFailure", "Stop", "StopFailure", "SessionEnd")


def list_helpers(view: View, transcript_path: str) -> tuple[Helper, ...]:
    """Return the subagents of this process, then the shells and teammates that run."""
    stop = next((hook for hook in reversed(view.hooks) if string_field(hook, "hook") == "Stop"), None)
    tasks = list(_read_tasks(stop))
    stopped_at = hook_time(stop) if stop is not None else 0.0
    return (
        *_list_subagents(view, transcript_path, {string_field(task, "id") for task in tasks}, stopped_at),
        *_list_shells(view, tasks),
        *_list_others(tasks, stopped_at),
    )


def _read_tasks(stop: Mapping[str, object] | None) -> Iterator[Mapping[str, object]]:
    """Yield the tasks that ran at the end of the newest turn."""
    found = stop.get("background_tasks") if stop is not None else None
    for task in found if isinstance(found, list) else ():
        if isinstance(task, dict) and task.get("status") in ("running", "pending"):
            yield task


# -- subagents ----------------------------------------------------------------------------------------------------


def _list_subagents(view: View, path: str, listed: set[str], stopped_at: float) -> Iterator[Helper]:
    folder = os.path.join(path.removesuffix(".jsonl"), "subagents")
    for name in sorted(files.list_names(folder)):
        if not name.endswith(".jsonl"):
            continue
        file = os.path.join(folder, name)
        started_at = _read_start(file)
        if started_at < view.meta.created_unix:
            continue  # of an earlier process, whose conversation this one continues
        identity = name.removesuffix(".jsonl").removeprefix("agent-")
        about = home.read_json_object(file.removesuffix(".jsonl") + ".meta.json")
        changed_at = files.modified_at(file)
        is_dropped = stopped_at > changed_at and identity not in listed
        ended = about.get("finished") is True or is_dropped or _has_ended(file)
        yield Helper(
            kind="subagent",
            state="ended" if ended else "running",
            id=identity,
            name=string_field(about, "description") or string_field(about, "agentType"),
            started_unix=started_at,
            ended_unix=changed_at if ended else 0.0,
        )


def _read_start(file: str) -> float:
    stamp = _TIME.search(files.read_from(file, 0, HEAD_BYTES))
    return (parse_time(stamp[1].decode("ascii", "replace")) or 0.0) if stamp else files.modified_at(file)


def _has_ended(file: str) -> bool:
    """Return True if the newest step in the transcript of a subagent is the end of its turn."""
    size = files.size(file)
    lines = files.read_from(file, max(0, size - TAIL_BYTES), TAIL_BYTES).split(b"\n")
    for line in reversed(lines):
        frames = [each for each in transcript.parse_helper_frames(line, 0) if each.kind != "system"]
        if frames:
            return frames[-1].kind == "turn_end"
    return False


# -- shells -------------------------------------------------------------------------------------------------------


def _is_shell(process: Process) -> bool:
    return process.alive and any(SHELL_SNAPSHOT in word for word in process.argv[:4])


def _list_shells(view: View, tasks: Sequence[Mapping[str, object]]) -> Iterator[Helper]:
    """Yield the running shells but those of calls that claude waits for."""
    open_calls, background = _read_calls(view.hooks)
    known = [*(task for task in tasks if task.get("type") == "shell"), *background]
    now = processes.current_time()
    shells = [process for process in view.processes if _is_shell(process)]
    inner = {process.pid for process in shells}
    for process in shells:
        words = _strip(" ".join(process.argv))
        task = next((each for each in known if (mark := _strip(string_field(each, "command"))) and mark in words), None)
        if process.ppid in inner or (task is None and _belongs_to_call(words, open_calls, view)):
            continue
        yield Helper(
            kind="shell",
            state="running",
            id=string_field(task, "id") if task else "",
            name=(string_field(task, "command") or string_field(task, "description"))[:DETAIL_LIMIT] if task else "",
            pid=process.pid,
            started_unix=processes.started_at(process, now),
        )


def _belongs_to_call(words: str, open_calls: Sequence[str], view: View) -> bool:
    """Return True for the shell of an open call; without hooks every shell may be one."""
    return not view.hooks or any(_strip(command) in words for command in open_calls)


def _read_calls(hooks: Sequence[Mapping[str, object]]) -> tuple[list[str], list[Mapping[str, object]]]:
    """Return the commands of open calls of the Bash tool, and the inputs of those in the background."""
    calls: dict[str, str] = {}
    background: list[Mapping[str, object]] = []
    for hook in hooks:
        name, call = string_field(hook, "hook"), string_field(hook, "tool_use_id")
        given = hook.get("tool_input")
        if name == "PreToolUse" and string_field(hook, "tool_name") == _SHELL_TOOL and isinstance(given, dict):
            if given.get("run_in_background") is True:
                background.append(given)
            else:
                calls[call] = string_field(given, "command")
        elif name in _CALL_ENDS:
            calls.pop(call, None)
    return [command for command in calls.values() if command], background


def _strip(text: str) -> str:
    """Return a command without blanks and quotes, which the shell of the tool adds."""
    return _MARKS.sub("", text)


# -- others -------------------------------------------------------------------------------------------------------


def _list_others(tasks: Sequence[Mapping[str, object]], stopped_at: float) -> Iterator[Helper]:
    """Yield the tasks of other kinds at the end of the newest turn."""
    for task in tasks:
        kind = string_field(task, "type")
        if kind not in ("shell", "subagent"):
            word: HelperKind = "teammate" if "teammate" in kind else "task"
            yield Helper(
                kind=word,
                state="running",
                id=string_field(task, "id"),
                name=(string_field(task, "description") or kind)[:DETAIL_LIMIT],
                started_unix=stopped_at,
            )
