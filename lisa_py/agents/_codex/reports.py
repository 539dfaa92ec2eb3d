"""Reports from codex's own evidence: terminal title, rollout, hooks, child processes, screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from lisa_py.agents._codex import title
from lisa_py.agents._codex.errors import error_waiting_for
from lisa_py.agents._codex.session import find_process
from lisa_py.agents.base import Binding, TurnEdge, View
from lisa_py.contract.frames import Frame
from lisa_py.contract.status import AgentReport, AgentState

QUESTION_TOOL = "request_user_input"
TITLE_LAG_SECONDS = 0.25
"""Seconds in which the title may lag behind a record on disk (measured: 10 to 50 ms)."""
DIALOG_LAG_SECONDS = 1.5
"""codex delays an approval until a second after the last key, and the title with it."""
JUST_STARTED_SECONDS = 5.0
LIMIT_DIALOG = "Approaching rate limits"
"""Heading of a dialog that may also come before a limit is reached."""
PAINT_SECONDS = 1.0
"""Age from which a recorded end of the turn is not the gap before a queued prompt."""


def collect_reports(view: View, binding: Binding) -> list[AgentReport]:
    """Return every report, unless it lags behind another."""
    transcript_report = _transcript_report(view.frames)
    if transcript_report is not None and transcript_report.at < view.meta.created_unix:
        transcript_report = None  # a resumed conversation: its old state is not that of this process
    hook_report = _hook_report(view, binding)
    screen_report = _screen_report(view, transcript_report) if view.screen else None
    if view.meta.mode == "exec":  # no title, no dialogs
        return [
            report
            for report in (transcript_report, hook_report, _process_report(view, transcript_report), screen_report)
            if report is not None
        ]
    title_report = _title_report(view, transcript_report, hook_report)
    ended = transcript_report or hook_report
    if title_report is not None and _is_busy(title_report) and _is_painting(ended, screen_report, view.now):
        title_report = None
    if screen_report is not None and transcript_report is not None and _is_at_limit(screen_report, transcript_report):
        screen_report = structs.replace(transcript_report, source="screen", state="waiting")
    if screen_report is not None and screen_report.state == "waiting":
        # a dialog over the input box decides, whatever was true before
        agreeing = (title_report, hook_report, transcript_report)
        return [*(report for report in agreeing if report is not None and report.state == "waiting"), screen_report]
    found = (title_report, transcript_report, hook_report, _process_report(view, transcript_report), screen_report)
    return [report for report in found if report is not None]


def _is_at_limit(screen_report: AgentReport, transcript_report: AgentReport) -> bool:
    """Return True for the dialog that offers another model once a limit has ended the turn (0.171)."""
    return screen_report.detail.startswith(LIMIT_DIALOG) and transcript_report.waiting_for == "limit"


def _screen_report(view: View, transcript_report: AgentReport | None) -> AgentReport | None:
    from lisa_py.agents._codex import screen  # noqa: PLC0415 - patterns that most looks do without

    if view.meta.mode == "exec":  # the screen is the output of the run
        return (
            screen.retry_report(view.screen)
            if transcript_report is not None and transcript_report.state == "thinking"
            else None
        )
    return screen.read_screen(view.screen, fresh=view.now - view.meta.created_unix < JUST_STARTED_SECONDS)


def needs_screen(agent_reports: Sequence[AgentReport]) -> bool:
    """Return True if the screen is needed: without title and rollout, for retries, and for menus over the input box.

    A menu over the input box is also searched with a rollout if the caller requests the screen.
    """
    sources = {report.source for report in agent_reports}
    if any(report.state == "thinking" and report.source in ("title", "transcript") for report in agent_reports):
        return True
    if any(report.state == "idle" and report.source == "title" for report in agent_reports):
        return "transcript" in sources
    known = any(report.source == "transcript" and _is_busy(report) for report in agent_reports)
    return not known and not sources & {"title", "hook"}


def _is_busy(report: AgentReport) -> bool:
    return report.state in ("thinking", "tool", "streaming", "retrying")


def _title_report(
    view: View, transcript_report: AgentReport | None, hook_report: AgentReport | None
) -> AgentReport | None:
    if view.processes and find_process(view) is None:
        return None  # left by an ended codex
    activity = title.read_title(view).activity
    if activity == "asking":
        return _dialog_report(transcript_report, hook_report)
    if activity == "busy":
        if _is_title_behind(transcript_report, view, busy=True) or _is_title_behind(hook_report, view, busy=True):
            return None
        if transcript_report is not None and _is_busy(transcript_report):
            return AgentReport(source="title", state=transcript_report.state, detail=transcript_report.detail)
        return AgentReport(source="title", state="thinking")
    if activity == "idle" and not _is_title_behind(transcript_report, view, busy=False):
        return AgentReport(source="title", state="idle")  # the record of a failed turn has the cause
    return None


def _is_painting(ended: AgentReport | None, screen_report: AgentReport | None, now: float) -> bool:
    """Return True if the turn is over by its record and the screen: codex draws a long answer for up to a minute.

    Its title stays busy for that time (0.171.0, 200 kB at 30 lines a second), although it takes the next prompt.
    """
    if ended is None or screen_report is None or now - ended.at < PAINT_SECONDS:
        return False
    return ended.state in ("idle", "error", "interrupted") and screen_report.state == ended.state


def _dialog_report(transcript_report: AgentReport | None, hook_report: AgentReport | None) -> AgentReport:
    if transcript_report is not None and transcript_report.waiting_for == "question":
        return AgentReport(source="title", state="waiting", waiting_for="question", detail=transcript_report.detail)
    detail = hook_report.detail if hook_report is not None and hook_report.state == "waiting" else ""
    return AgentReport(
        source="title",
        state="waiting",
        waiting_for="permission",
        detail=detail
        or (transcript_report.detail if transcript_report is not None and transcript_report.state == "tool" else ""),
    )


def _is_title_behind(report: AgentReport | None, view: View, *, busy: bool) -> bool:
    """Return True if a fresh record contradicts the title, which follows within a few frames.

    A dialog that has got keys since may be answered: its title counts.
    """
    if report is None or not report.at:
        return False
    is_dialog = report.waiting_for in ("permission", "question")
    if is_dialog and report.at <= view.keys_at:
        return False
    lag = DIALOG_LAG_SECONDS if is_dialog else TITLE_LAG_SECONDS
    return 0 <= view.now - report.at < lag and _is_busy(report) != busy


def _transcript_report(frames: Sequence[Frame]) -> AgentReport | None:
    """Report from the newest turn of the rollout."""
    start = next((row for row in range(len(frames) - 1, -1, -1) if frames[row].kind == "turn_start"), 0)
    turn = frames[start:]
    if not turn:
        return None
    ended = next((frame for frame in reversed(turn) if frame.kind == "turn_end"), None)
    return _turn_end_report(ended) if ended is not None else _running_turn_report(turn)


def _turn_end_report(frame: Frame) -> AgentReport:
    if frame.reason == "failed":
        return AgentReport(
            source="transcript",
            state="error",
            waiting_for=error_waiting_for(frame.error),
            error=frame.error,
            at=frame.at,
            detail=frame.text[:200],
        )
    state: AgentState = "interrupted" if frame.reason == "interrupted" else "idle"
    return AgentReport(source="transcript", state=state, waiting_for="prompt", at=frame.at)


def _running_turn_report(turn: Sequence[Frame]) -> AgentReport:
    done = {frame.tool_id for frame in turn if frame.kind == "tool_result"}
    pending = [frame for frame in turn if frame.kind == "tool_use" and frame.tool_id not in done]
    if not pending:
        return AgentReport(source="transcript", state="thinking", at=max(frame.at for frame in turn))
    call = pending[-1]
    is_question = call.tool == QUESTION_TOOL
    return AgentReport(
        source="transcript",
        state="waiting" if is_question else "tool",
        waiting_for="question" if is_question else "",
        at=call.at,
        detail=call.text[:200] or call.tool,
    )


def _hook_report(view: View, binding: Binding) -> AgentReport | None:
    """Report from the newest hook, unless the rollout has continued since."""
    entry = next((entry for entry in reversed(view.hooks) if _belongs_to(entry, binding)), None)
    at = entry.get("at") if entry is not None else None
    if entry is None or not isinstance(at, (int, float)):
        return None
    if any(frame.at > at for frame in view.frames[-8:]):
        return None
    match entry.get("hook"):
        case "UserPromptSubmit" | "PostToolUse":
            return AgentReport(source="hook", state="thinking", at=at)
        case "PreToolUse" if entry.get("tool_name") != QUESTION_TOOL:
            return AgentReport(source="hook", state="tool", at=at, detail=_describe_hook_call(entry))
        case "PreToolUse":
            return AgentReport(source="hook", state="waiting", waiting_for="question", at=at)
        case "PermissionRequest":
            return AgentReport(
                source="hook", state="waiting", waiting_for="permission", at=at, detail=_describe_hook_call(entry)
            )
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


def _belongs_to(entry: Mapping[str, object], binding: Binding) -> bool:
    name = entry.get("session_id")
    return not binding.session_id or not name or name == binding.session_id


def _describe_hook_call(entry: Mapping[str, object]) -> str:
    given = entry.get("tool_input")
    command = given.get("command") if isinstance(given, dict) else None
    return str(command)[:200] if command else str(entry.get("tool_name") or "")


def _process_report(view: View, transcript_report: AgentReport | None) -> AgentReport | None:
    """Report from child processes: a sandboxed child is a tool; another one only during an open call."""
    agent = find_process(view)
    if agent is None:
        return None
    children = [child for child in view.processes if child.ppid == agent.pid and child.alive]
    sandboxed = any("codex-linux-sandbox" in (child.argv[0] if child.argv else child.name) for child in children)
    if not sandboxed and (not children or transcript_report is None or transcript_report.state != "tool"):
        return None  # tool servers are permanent children
    below = {agent.pid}
    names = []
    for process in view.processes:
        if process.ppid in below:
            below.add(process.pid)
            names.append(process.name)
    return AgentReport(source="process", state="tool", detail=names[-1] if names else "")
