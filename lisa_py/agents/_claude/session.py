"""Identify process and conversation of a pane: claude's live session files, its hooks, and its task lists."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from lisa_py.agents._claude import home
from lisa_py.agents.base import Binding, View, find_hook_process, hooks_transcript, read_agent_environment
from lisa_py.contract.frames import Todo
from lisa_py.host import files
from lisa_py.host.processes import LINUX, SHELLS, Process

CLOCK_SLACK_SECONDS = 5.0
BINARIES = ("claude", "claude.exe")


class ClaudeSessionFile(Struct, frozen=True):
    """`sessions/<pid>.json`, written by a process that is still alive."""

    pid: int
    session_id: str
    cwd: str
    status: str
    waiting_for: str
    changed_at: float
    """Unix seconds of the last status change."""

    @property
    def is_idle(self) -> bool:
        """True if it accepts a prompt now: `shell` is idle with a background command."""
        return self.status in ("idle", "shell")


def is_agent(process: Process) -> bool:
    """Return True for claude itself: its binary, or node with claude's script."""
    if not process.argv:
        return process.name in BINARIES
    words = process.argv
    if os.path.basename(words[0]) in BINARIES:
        return True
    script = words[1] if len(words) > 1 else ""
    runs_script = os.path.basename(words[0]) in ("node", "bun")
    return runs_script and (os.path.basename(script) == "claude" or script.endswith("claude-code/cli.js"))


def session_config_folder(view: View) -> str:
    """Return the configuration folder of the agent in the pane, as the agent itself uses it."""
    read_session_file(view)
    found: str = view.cache["config_folder"]
    return found


def _config_folders(view: View, process: Process | None) -> Iterator[str]:
    """Yield where the files of a process may be, best evidence first: its hooks, its environment, the records."""
    above, name = os.path.split(os.path.dirname(os.path.dirname(hooks_transcript(view))))
    if name == "projects":
        yield above
    environ = read_agent_environment(view, process) if process else {}
    if environ:
        yield os.path.join(view.meta.working_folder, home.config_folder(environ))
    yield view.meta.agent_home or home.config_folder(view.environ)


def find_process(view: View) -> Process | None:
    """Return claude itself: the process of the live session file, else the caller of the hooks, else by its name."""
    live = read_session_file(view)
    if live is not None:
        return next(process for process in view.processes if process.pid == live.pid)
    return _find_unlisted_process(view)


def _find_unlisted_process(view: View) -> Process | None:
    named = (process for process in view.processes if process.alive and is_agent(process))
    return find_hook_process(view) or next(named, None)


def read_session_file(view: View) -> ClaudeSessionFile | None:
    """Return the live session file of the agent in the pane, the outermost first; None if there is none yet.

    Read once per view: everything read later is then at least as new, as the idle check requires.
    """
    if "live" not in view.cache:
        view.cache["live"] = _find_session_file(view)
    found: ClaudeSessionFile | None = view.cache["live"]
    return found


def _find_session_file(view: View) -> ClaudeSessionFile | None:
    """Find the session file of any process of the pane, whatever its program is called."""
    for process in view.processes:
        if not process.alive or _is_shell(process):
            continue
        for folder in dict.fromkeys(_config_folders(view, process)):
            found = _parse_session_file(os.path.join(folder, "sessions", f"{process.pid}.json"), process)
            if found is not None:
                view.cache["config_folder"] = folder
                return found
    view.cache["config_folder"] = next(_config_folders(view, _find_unlisted_process(view)))
    return None


def _is_shell(process: Process) -> bool:
    return os.path.basename(process.argv[0] if process.argv else process.name).lstrip("-") in SHELLS


def _parse_session_file(path: str, process: Process) -> ClaudeSessionFile | None:
    record = home.read_json_object(path) or home.read_json_object(
        path
    )  # written in place: read a partial file once more
    session_id = record.get("sessionId")
    if not isinstance(session_id, str) or record.get("pid") != process.pid:
        return None
    if _is_stale(record, process):
        return None
    return ClaudeSessionFile(
        pid=process.pid,
        session_id=session_id,
        cwd=string_field(record, "cwd"),
        status=string_field(record, "status"),
        waiting_for=string_field(record, "waitingFor"),
        changed_at=_seconds_from_milliseconds(record.get("statusUpdatedAt")),
    )


def _is_stale(record: Mapping[str, Any], process: Process) -> bool:
    """Return True if the file belongs to a killed process whose id was reused."""
    started = record.get("procStart")
    if not LINUX:
        return 0 < _seconds_from_milliseconds(record.get("startedAt")) < process.started - CLOCK_SLACK_SECONDS
    return isinstance(started, str) and started.isdigit() and int(started) != int(process.started)


def has_only_started(view: View) -> bool:
    """Return True if claude has only started: no input shows in its hooks or its transcript."""
    return not view.frames and all(
        string_field(hook, "hook") == "SessionStart" and string_field(hook, "source") != "clear" for hook in view.hooks
    )


def bind(view: View) -> Binding:
    """Return process and conversation: live file > newest hook > the id given at spawn."""
    process = find_process(view)
    pid = process.pid if process else 0
    found = read_session_file(view)
    from_hook = _newest_hook_conversation(view, found.session_id if found else "")
    if found is not None:
        path = from_hook[1] or home.transcript_path(session_config_folder(view), found.cwd, found.session_id)
        return Binding(session_id=found.session_id, transcript=path, pid=found.pid, source="agent_file")
    if from_hook[0]:
        path = from_hook[1] or home.transcript_path(session_config_folder(view), view.meta.working_folder, from_hook[0])
        return Binding(session_id=from_hook[0], transcript=path, pid=pid, source="hook")
    given = view.meta.agent_session_id
    if given:
        path = home.transcript_path(session_config_folder(view), view.meta.working_folder, given)
        return Binding(session_id=given, transcript=path, pid=pid, source="spawn")
    return Binding(pid=pid)


def _newest_hook_conversation(view: View, session_id: str) -> tuple[str, str]:
    """Return (session id, transcript path) of the newest hook, or of the newest one of this conversation."""
    for hook in reversed(view.hooks):
        named = string_field(hook, "session_id")
        if named and (not session_id or named == session_id):
            return named, string_field(hook, "transcript_path")
    return "", ""


def todos(view: View, binding: Binding) -> tuple[Todo, ...]:
    """Return the task list of the session: from its task files, or from the transcript."""
    folder = os.path.join(session_config_folder(view), "tasks", binding.session_id)
    numbers = [name[:-5] for name in files.list_names(folder) if name.endswith(".json")] if binding.session_id else []
    tasks = [
        home.read_json_object(os.path.join(folder, f"{number}.json")) for number in sorted(numbers, key=_numeric_key)
    ]
    listed = tuple(
        Todo(string_field(task, "subject"), status)
        for task in tasks
        if (status := task.get("status")) in ("pending", "in_progress", "completed")
    )
    return listed or next((frame.todos for frame in reversed(view.frames) if frame.todos), ())


def _numeric_key(name: str) -> tuple[int, str]:
    return (int(name) if name.isdigit() else 0, name)


def string_field(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _seconds_from_milliseconds(milliseconds: Any) -> float:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else 0.0


def is_foreign(hook: Mapping[str, object], binding: Binding) -> bool:
    """Return True for a hook of another conversation than the one of the agent's live session file.

    A session that claude's agents view starts runs its hooks with the settings of this one.
    """
    named = string_field(hook, "session_id")
    return bool(named and binding.source == "agent_file" and named != binding.session_id)


def hook_time(hook: Mapping[str, object]) -> float:
    at = hook.get("at")
    return float(at) if isinstance(at, int | float) else 0.0
