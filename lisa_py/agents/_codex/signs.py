"""What codex is doing, by each kind of evidence: terminal title, rollout, hooks, children, screen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from lisa_py.agents._codex import screen
from lisa_py.agents._codex.binding import is_agent, native
from lisa_py.agents.base import Binding, View
from lisa_py.contract.frames import Frame
from lisa_py.contract.status import AgentReport, WaitingFor

SPINNER = frozenset("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
_ASKING = ("[ ! ] Action Required", "[ . ] Action Required")
QUESTION_TOOL = "request_user_input"
LAG_SECONDS = 0.5
"""For so long the title may show what was before a record on disk."""


def reports(view: View, binding: Binding) -> list[AgentReport]:
    """Every kind of evidence, most exact first."""
    written = _transcript(view.frames)
    hooked = _hook(view, binding)
    seen = screen.read(view.screen) if view.screen else None
    found = [_title(view, written, hooked), written, hooked, _process(view, written), seen]
    return [report for report in found if report is not None]


def needs_screen(found: Sequence[AgentReport]) -> bool:
    """Without title and rollout only the screen tells; and only it tells a retry from thinking."""
    sources = {report.source for report in found}
    if "title" not in sources and "transcript" not in sources:
        return True
    return any(report.source in ("title", "transcript") and report.state == "thinking" for report in found)


def _title(view: View, written: AgentReport | None, hooked: AgentReport | None) -> AgentReport | None:
    title = view.title
    if title.startswith(_ASKING):
        question = written is not None and written.waiting_for == "question"
        detail = (hooked.detail if hooked else "") or (written.detail if written else "")
        return AgentReport(
            source="title", state="waiting", waiting_for="question" if question else "permission", detail=detail
        )
    if title[:1] in SPINNER and title[1:2] in (" ", ""):
        if _behind(written, view.now, busy=True) or _behind(hooked, view.now, busy=True):
            return None
        if written is not None and written.state in ("tool", "thinking"):
            return AgentReport(source="title", state=written.state, detail=written.detail)
        return AgentReport(source="title", state="thinking")
    if _own(title, view):
        if _behind(written, view.now, busy=False):
            return None
        return AgentReport(source="title", state="idle", waiting_for="prompt")
    return None


def _own(title: str, view: View) -> bool:
    """Whether the title is codex's: it ends in the name of the folder codex runs in."""
    name = os.path.basename(view.meta.project_root.rstrip("/"))
    return bool(name) and (title == name or title.endswith("| " + name))


def _behind(report: AgentReport | None, now: float, *, busy: bool) -> bool:
    """Whether a record just made says the opposite of the title, which follows within a few frames."""
    if report is None or not report.at or not 0 <= now - report.at < LAG_SECONDS:
        return False
    return (report.state in ("thinking", "tool")) != busy


def _transcript(frames: Sequence[Frame]) -> AgentReport | None:
    """Where the newest turn stands."""
    turn: list[Frame] = []
    for frame in frames:
        if frame.kind == "turn_start":
            turn = []
        turn.append(frame)
    if not turn:
        return None
    for frame in reversed(turn):
        if frame.kind == "turn_end":
            return _ended(frame)
    return _running(turn)


def _ended(frame: Frame) -> AgentReport:
    if frame.reason == "failed":
        limit: WaitingFor = "limit" if frame.error == "usage_limit" else "error"
        return AgentReport(
            source="transcript",
            state="error",
            waiting_for=limit,
            error=frame.error,
            at=frame.at,
            detail=frame.text[:200],
        )
    state = "interrupted" if frame.reason == "interrupted" else "idle"
    return AgentReport(source="transcript", state=state, waiting_for="prompt", at=frame.at)  # type: ignore[arg-type]


def _running(turn: Sequence[Frame]) -> AgentReport:
    done = {frame.tool_id for frame in turn if frame.kind == "tool_result"}
    pending = [frame for frame in turn if frame.kind == "tool_use" and frame.tool_id not in done]
    at = max(frame.at for frame in turn)
    if not pending:
        return AgentReport(source="transcript", state="thinking", at=at)
    call = pending[-1]
    if call.tool == QUESTION_TOOL:
        return AgentReport(
            source="transcript", state="waiting", waiting_for="question", at=call.at, detail=call.text[:200]
        )
    return AgentReport(source="transcript", state="tool", at=call.at, detail=call.text[:200] or call.tool)


def _hook(view: View, binding: Binding) -> AgentReport | None:
    """The newest event, unless the rollout has gone on since."""
    entry = next((entry for entry in reversed(view.hooks) if _mine(entry, binding)), None)
    if entry is None:
        return None
    at = entry.get("at")
    made = float(at) if isinstance(at, (int, float)) else 0.0
    if any(frame.at > made for frame in view.frames[-20:]):
        return None
    detail = _detail(entry)
    match entry.get("hook"):
        case "UserPromptSubmit" | "PostToolUse":
            return AgentReport(source="hook", state="thinking", at=made)
        case "PreToolUse":
            return AgentReport(source="hook", state="tool", at=made, detail=detail)
        case "PermissionRequest":
            return AgentReport(source="hook", state="waiting", waiting_for="permission", at=made, detail=detail)
        case "Stop":
            return AgentReport(source="hook", state="idle", waiting_for="prompt", at=made)
    return None


def _mine(entry: Mapping[str, object], binding: Binding) -> bool:
    name = entry.get("session_id")
    return not binding.session_id or not name or name == binding.session_id


def _detail(entry: Mapping[str, object]) -> str:
    given = entry.get("tool_input")
    command = given.get("command") if isinstance(given, dict) else None
    return str(command)[:200] if command else str(entry.get("tool_name") or "")


def _process(view: View, written: AgentReport | None) -> AgentReport | None:
    """A sandboxed child is a tool for sure; another child only while the rollout has an open call."""
    agent = native(view.processes)
    if agent is None:
        return None
    children = [child for child in view.processes if child.ppid == agent.pid and child.alive]
    sandboxed = any("codex-linux-sandbox" in (child.argv[0] if child.argv else child.name) for child in children)
    called = bool(children) and written is not None and written.state == "tool"
    if sandboxed or called:
        return AgentReport(source="process", state="tool", detail=_command(view, agent.pid))
    if written is None and not view.title and not view.screen and not is_agent(view.processes[-1]):
        return None
    return None


def _command(view: View, agent: int) -> str:
    """The name of the deepest program below codex."""
    below = {agent}
    last = ""
    for process in view.processes:
        if process.ppid in below and process.pid != agent:
            below.add(process.pid)
            last = process.name
    return last
