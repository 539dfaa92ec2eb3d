"""Reports of codex from title, screen, hooks, rollout and child processes."""

from __future__ import annotations

from typing import Any

import pytest

from lisa_py.agents.base import Binding
from lisa_py.contract.frames import Frame
from tests.agents.codex_views import (
    AGENT,
    CODEX,
    HERE,
    NOW,
    THREAD,
    TRUNCATED_THREAD,
    pane,
    process,
    recorded_frames,
    reports,
    view,
)

BUSY = f"⠙ Working | {TRUNCATED_THREAD}"
READY = f"Ready | {TRUNCATED_THREAD}"
ACTION_REQUIRED_TITLE = f"[ ! ] Action Required | {TRUNCATED_THREAD}"

SCREENS = {
    "starting-splash": ("idle", "prompt", ""),
    "idle": ("idle", "prompt", ""),
    "finished": ("idle", "prompt", ""),
    "steered": ("idle", "prompt", ""),
    "plan-updated": ("idle", "prompt", ""),
    "shortcuts": ("interrupted", "prompt", ""),
    "thinking": ("thinking", "", ""),
    "thinking-reasoning": ("thinking", "", ""),
    "streaming": ("streaming", "", ""),
    "streaming-first": ("streaming", "", ""),
    "tool": ("thinking", "", ""),
    "tool-with-pending-text": ("thinking", "", ""),
    "narrow-tool": ("thinking", "", ""),
    "killed": ("thinking", "", ""),
    "retrying-rate-limit": ("retrying", "", "rate_limit"),
    "retrying-server": ("retrying", "", "server"),
    "error-rate-limit": ("error", "limit", "rate_limit"),
    "error-usage-limit": ("error", "limit", "usage_limit"),
    "error-billing": ("error", "limit", "billing"),
    "error-server": ("error", "error", "server"),
    "error-auth": ("error", "error", "auth"),
    "error-overloaded": ("error", "error", "overloaded"),
    "error-not-found": ("error", "error", "not_found"),
    "error-dropped": ("error", "error", "network"),
    "interrupted": ("interrupted", "prompt", ""),
    "interrupted-in-tool": ("interrupted", "prompt", ""),
    "idle-after-escape": ("interrupted", "prompt", ""),
    "after-resume-picker": ("interrupted", "prompt", ""),
    "unknown-command": ("interrupted", "prompt", ""),
    "blocked-by-hook": ("idle", "prompt", ""),
    "draft": ("interrupted", "prompt", ""),
    "status-command": ("interrupted", "prompt", ""),
    "permission-refused": ("interrupted", "prompt", ""),
    "narrow-idle": ("interrupted", "prompt", ""),
    "permission": ("waiting", "permission", ""),
    "permission-long": ("waiting", "permission", ""),
    "narrow-permission": ("waiting", "permission", ""),
    "question": ("waiting", "question", ""),
    "trust": ("waiting", "trust", ""),
    "hooks-trust": ("waiting", "hooks_trust", ""),
    "login": ("waiting", "login", ""),
    "login-other": ("waiting", "login", ""),
    "update": ("waiting", "update", ""),
    "task-list": ("waiting", "dialog", ""),
    "model-picker": ("waiting", "dialog", ""),
    "limit-dialog": ("waiting", "dialog", ""),
    "permissions-picker": ("waiting", "dialog", ""),
    "title-picker": ("waiting", "dialog", ""),
    "resume-picker": ("waiting", "dialog", ""),
    "warnings": ("waiting", "dialog", ""),
    "transcript-overlay": ("waiting", "dialog", ""),
}
"""Screen -> what it says of itself; without title and rollout."""

WITHOUT_REPORTS = {"exited", "starting"}
"""Screens tested below."""


def test_every_recorded_screen_has_an_expected_state() -> None:
    names = {path.stem for path in (HERE / "panes" / "codex").glob("*.txt")}
    assert names == set(SCREENS) | WITHOUT_REPORTS


@pytest.mark.parametrize("name", SCREENS)
def test_recorded_screen_has_its_state(name: str) -> None:
    found = reports(view(screen=pane(name)))["screen"]
    assert (found.state, found.waiting_for, found.error) == SCREENS[name]


@pytest.mark.parametrize("name", [name for name in SCREENS if SCREENS[name][0] == "waiting"])
def test_dialog_outranks_title_and_transcript(name: str) -> None:
    frames = (Frame(kind="turn_start", at=NOW - 9), Frame(kind="turn_end", at=NOW - 8, reason="completed"))
    for title in (READY, BUSY):
        found = AGENT.collect_reports(view(screen=pane(name), title=title, frames=frames), Binding())
        assert {report.state for report in found} == {"waiting"}


def test_screen_without_input_box_gives_no_report() -> None:
    assert "screen" not in reports(view(screen="hello\nworld\n"))
    assert "screen" not in reports(view(screen=""))
    assert "screen" not in reports(view(screen=pane("exited")))


def test_codex_is_starting_until_its_status_line_appears() -> None:
    young = view(screen=pane("starting"), title="vm")
    young.meta.created_unix = NOW - 1
    assert reports(young)["screen"].state == "starting"
    assert reports(view(screen=pane("starting")))["screen"].state == "idle"


def test_end_in_transcript_and_screen_outranks_busy_title() -> None:
    def states(ago: float, screen: str, *more: Frame) -> set[str]:
        ended = Frame(kind="turn_end", at=NOW - ago, reason="completed")
        frames = (Frame(kind="turn_start", at=NOW - 30), ended, *more)
        seen = view(title=BUSY, frames=frames, screen=pane(screen) if screen else "")
        return {report.state for report in AGENT.collect_reports(seen, Binding()) if report.source != "screen"}

    assert states(2, "finished") == {"idle"}  # it still draws a long answer
    assert "thinking" in states(0.5, "finished")  # a queued prompt may begin
    assert "thinking" in states(2, "streaming")
    assert "thinking" in states(2, "")
    assert states(2, "finished", Frame(kind="turn_start", at=NOW - 1)) == {"thinking"}


def test_title_of_a_finished_run_is_ignored() -> None:
    shell = (process(1, 0, "/bin/sh", "supervisor.sh"),)
    assert "title" not in reports(view(title=BUSY, processes=shell))
    assert "title" not in reports(view(title=""))


@pytest.mark.parametrize(
    ("title", "state", "waiting_for"),
    [
        (READY, "idle", ""),
        (BUSY, "thinking", ""),
        (f"⠙ Thinking | {TRUNCATED_THREAD}", "thinking", ""),
        (f"Working | {TRUNCATED_THREAD}", "thinking", ""),
        (ACTION_REQUIRED_TITLE, "waiting", "permission"),
        (f"[ . ] Action Required | {TRUNCATED_THREAD}", "waiting", "permission"),
        ("⠙ Fake session | proj", "thinking", ""),
        ("[ ! ] Action Required | Fake session | proj", "waiting", "permission"),
        ("Fake session | proj", "idle", ""),
        ("proj", "idle", ""),
    ],
)
def test_title_gives_the_state(title: str, state: str, waiting_for: str) -> None:
    found = reports(view(title=title))["title"]
    assert (found.state, found.waiting_for) == (state, waiting_for)


def test_title_summary_omits_the_spinner() -> None:
    assert AGENT.summarize_title("⠙ Thinking | 01a") == AGENT.summarize_title("⠋ Thinking | 01a")
    assert AGENT.summarize_title("⠙ Thinking | 01a") != AGENT.summarize_title("Thinking | 01a")
    assert AGENT.summarize_title("[ . ] Action Required | x") == AGENT.summarize_title("[ ! ] Action Required | x")
    assert AGENT.summarize_title("Ready | 01a") != AGENT.summarize_title("Ready | 01b")
    assert AGENT.summarize_title("") == ""


@pytest.mark.parametrize(
    "title", ["host.example", "", "Ready", f"⠙ Starting | {TRUNCATED_THREAD}", f"Starting | {TRUNCATED_THREAD}", "vim"]
)
def test_ambiguous_title_is_ignored(title: str) -> None:
    # `Starting` stays for as long as a helper server takes, while codex already answers
    found = AGENT.collect_reports(view(title=title), Binding())
    assert found == []
    assert AGENT.needs_screen(found)


def test_long_folder_name_is_truncated_in_the_title() -> None:
    seen = view(title="proj a very long name...")
    seen.meta.project_root = "/tmp/proj a very long name with more"
    assert reports(seen)["title"].state == "idle"


def test_screen_distinguishes_retry_and_thinking() -> None:
    assert AGENT.needs_screen(AGENT.collect_reports(view(title=BUSY), Binding()))
    found = reports(view(title=BUSY, screen=pane("retrying-server")))
    assert (found["title"].state, found["screen"].state) == ("thinking", "retrying")


def test_idle_session_screen_is_read_for_menus() -> None:
    ended_turn = (Frame(kind="turn_start", at=NOW - 9), Frame(kind="turn_end", at=NOW - 8, reason="completed"))
    seen = view(title=READY, frames=ended_turn)
    assert AGENT.needs_screen(AGENT.collect_reports(seen, Binding()))
    seen.screen = pane("model-picker")
    assert {report.waiting_for for report in AGENT.collect_reports(seen, Binding())} == {"dialog"}


def test_menu_is_named_by_its_heading() -> None:
    shown = pane("model-picker").replace("  Select Model", "  Worked for 2s • 02:12\n\n  Select Model", 1)
    (report,) = AGENT.collect_reports(view(title="", screen=shown), Binding())
    assert report.detail == "Select Model and Effort"


def test_idle_permission_and_tools_need_no_screen() -> None:
    for title in (READY, ACTION_REQUIRED_TITLE):
        assert not AGENT.needs_screen(AGENT.collect_reports(view(title=title), Binding()))
    assert not AGENT.needs_screen(AGENT.collect_reports(view(title=BUSY, frames=_tool(NOW - 9)), Binding()))


def _tool(at: float, tool: str = "exec_command", text: str = "sleep 9") -> tuple[Frame, ...]:
    return (
        Frame(kind="turn_start", at=at - 1),
        Frame(kind="tool_use", at=at, tool=tool, tool_id="c1", text=text),
    )


def _hook(event: str, at: float, **more: Any) -> dict[str, object]:
    return {"hook": event, "at": at, "session_id": THREAD, **more}


def test_open_call_is_a_running_tool() -> None:
    found = reports(view(title=BUSY, frames=_tool(NOW - 9)))
    assert (found["title"].state, found["title"].detail) == ("tool", "sleep 9")
    assert found["transcript"].state == "tool"


def test_open_question_is_a_dialog() -> None:
    found = reports(view(title=ACTION_REQUIRED_TITLE, frames=_tool(NOW - 9, "request_user_input", "Which colour?")))
    assert (found["title"].waiting_for, found["title"].detail) == ("question", "Which colour?")


def test_permission_names_the_tool_and_input() -> None:
    request = _hook("PermissionRequest", NOW - 5, tool_input={"command": "rm -r x"})
    found = reports(view(title=ACTION_REQUIRED_TITLE, frames=_tool(NOW - 6), hooks=(request,)))
    assert (found["title"].waiting_for, found["title"].detail) == ("permission", "rm -r x")


def test_new_permission_is_found_before_the_title_changes() -> None:
    request = _hook("PermissionRequest", NOW - 0.05, tool_input={"command": "rm -r x"})
    found = reports(view(title=BUSY, frames=_tool(NOW - 0.1), hooks=(request,)))
    assert "title" not in found
    assert (found["hook"].state, found["hook"].waiting_for) == ("waiting", "permission")


def test_granted_permission_is_no_longer_pending() -> None:
    request = _hook("PermissionRequest", NOW - 5)
    found = reports(view(title=BUSY, frames=_tool(NOW - 6), hooks=(request,)))
    assert found["title"].state == "tool"


def test_title_counts_once_keys_answered_a_new_permission() -> None:
    request = _hook("PermissionRequest", NOW - 0.5)
    found = reports(view(title=BUSY, frames=_tool(NOW - 0.6), hooks=(request,), keys_at=NOW - 0.1))
    assert found["title"].state == "tool"
    asked_again = _hook("PermissionRequest", NOW - 0.05)
    found = reports(view(title=BUSY, frames=_tool(NOW - 0.6), hooks=(request, asked_again), keys_at=NOW - 0.1))
    assert "title" not in found and found["hook"].state == "waiting"


def test_turn_end_in_transcript_precedes_the_title() -> None:
    ended = (*_tool(NOW - 5), Frame(kind="turn_end", at=NOW - 0.02, reason="completed"))
    found = reports(view(title=BUSY, frames=ended))
    assert "title" not in found
    assert found["transcript"].state == "idle"


def test_turn_start_in_transcript_precedes_the_title() -> None:
    found = reports(view(title=READY, frames=(Frame(kind="turn_start", at=NOW - 0.02),)))
    assert "title" not in found
    assert found["transcript"].state == "thinking"


def test_title_after_a_failed_turn_reports_its_error() -> None:
    from lisa_py.core.status.fusion import TurnBoundary, fuse

    frames = (
        Frame(kind="turn_start", at=NOW - 9),
        Frame(kind="turn_end", at=NOW - 8, reason="failed", error="usage_limit", text="limit hit"),
    )
    fused = fuse(AGENT.collect_reports(view(title=READY, frames=frames), Binding()), TurnBoundary(), NOW)
    assert fused is not None
    assert (fused.source, fused.state, fused.waiting_for, fused.error) == ("title", "error", "limit", "usage_limit")


@pytest.mark.parametrize(("error", "waiting_for"), [("usage_limit", "limit"), ("server", "dialog")])
def test_dialog_after_a_limit_is_a_limit(error: Any, waiting_for: str) -> None:
    ended = Frame(kind="turn_end", at=NOW - 8, reason="failed", error=error, text="limit hit")
    seen = view(title=READY, frames=(Frame(kind="turn_start", at=NOW - 9), ended), screen=pane("limit-dialog"))
    found = reports(seen)["screen"]
    assert (found.state, found.waiting_for) == ("waiting", waiting_for)


def test_title_decides_when_the_rollout_is_old() -> None:
    ended = (Frame(kind="turn_start", at=NOW - 9), Frame(kind="turn_end", at=NOW - 8, reason="completed"))
    assert reports(view(title=BUSY, frames=ended))["title"].state == "thinking"
    assert reports(view(title=READY, frames=_tool(NOW - 9)))["title"].state == "idle"


def test_hook_older_than_the_rollout_is_ignored() -> None:
    # an interrupt or an error fires no hook: the last word would be `prompt submitted` for ever
    frames = (Frame(kind="turn_start", at=NOW - 9), Frame(kind="turn_end", at=NOW - 5, reason="interrupted"))
    found = reports(view(frames=frames, hooks=(_hook("UserPromptSubmit", NOW - 9),)))
    assert "hook" not in found
    assert found["transcript"].state == "interrupted"


def test_hooks_of_another_thread_are_ignored() -> None:
    seen = view(hooks=(_hook("Stop", NOW - 1),))
    assert "hook" not in reports(seen, Binding(session_id="01a1fc71-0000-7000-8000-000000000000"))
    assert "hook" in reports(seen, Binding(session_id=THREAD))


@pytest.mark.parametrize(
    ("reason", "error", "state", "waiting_for"),
    [
        ("completed", "", "idle", "prompt"),
        ("interrupted", "", "interrupted", "prompt"),
        ("failed", "auth", "error", "error"),
        ("failed", "usage_limit", "error", "limit"),
        ("failed", "rate_limit", "error", "limit"),
    ],
)
def test_turn_end_reports_success_or_failure(reason: str, error: Any, state: str, waiting_for: str) -> None:
    frames = (Frame(kind="turn_start", at=NOW - 9), Frame(kind="turn_end", at=NOW - 5, reason=reason, error=error))
    found = reports(view(frames=frames))["transcript"]
    assert (found.state, found.waiting_for, found.error, found.at) == (state, waiting_for, error, NOW - 5)


def test_turns_before_the_session_start_are_ignored() -> None:
    # codex opens a resumed rollout before it takes any input
    for frames in (_tool(NOW - 90), (Frame(kind="turn_end", at=NOW - 90, reason="failed", error="auth"),)):
        assert "transcript" not in reports(view(frames=frames))
        assert reports(view(frames=frames, title=READY))["title"].state == "idle"


def test_recorded_rollout_ends_in_a_running_tool() -> None:
    seen = view(frames=tuple(recorded_frames("codex-interactive")))
    seen.meta.created_unix = 0
    found = reports(seen)["transcript"]
    assert (found.state, found.detail) == ("tool", "sleep 30")


def test_sandboxed_child_is_a_tool() -> None:
    sandbox = process(4, 3, "/h/codex-linux-sandbox", "--", name="codex-linux-san")
    tree = (*CODEX, sandbox, process(5, 4, "bwrap", name="3"), process(6, 5, "sleep", "9"))
    found = reports(view(processes=tree))["process"]
    assert (found.state, found.detail) == ("tool", "sleep")


def test_mcp_server_process_is_not_a_tool() -> None:
    tree = (*CODEX, process(4, 3, "node", "mcp.js"))
    assert "process" not in reports(view(processes=tree))
    assert reports(view(processes=tree, frames=_tool(NOW - 9)))["process"].state == "tool"


def test_exec_run_shows_a_retry_on_its_screen() -> None:
    began = (Frame(kind="turn_start", at=NOW - 9),)
    assert AGENT.needs_screen(AGENT.collect_reports(view(mode="exec", frames=began), Binding()))
    found = reports(view(mode="exec", frames=began, screen="user\nhi\nERROR: Reconnecting... 1/5\n"))
    assert found["screen"].state == "retrying"
    ended = (*began, Frame(kind="turn_end", at=NOW - 8, reason="failed", error="server"))
    assert "screen" not in reports(view(mode="exec", frames=ended, screen="ERROR: Reconnecting... 5/5\n"))


def test_exec_run_has_no_title_and_no_dialogs() -> None:
    seen = view(mode="exec", title="vm", screen=pane("permission"), frames=_tool(NOW - 9))
    assert set(reports(seen)) == {"transcript"}


@pytest.mark.parametrize(
    ("name", "yes", "no", "always"),
    [
        (
            "permission",
            "Yes, proceed (y)",
            "No, and tell Codex what to do differently (esc)",
            "Yes, and don't ask again",
        ),
        ("trust", "Trust and continue", "Back to Agent Command Center", ""),
        ("hooks-trust", "Trust all and continue", "Continue without trusting (hooks won't run)", ""),
    ],
)
def test_choices_of_a_dialog_are_read(name: str, yes: str, no: str, always: str) -> None:
    listed = AGENT.find_choices(pane(name))
    for word, text in (("yes", yes), ("no", no), ("always", always)):
        taken = AGENT.pick_choice(word, listed)
        if text and not (word == "yes" and name == "hooks-trust"):
            assert taken is not None
            assert taken.text.startswith(text)


def test_no_choices_without_a_dialog() -> None:
    assert AGENT.find_choices(pane("idle")) == ()
    assert AGENT.find_choices(pane("draft")) == ()


@pytest.mark.parametrize(
    "line",
    [
        "mcp: files starting",
        "mcp startup: no servers",
        "⚠ MCP client for `files` failed to start: x",
        "Reading additional input from stdin...",
        "hook: SessionStart",
        "hook: SessionStart Completed",
        "warning: Codex could not find bubblewrap on PATH. Install bubblewrap with your OS package manager.",
        "2026-11-21T04:33:14Z ERROR codex_core::state_db: state db record_discrepancy: x",
    ],
)
def test_start_up_lines_are_noise(line: str) -> None:
    assert AGENT.is_noise(line)


@pytest.mark.parametrize(
    "line",
    [
        "Please run codex to update the docs",
        "mcp: the Model Context Protocol",
        "• mcp: files starting",
        "Update available for the codex of laws",
        "hook: Stop",
        "› Reading additional input from stdin...",
        "",
    ],
)
def test_answer_is_never_noise(line: str) -> None:
    assert not AGENT.is_noise(line)
