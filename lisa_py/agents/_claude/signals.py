"""What claude's own evidence says: its live session file, hooks, transcript, processes, title and screen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from lisa_py.agents._claude import home, screen
from lisa_py.agents._claude.transcript import error_kind
from lisa_py.agents.base import Binding, View
from lisa_py.contract.frames import Frame, Todo
from lisa_py.contract.status import AgentReport, WaitingFor
from lisa_py.host import files
from lisa_py.host.processes import LINUX, Process

BINARIES = ("claude", "claude.exe")
WAITS: Mapping[str, WaitingFor] = {
    "permission prompt": "permission",
    "sandbox request": "permission",
    "worker request": "permission",
    "input needed": "question",
    "goal proposal": "question",
    "dialog open": "dialog",
}
_ASKING_TOOLS: Mapping[str, WaitingFor] = {"AskUserQuestion": "question"}
_ENDS = ("Stop", "StopFailure", "SessionStart", "SessionEnd")
_MIDDLES = ("UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "PermissionRequest")
BEGIN_SECONDS = 2.0
SETTLE_SECONDS = 1.0
"""The hook of a turn's end may be written a little after the session file."""
_BUSY_TITLES = ("⠂", "⠐")


class Live(Struct, frozen=True):
    """`sessions/<pid>.json` of a process that is alive and the one that wrote it."""

    pid: int
    session_id: str
    cwd: str
    status: str
    waiting_for: str
    changed_at: float
    """Unix seconds since the status is what it is."""


def is_agent(process: Process) -> bool:
    """claude itself: its binary, or node with claude's script."""
    if not process.argv:
        return process.name in BINARIES
    words = process.argv
    if os.path.basename(words[0]) in BINARIES:
        return True
    script = words[1] if len(words) > 1 else ""
    runs_script = os.path.basename(words[0]) in ("node", "bun")
    return runs_script and (os.path.basename(script) == "claude" or script.endswith("claude-code/cli.js"))


def config_folder(view: View) -> str:
    return view.meta.agent_home or home.folder(view.environ)


def live(view: View) -> Live | None:
    """The live session file of the pane's agent, the outermost first; None when there is none (yet)."""
    folder = os.path.join(config_folder(view), "sessions")
    for process in view.processes:
        if is_agent(process) and process.alive:
            found = _read_live(os.path.join(folder, f"{process.pid}.json"), process)
            if found is not None:
                return found
    return None


def _read_live(path: str, process: Process) -> Live | None:
    record = home.read_object(path)
    session_id = record.get("sessionId")
    if not isinstance(session_id, str) or record.get("pid") != process.pid:
        return None
    started = record.get("procStart")
    if LINUX and isinstance(started, str) and started.isdigit() and int(started) != int(process.started):
        return None  # left behind by a process that was killed; the id is in use again
    return Live(
        pid=process.pid,
        session_id=session_id,
        cwd=_word(record, "cwd"),
        status=_word(record, "status"),
        waiting_for=_word(record, "waitingFor"),
        changed_at=_seconds(record.get("statusUpdatedAt")),
    )


def bind(view: View) -> Binding:
    """Which process and conversation: live file > newest hook > the id given at spawn."""
    process = next((process for process in view.processes if is_agent(process) and process.alive), None)
    pid = process.pid if process else 0
    found = live(view)
    hooked = _hooked(view, found.session_id if found else "")
    if found is not None:
        path = hooked[1] or home.transcript(config_folder(view), found.cwd, found.session_id)
        return Binding(session_id=found.session_id, transcript=path, pid=found.pid, how="agent_file")
    if hooked[0]:
        path = hooked[1] or home.transcript(config_folder(view), view.meta.project_root, hooked[0])
        return Binding(session_id=hooked[0], transcript=path, pid=pid, how="hook")
    given = view.meta.agent_session_id
    if given:
        path = home.transcript(config_folder(view), view.meta.project_root, given)
        return Binding(session_id=given, transcript=path, pid=pid, how="spawn")
    return Binding(pid=pid)


def _hooked(view: View, session_id: str) -> tuple[str, str]:
    """(session id, transcript path) of the newest hook, or of the newest one of this conversation."""
    for hook in reversed(view.hooks):
        named = _word(hook, "session_id")
        if named and (not session_id or named == session_id):
            return named, _word(hook, "transcript_path")
    return "", ""


def reports(view: View, binding: Binding) -> list[AgentReport]:
    """Everything that speaks, in any order."""
    found = live(view)
    made = [
        _file_report(view, found),
        _hook_report(view, found),
        _frames_report(view.frames),
        _tool_process(view, found),
        _title_report(view.title),
        screen.read(view.screen) if view.screen else None,
        _unanswered(view, found),
    ]
    return [report for report in made if report is not None]


def todos(view: View, binding: Binding) -> tuple[Todo, ...]:
    """The session's task list: task by task in files of its own, or as the transcript last had it whole."""
    folder = os.path.join(config_folder(view), "tasks", binding.session_id)
    numbers = [name[:-5] for name in files.names(folder) if name.endswith(".json")] if binding.session_id else []
    tasks = [home.read_object(os.path.join(folder, f"{number}.json")) for number in sorted(numbers, key=_counted)]
    listed = tuple(
        Todo(_word(task, "subject"), status)
        for task in tasks
        if (status := task.get("status")) in ("pending", "in_progress", "completed")
    )
    return listed or next((frame.todos for frame in reversed(view.frames) if frame.todos), ())


def _counted(name: str) -> tuple[int, str]:
    return (int(name) if name.isdigit() else 0, name)


def watch_paths(view: View, binding: Binding) -> tuple[str, ...]:
    """The live session file and the transcript."""
    live_file = os.path.join(config_folder(view), "sessions", f"{binding.pid}.json") if binding.pid else ""
    return tuple(path for path in (live_file, binding.transcript) if path)


def needs_screen(made: Sequence[AgentReport]) -> bool:
    """Only the screen tells a start-up dialog, which dialog is open, and a retry from a long thought."""
    own = [report for report in made if report.source == "agent_file"]
    if not own:
        return True
    if own[0].state == "waiting":
        return own[0].waiting_for == "dialog"
    tool = any(report.state == "tool" for report in made)
    return own[0].state == "thinking" and not tool


def _file_report(view: View, found: Live | None) -> AgentReport | None:
    if found is None:
        return None
    if found.status == "idle":
        if _about_to_begin(view, found):
            return AgentReport(source="agent_file", state="starting", detail="prompt not taken yet")
        return AgentReport(source="agent_file", state="idle", at=found.changed_at)
    if found.status == "waiting":
        return _waits(view, found)
    if found.status in ("busy", "shell"):
        return AgentReport(source="agent_file", state="thinking")
    return None


def _waits(view: View, found: Live) -> AgentReport:
    """What for: in the file's words, or the hook's, which older versions are behind in the file."""
    kind, detail = WAITS.get(found.waiting_for, "dialog"), found.waiting_for
    asked = _newest_hook(view)
    if asked is not None and asked.state == "waiting" and (kind == "permission" or not found.waiting_for):
        kind, detail = asked.waiting_for, asked.detail
    return AgentReport(source="agent_file", state="waiting", waiting_for=kind, detail=detail)


def _about_to_begin(view: View, found: Live) -> bool:
    """Started with a prompt, claude is at rest for a moment before it takes it."""
    if not view.meta.prompt or view.now - found.changed_at > BEGIN_SECONDS:
        return False
    return bool(view.hooks) and all(_word(hook, "hook") == "SessionStart" for hook in view.hooks)


def _hook_report(view: View, found: Live | None) -> AgentReport | None:
    """The newest hook that says something about the state, unless the session file knows of a later change."""
    said = _newest_hook(view)
    if said is None or found is None or found.changed_at <= said.at:
        return said
    if found.status == "idle" and said.state in ("thinking", "tool", "waiting"):
        return None  # interrupted, which fires no hook
    if found.status == "busy" and said.state == "waiting":
        return AgentReport(source="hook", state="tool", at=found.changed_at, detail=said.detail)
    return said


def _newest_hook(view: View) -> AgentReport | None:
    for hook in reversed(view.hooks):
        said = _hook_state(hook)
        if said is not None:
            return said
    return None


def _hook_state(hook: Mapping[str, object]) -> AgentReport | None:
    name, at = _word(hook, "hook"), _seconds_of(hook)
    tool = _word(hook, "tool_name")
    match name:
        case "UserPromptSubmit" | "PostToolUse" | "PostToolUseFailure":
            return AgentReport(source="hook", state="thinking", at=at)
        case "PreToolUse":
            return AgentReport(source="hook", state="tool", at=at, detail=tool)
        case "PermissionRequest":
            kind = _ASKING_TOOLS.get(tool, "permission")
            return AgentReport(source="hook", state="waiting", waiting_for=kind, at=at, detail=tool)
        case "Notification":
            return _notification(hook, at)
        case "Stop":
            return AgentReport(source="hook", state="idle", at=at)
        case "StopFailure":
            text = _word(hook, "last_assistant_message")
            kind_of = error_kind(_word(hook, "error"), None, text)
            return AgentReport(source="hook", state="error", error=kind_of, at=at, detail=text[:160])
        case "SessionStart":
            return _session_start(hook, at)
        case "SessionEnd" if _word(hook, "reason") not in ("clear", "resume"):
            return AgentReport(source="hook", state="exited", at=at, detail=_word(hook, "reason"))
    return None


def _session_start(hook: Mapping[str, object], at: float) -> AgentReport | None:
    source = _word(hook, "source")
    if source == "compact":
        return None  # in the middle of a turn
    return AgentReport(source="hook", state="starting" if source == "startup" else "idle", at=at, detail=source)


def _notification(hook: Mapping[str, object], at: float) -> AgentReport | None:
    kind, text = _word(hook, "notification_type"), _word(hook, "message")
    if kind in ("permission_prompt", "worker_permission_prompt"):
        return None  # the PermissionRequest before it said so, and what for
    if kind == "idle_prompt":
        return AgentReport(source="hook", state="idle", at=at)
    if kind in ("elicitation_dialog", "elicitation_url_dialog", "agent_needs_input"):
        return AgentReport(source="hook", state="waiting", waiting_for="question", at=at, detail=text[:120])
    return None


def _unanswered(view: View, found: Live | None) -> AgentReport | None:
    """An interrupted turn fires no hook: at rest for a moment already, after a prompt whose turn has no end."""
    if found is None or found.status != "idle" or view.now - found.changed_at < SETTLE_SECONDS:
        return None
    for hook in reversed(view.hooks):
        name, at = _word(hook, "hook"), _seconds_of(hook)
        if hook.get("agent_id"):
            continue  # a helper in the background, whose work is no turn
        if name in _ENDS or any(frame.kind == "turn_end" and frame.at >= at for frame in view.frames):
            return None
        if name in _MIDDLES:
            if found.changed_at <= at:
                return None
            return AgentReport(source="hook", state="interrupted", at=found.changed_at, detail="no end of the turn")
    return None


def _frames_report(frames: Sequence[Frame]) -> AgentReport | None:
    """What the transcript's tail says; a pending permission looks like a running tool there."""
    open_tools: dict[str, Frame] = {}
    said: AgentReport | None = None
    for frame in frames:
        if frame.kind == "turn_start":
            open_tools.clear()
            said = AgentReport(source="transcript", state="thinking", at=frame.at)
        elif frame.kind == "tool_use":
            open_tools[frame.tool_id] = frame
            said = AgentReport(source="transcript", state="tool", at=frame.at, detail=frame.tool)
        elif frame.kind == "tool_result":
            open_tools.pop(frame.tool_id, None)
            if not open_tools:
                said = AgentReport(source="transcript", state="thinking", at=frame.at)
        elif frame.kind == "error":
            said = AgentReport(source="transcript", state="retrying", error=frame.error, at=frame.at, detail=frame.text)
        elif frame.kind in ("assistant", "thinking") and not open_tools:
            said = AgentReport(source="transcript", state="thinking", at=frame.at)
        elif frame.kind == "turn_end":
            open_tools.clear()
            said = _turn_end(frame)
    return said


def _turn_end(frame: Frame) -> AgentReport:
    if frame.reason == "failed":
        return AgentReport(source="transcript", state="error", error=frame.error, at=frame.at, detail=frame.text[:160])
    state: Any = "interrupted" if frame.reason == "interrupted" else "idle"
    return AgentReport(source="transcript", state=state, at=frame.at)


def _tool_process(view: View, found: Live | None) -> AgentReport | None:
    """A shell that claude started for its Bash tool; a background one does not make an idle agent busy."""
    if found is not None and found.status != "busy":
        return None
    for process in view.processes:
        if process.alive and any("shell-snapshots/snapshot-" in word for word in process.argv[:4]):
            return AgentReport(source="process", state="tool", detail="Bash")
    return None


def _title_report(title: str) -> AgentReport | None:
    """Older versions turn a glyph in the title while busy; at rest the title says nothing."""
    if title.startswith(_BUSY_TITLES):
        return AgentReport(source="title", state="thinking")
    return None


def _word(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _seconds(milliseconds: Any) -> float:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else 0.0


def _seconds_of(hook: Mapping[str, object]) -> float:
    at = hook.get("at")
    return float(at) if isinstance(at, int | float) else 0.0
