"""Reports from claude's own evidence: live session file, hooks, transcript, processes, title and screen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from lisa_py.agents._claude import session
from lisa_py.agents._claude.errors import classify_error
from lisa_py.agents._claude.session import hook_time, string_field
from lisa_py.agents.base import Binding, TurnEdge, View
from lisa_py.contract.frames import REFUSALS, Frame
from lisa_py.contract.status import AgentReport, WaitingFor

WAITING_KINDS: Mapping[str, WaitingFor] = {
    "permission prompt": "permission",
    "sandbox request": "permission",
    "worker request": "permission",
    "input needed": "question",
    "goal proposal": "question",
    "dialog open": "dialog",
}
QUESTION_TOOL = "AskUserQuestion"
_TURN_END_HOOKS = ("Stop", "StopFailure", "SessionStart", "SessionEnd")
_TURN_HOOKS = ("UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "PermissionRequest")
SHELL_SNAPSHOT = "shell-snapshots/snapshot-"
"""Every shell of the Bash tool reads a file of this name first."""
PROMPT_START_SECONDS = 2.0
"""Seconds in which an idle claude may still begin an earlier prompt (measured: 10 to 250 ms)."""
STALE_IDLE_SECONDS = 5.0
"""Seconds after a prompt's hook in which the file may still report the idle state before it."""
SETTLE_SECONDS = 1.0
"""The hook of a turn's end may be written a little after the session file."""
_BUSY_TITLE_GLYPHS = ("⠂", "⠐")


def collect_reports(view: View, binding: Binding) -> list[AgentReport]:
    """Return all reports, in any order."""
    found = session.read_session_file(view)
    agent_reports = [
        _file_report(view, found),
        _hook_report(view, found),
        _transcript_report(view),
        _process_report(view, found),
        _title_report(view.title),
        _screen_report(view.screen),
        _interruption_report(view, found),
    ]
    return [report for report in agent_reports if report is not None]


def turn_edge(hook: Mapping[str, object]) -> TurnEdge:
    match string_field(hook, "hook"):
        case "UserPromptSubmit":
            return "prompt"
        case "Stop" | "StopFailure":
            return "end"
    return ""


def watch_paths(view: View, binding: Binding) -> tuple[str, ...]:
    """Report from the live session file and the transcript."""
    live_file = (
        os.path.join(session.session_config_folder(view), "sessions", f"{binding.pid}.json") if binding.pid else ""
    )
    return tuple(path for path in (live_file, binding.transcript) if path)


def needs_screen(agent_reports: Sequence[AgentReport]) -> bool:
    """Return True if the screen is needed: only it shows a start-up dialog, the kind of an open dialog, and a retry."""
    own = [report for report in agent_reports if report.source == "agent_file"]
    if not own:
        return True
    if own[0].state == "waiting":
        return own[0].waiting_for == "dialog"
    tool = any(report.state == "tool" for report in agent_reports)
    return own[0].state == "thinking" and not tool


def _file_report(view: View, found: session.ClaudeSessionFile | None) -> AgentReport | None:
    if found is None:
        return None
    if found.is_idle:
        if _is_about_to_start(view, found):
            return AgentReport(source="agent_file", state="starting", detail="prompt not taken yet")
        if _has_taken_prompt(view, found):
            return AgentReport(source="agent_file", state="thinking", detail="the prompt was just taken")
        if _has_queued_prompt(view, found):
            return AgentReport(source="agent_file", state="thinking", detail="the next prompt in line begins")
        if _idle_seconds(view, found) < SETTLE_SECONDS and (_has_open_turn(view, found) or _is_answer_late(view)):
            return AgentReport(
                source="agent_file", state="thinking", detail="the turn ends"
            )  # its kind, or its answer, is recorded in a moment
        detail = "a shell runs in the background" if found.status == "shell" else ""
        return AgentReport(source="agent_file", state="idle", at=found.changed_at, detail=detail)
    if found.status == "waiting":
        return _waiting_report(view, found)
    if found.status == "busy":
        return AgentReport(source="agent_file", state="thinking")
    return None


def _waiting_report(view: View, found: session.ClaudeSessionFile) -> AgentReport:
    """Report the cause of waiting: from the file, or from the hook where older versions put less into the file."""
    kind, detail = WAITING_KINDS.get(found.waiting_for, "dialog"), found.waiting_for
    hook_report = _newest_hook_report(view)
    if (
        hook_report is not None
        and hook_report.state == "waiting"
        and (kind in ("permission", hook_report.waiting_for) or not found.waiting_for)
    ):
        kind, detail = hook_report.waiting_for, hook_report.detail
    return AgentReport(source="agent_file", state="waiting", waiting_for=kind, detail=detail)


def _is_about_to_start(view: View, found: session.ClaudeSessionFile) -> bool:
    """Return True if the first prompt is pending: claude is idle for a moment before it accepts it."""
    just_now = _idle_seconds(view, found) <= PROMPT_START_SECONDS
    return bool(view.meta.prompt and view.hooks) and just_now and session.has_only_started(view)


def _has_taken_prompt(view: View, found: session.ClaudeSessionFile) -> bool:
    """Return True if the idle state predates an accepted prompt: 2.1.197 reports work up to 0.3 s after its hook."""
    for hook in reversed(view.hooks):
        name, at = string_field(hook, "hook"), hook_time(hook)
        if (name in _TURN_HOOKS or name in _TURN_END_HOOKS) and not hook.get("agent_id"):
            return name == "UserPromptSubmit" and at >= found.changed_at and abs(view.now - at) <= STALE_IDLE_SECONDS
    return False


def _idle_seconds(view: View, found: session.ClaudeSessionFile) -> float:
    """Return the seconds of idleness; slightly negative if it began after the view, positive with a wrong clock."""
    age = view.now - found.changed_at
    return age if age > -PROMPT_START_SECONDS else -age


def _has_queued_prompt(view: View, found: session.ClaudeSessionFile) -> bool:
    """Return True if a queued prompt is about to begin: between two turns claude is idle for a moment.

    The prompt is in the queue first, then in the transcript, and only then in the file.
    """
    if not _idle_seconds(view, found) <= PROMPT_START_SECONDS or not view.frames:
        return False
    from lisa_py.agents._claude import transcript  # noqa: PLC0415 - already loaded by the reader of the frames

    edge = next((frame for frame in reversed(view.frames) if frame.kind in ("turn_start", "turn_end")), None)
    turn_started = edge is not None and edge.kind == "turn_start" and edge.at >= found.changed_at
    return turn_started or transcript.count_queued_prompts(view.frames) > 0


def _hook_report(view: View, found: session.ClaudeSessionFile | None) -> AgentReport | None:
    """Return the newest hook about the state, unless the session file has a later change."""
    report = _newest_hook_report(view)
    if report is None or found is None or found.changed_at <= report.at:
        return report
    if found.is_idle and report.state in ("thinking", "tool", "waiting"):
        return None  # interrupted, which fires no hook
    if found.status == "busy" and report.state == "waiting":
        return AgentReport(source="hook", state="tool", at=found.changed_at, detail=report.detail)
    return report


def _newest_hook_report(view: View) -> AgentReport | None:
    for hook in reversed(view.hooks):
        report = _parse_hook(hook)
        if report is not None:
            return report
    return None


def _parse_hook(hook: Mapping[str, object]) -> AgentReport | None:
    name, at = string_field(hook, "hook"), hook_time(hook)
    tool = string_field(hook, "tool_name")
    match name:
        case "UserPromptSubmit" | "PostToolUse" | "PostToolUseFailure":
            return AgentReport(source="hook", state="thinking", at=at)
        case "PreToolUse":
            return AgentReport(source="hook", state="tool", at=at, detail=_describe_hook_call(hook))
        case "PermissionRequest":
            kind: WaitingFor = "question" if tool == QUESTION_TOOL else "permission"
            return AgentReport(
                source="hook", state="waiting", waiting_for=kind, at=at, detail=_describe_hook_call(hook)
            )
        case "Notification":
            return _notification_report(hook, at)
        case "Stop":
            return AgentReport(source="hook", state="idle", at=at)
        case "StopFailure":
            text = string_field(hook, "last_assistant_message")
            error = classify_error(string_field(hook, "error"), None, text)
            return AgentReport(source="hook", state="error", error=error, at=at, detail=text[:160])
        case "SessionStart":
            return _session_start_report(hook, at)
        case "SessionEnd" if string_field(hook, "reason") not in ("clear", "resume"):
            return AgentReport(source="hook", state="exited", at=at, detail=string_field(hook, "reason"))
    return None


def _describe_hook_call(hook: Mapping[str, object]) -> str:
    """Return the tool and its input, for the approver."""
    from lisa_py.agents._claude import transcript  # noqa: PLC0415 - only while a tool runs or asks

    return transcript.describe_call(string_field(hook, "tool_name"), transcript.summarize_input(hook.get("tool_input")))


def _session_start_report(hook: Mapping[str, object], at: float) -> AgentReport | None:
    source = string_field(hook, "source")
    if source == "compact":
        return None  # in the middle of a turn
    return AgentReport(source="hook", state="starting" if source == "startup" else "idle", at=at, detail=source)


def _notification_report(hook: Mapping[str, object], at: float) -> AgentReport | None:
    kind, text = string_field(hook, "notification_type"), string_field(hook, "message")
    if kind in ("permission_prompt", "worker_permission_prompt"):
        return None  # the preceding PermissionRequest reported it with its input
    if kind == "idle_prompt":
        return AgentReport(source="hook", state="idle", at=at)
    if kind in ("elicitation_dialog", "elicitation_url_dialog", "agent_needs_input"):
        return AgentReport(source="hook", state="waiting", waiting_for="question", at=at, detail=text[:120])
    return None


def _interruption_report(view: View, found: session.ClaudeSessionFile | None) -> AgentReport | None:
    """Report an interrupted turn, which fires no hook: idle for a moment, after a prompt without an end."""
    if (
        found is None
        or not found.is_idle
        or _idle_seconds(view, found) < SETTLE_SECONDS
        or not _has_open_turn(view, found)
    ):
        return None
    return AgentReport(source="hook", state="interrupted", at=found.changed_at, detail="no end of the turn")


def _has_open_turn(view: View, found: session.ClaudeSessionFile) -> bool:
    """Return True if the newest turn has no end in hooks or transcript although claude is idle."""
    for hook in reversed(view.hooks):
        name, at = string_field(hook, "hook"), hook_time(hook)
        if hook.get("agent_id"):
            continue  # a background helper, whose work is not a turn
        if name in _TURN_END_HOOKS or any(_ends_turn(frame) and frame.at >= at for frame in view.frames):
            return False
        if name in _TURN_HOOKS:
            return found.changed_at > at
    return False


def _is_answer_late(view: View) -> bool:
    """Return True if a hook reports the end of a turn that the transcript does not have yet.

    The answer may be written up to 0.1 s after it (2.1.197, 2.1.332): a reader of the idle session would miss it.
    """
    edges = [
        (string_field(hook, "hook"), hook_time(hook))
        for hook in view.hooks
        if not hook.get("agent_id") and string_field(hook, "hook") in (*_TURN_HOOKS, *_TURN_END_HOOKS)
    ]
    if not view.frames or len(edges) < 2 or edges[-1][0] not in ("Stop", "StopFailure"):
        return False
    return not any(_ends_turn(frame) and frame.at >= edges[-2][1] for frame in view.frames)


def _ends_turn(frame: Frame) -> bool:
    """Return True for the end of a turn, or the refusal of a prompt, after which none begins."""
    return frame.kind == "turn_end" or frame.reason in REFUSALS


def _transcript_report(view: View) -> AgentReport | None:
    """Return the transcript frames of this process: a resumed conversation holds those of earlier ones, too."""
    report = _frames_report(view.frames)
    return None if report is not None and report.at < view.meta.created_unix else report


def _frames_report(frames: Sequence[Frame]) -> AgentReport | None:
    """Report from the end of the transcript; a pending permission looks like a running tool there."""
    open_tools: dict[str, Frame] = {}
    report: AgentReport | None = None
    for frame in frames:
        if frame.kind == "turn_start":
            open_tools.clear()
            report = AgentReport(source="transcript", state="thinking", at=frame.at)
        elif frame.kind == "tool_use":
            open_tools[frame.tool_id] = frame
            report = AgentReport(source="transcript", state="tool", at=frame.at, detail=_describe_tool_call(frame))
        elif frame.kind == "tool_result":
            open_tools.pop(frame.tool_id, None)
            if not open_tools:
                report = AgentReport(source="transcript", state="thinking", at=frame.at)
        elif frame.kind == "error":
            report = AgentReport(
                source="transcript", state="retrying", error=frame.error, at=frame.at, detail=frame.text
            )
        elif frame.kind in ("assistant", "thinking") and not open_tools:
            report = AgentReport(source="transcript", state="thinking", at=frame.at)
        elif frame.kind == "turn_end":
            open_tools.clear()
            report = _turn_end_report(frame)
        elif frame.reason in REFUSALS and not open_tools:
            report = AgentReport(source="transcript", state="idle", at=frame.at)
    return report


def _describe_tool_call(frame: Frame) -> str:
    from lisa_py.agents._claude import transcript  # noqa: PLC0415 - already loaded by the reader of the frame

    return transcript.describe_call(frame.tool, frame.text)


def _turn_end_report(frame: Frame) -> AgentReport:
    if frame.reason == "failed":
        return AgentReport(source="transcript", state="error", error=frame.error, at=frame.at, detail=frame.text[:160])
    state: Any = "interrupted" if frame.reason == "interrupted" else "idle"
    return AgentReport(source="transcript", state=state, at=frame.at)


def _process_report(view: View, found: session.ClaudeSessionFile | None) -> AgentReport | None:
    """Report a tool by the shell of the Bash tool, if no hook, transcript or busy session file reports more."""
    if view.hooks or view.frames or (found is not None and found.status != "busy"):
        return None
    for process in view.processes:
        if process.alive and any(SHELL_SNAPSHOT in word for word in process.argv[:4]):
            return AgentReport(source="process", state="tool", detail="Bash")
    return None


def may_have_helpers(view: View) -> bool:
    """Return True if a shell of the Bash tool runs, or the newest turn left tasks behind."""
    if any(SHELL_SNAPSHOT in word for process in view.processes for word in process.argv[:4]):
        return True
    stop = next((hook for hook in reversed(view.hooks) if hook.get("hook") == "Stop"), None)
    return stop is not None and bool(stop.get("background_tasks"))


def _screen_report(text: str) -> AgentReport | None:
    if not text:
        return None
    from lisa_py.agents._claude import screen  # noqa: PLC0415 - not every read has a screen

    return screen.read_screen(text)


def summarize_title(title: str) -> str:
    """Return busy while a glyph in it turns: the name of the conversation does not concern the state."""
    return "busy" if title.startswith(_BUSY_TITLE_GLYPHS) else ""


def _title_report(title: str) -> AgentReport | None:
    """Report from the title: older versions turn a glyph in it while busy; an idle title reports nothing."""
    if summarize_title(title):
        return AgentReport(source="title", state="thinking")
    return None
