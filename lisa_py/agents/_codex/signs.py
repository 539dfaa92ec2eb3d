"""What codex is doing, by each kind of evidence: terminal title, rollout, hooks, children, screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lisa_py.agents._codex import title as titles
from lisa_py.agents._codex.binding import native
from lisa_py.agents._codex.errors import waits_for
from lisa_py.agents.base import Binding, TurnEdge, View
from lisa_py.contract.frames import Frame
from lisa_py.contract.status import AgentReport, AgentState

QUESTION_TOOL = "request_user_input"
LAG_SECONDS = 0.25
"""For so long the title may show what was before a record on disk (measured: 10 to 50 ms)."""
DIALOG_LAG_SECONDS = 1.5
"""codex keeps an approval back until a second after the last key, and the title with it."""
FRESH_SECONDS = 5.0


def reports(view: View, binding: Binding) -> list[AgentReport]:
    """Every kind of evidence, as far as it is not behind another."""
    written = _transcript(view.frames)
    if written is not None and written.at < view.meta.created_unix:
        written = None  # a resumed conversation: what it was left in says nothing of this process
    hooked = _hook(view, binding)
    seen = _seen(view, written) if view.screen else None
    if view.meta.mode == "exec":  # no title, no dialogs
        return [report for report in (written, hooked, _process(view, written), seen) if report is not None]
    titled = _title(view, written, hooked)
    if seen is not None and seen.state == "waiting":
        # what covers the input box is up, whatever else was true a moment ago
        agreeing = (titled, hooked, written)
        return [*(report for report in agreeing if report is not None and report.state == "waiting"), seen]
    found = (titled, written, hooked, _process(view, written), seen)
    return [report for report in found if report is not None]


def _seen(view: View, written: AgentReport | None) -> AgentReport | None:
    from lisa_py.agents._codex import screen  # noqa: PLC0415 - patterns that most looks do without

    if view.meta.mode == "exec":  # the screen is the run's output
        return screen.retry(view.screen) if written is not None and written.state == "thinking" else None
    return screen.read(view.screen, fresh=view.now - view.meta.created_unix < FRESH_SECONDS)


def needs_screen(found: Sequence[AgentReport]) -> bool:
    """Without title and rollout only the screen tells; only it tells a retry from thinking, or a menu from rest.

    A menu over the input box is looked for where the rollout was read as well: by whoever looks closely.
    """
    sources = {report.source for report in found}
    if any(report.state == "thinking" and report.source in ("title", "transcript") for report in found):
        return True
    if any(report.state == "idle" and report.source == "title" for report in found):
        return "transcript" in sources
    known = any(report.source == "transcript" and _busy(report) for report in found)
    return not known and not sources & {"title", "hook"}


def _busy(report: AgentReport) -> bool:
    return report.state in ("thinking", "tool", "streaming", "retrying")


def _title(view: View, written: AgentReport | None, hooked: AgentReport | None) -> AgentReport | None:
    if view.processes and native(view.processes) is None:
        return None  # left behind by a codex that is gone
    activity = titles.read(view).activity
    if activity == "asking":
        return _asking(written, hooked)
    if activity == "busy":
        if _behind(written, view.now, busy=True) or _behind(hooked, view.now, busy=True):
            return None
        if written is not None and _busy(written):
            return AgentReport(source="title", state=written.state, detail=written.detail)
        return AgentReport(source="title", state="thinking")
    if activity == "idle" and not _behind(written, view.now, busy=False):
        return AgentReport(source="title", state="idle")  # what for, a failed turn's record knows better
    return None


def _asking(written: AgentReport | None, hooked: AgentReport | None) -> AgentReport:
    if written is not None and written.waiting_for == "question":
        return AgentReport(source="title", state="waiting", waiting_for="question", detail=written.detail)
    detail = hooked.detail if hooked is not None and hooked.state == "waiting" else ""
    return AgentReport(
        source="title",
        state="waiting",
        waiting_for="permission",
        detail=detail or (written.detail if written is not None and written.state == "tool" else ""),
    )


def _behind(report: AgentReport | None, now: float, *, busy: bool) -> bool:
    """Whether a record just made says the opposite of the title, which follows within a few frames."""
    if report is None or not report.at:
        return False
    lag = DIALOG_LAG_SECONDS if report.waiting_for in ("permission", "question") else LAG_SECONDS
    return 0 <= now - report.at < lag and _busy(report) != busy


def _transcript(frames: Sequence[Frame]) -> AgentReport | None:
    """Where the newest turn stands."""
    start = next((row for row in range(len(frames) - 1, -1, -1) if frames[row].kind == "turn_start"), 0)
    turn = frames[start:]
    if not turn:
        return None
    ended = next((frame for frame in reversed(turn) if frame.kind == "turn_end"), None)
    return _ended(ended) if ended is not None else _running(turn)


def _ended(frame: Frame) -> AgentReport:
    if frame.reason == "failed":
        return AgentReport(
            source="transcript",
            state="error",
            waiting_for=waits_for(frame.error),
            error=frame.error,
            at=frame.at,
            detail=frame.text[:200],
        )
    state: AgentState = "interrupted" if frame.reason == "interrupted" else "idle"
    return AgentReport(source="transcript", state=state, waiting_for="prompt", at=frame.at)


def _running(turn: Sequence[Frame]) -> AgentReport:
    done = {frame.tool_id for frame in turn if frame.kind == "tool_result"}
    pending = [frame for frame in turn if frame.kind == "tool_use" and frame.tool_id not in done]
    if not pending:
        return AgentReport(source="transcript", state="thinking", at=max(frame.at for frame in turn))
    call = pending[-1]
    asks = call.tool == QUESTION_TOOL
    return AgentReport(
        source="transcript",
        state="waiting" if asks else "tool",
        waiting_for="question" if asks else "",
        at=call.at,
        detail=call.text[:200] or call.tool,
    )


def _hook(view: View, binding: Binding) -> AgentReport | None:
    """The newest event, unless the rollout has gone on since."""
    entry = next((entry for entry in reversed(view.hooks) if _mine(entry, binding)), None)
    at = entry.get("at") if entry is not None else None
    if entry is None or not isinstance(at, (int, float)):
        return None
    if any(frame.at > at for frame in view.frames[-8:]):
        return None
    match entry.get("hook"):
        case "UserPromptSubmit" | "PostToolUse":
            return AgentReport(source="hook", state="thinking", at=at)
        case "PreToolUse" if entry.get("tool_name") != QUESTION_TOOL:
            return AgentReport(source="hook", state="tool", at=at, detail=_detail(entry))
        case "PreToolUse":
            return AgentReport(source="hook", state="waiting", waiting_for="question", at=at)
        case "PermissionRequest":
            return AgentReport(source="hook", state="waiting", waiting_for="permission", at=at, detail=_detail(entry))
        case "Stop":
            return AgentReport(source="hook", state="idle", waiting_for="prompt", at=at)
    return None


def turn_edge(entry: Mapping[str, object]) -> TurnEdge:
    match entry.get("hook"):
        case "UserPromptSubmit":
            return "prompt"
        case "Stop":
            return "end"
    return ""


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
    if not sandboxed and (not children or written is None or written.state != "tool"):
        return None  # servers of tools are children all the time
    below = {agent.pid}
    names = []
    for process in view.processes:
        if process.ppid in below:
            below.add(process.pid)
            names.append(process.name)
    return AgentReport(source="process", state="tool", detail=names[-1] if names else "")
