"""Reading claude's screen, on panes recorded from the real CLI (2.1.329, and 2.1.197 by name)."""

from __future__ import annotations

import pytest

from lisa_py.agents._claude import screen
from tests.agents.claude_views import AGENT, pane, pane_names

REVIEW = "Review your answers"
WAITING = {
    "permission-bash": ("permission", "Bash command"),
    "permission-edit": ("permission", "Edit file"),
    "permission-webfetch": ("permission", "Fetch"),
    "permission-write": ("permission", "Create file"),
    "plan-approval": ("permission", "Exit plan mode?"),
    "question": ("question", "Which colour?"),
    **{
        f"{version}question-{page}": ("question", "Which fruits?" if page in ("ticked", "submit-selected") else REVIEW)
        for version in ("", "2.1.197-")
        for page in ("ticked", "submit-selected", "review", "review-incomplete")
    },
    "dialog-trust": ("trust", "Accessing workspace:"),
    "dialog-bypass": ("bypass", "WARNING: Claude Code running in Bypass Permissions mode"),
    "dialog-api-key": ("api_key", "Detected a custom API key in your environment"),
    "command-login": ("login", "Login"),
    "command-cost": ("dialog", "Settings  Status   Config   Usage   Stats"),
    "command-model": ("dialog", "Select model"),
    "command-resume": ("dialog", "Resume session"),
    "dialog-auto-mode-check-unavailable": ("dialog", "Auto mode can't check actions in this session"),
    "dialog-config-error": ("dialog", "Configuration error"),
    "dialog-exit-background": ("dialog", "Background work is running"),
    "dialog-settings-error": ("dialog", "Settings Error"),
    "onboarding-security": ("dialog", "Press Enter to continue"),
    "onboarding-theme": ("dialog", "Choose the text style that looks best"),
    "2.1.197-permission-bash": ("permission", "Bash command"),
    "2.1.197-plan-approval": ("permission", "Exit plan mode?"),
    "2.1.197-question": ("question", "Which colour?"),
    "2.1.197-dialog-trust": ("trust", "Accessing workspace:"),
    "2.1.197-dialog-bypass": ("bypass", "WARNING: Claude Code running in Bypass Permissions mode"),
    "2.1.197-dialog-api-key": ("api_key", "Detected a custom API key in your environment"),
}
FAILED = {
    "retrying-auth": ("retrying", "auth"),
    "retrying-overloaded": ("retrying", "overloaded"),
    "retrying-rate_limit": ("retrying", "unknown"),
    "retrying-server": ("retrying", "server"),
    "retrying-usage_limit": ("retrying", "usage_limit"),
    "2.1.197-retrying-overloaded": ("retrying", "overloaded"),
    "error-auth": ("error", "auth"),
    "error-bad_request": ("error", "bad_request"),
    "error-billing": ("error", "billing"),
    "error-drop": ("error", "network"),
    "error-not_found": ("error", "not_found"),
    "error-overloaded": ("error", "overloaded"),
    "error-permission": ("error", "permission"),
    "error-rate_limit": ("error", "rate_limit"),
    "error-server": ("error", "server"),
    "error-too_long": ("error", "too_long"),
    "error-too_long-first": ("error", "too_long"),
    "error-usage_limit": ("error", "usage_limit"),
    "not-logged-in": ("error", "auth"),
    "2.1.197-error-auth": ("error", "auth"),
    "2.1.197-error-overloaded": ("error", "overloaded"),
}
DOING = {
    "alternate-finished": "idle",
    "alternate-tool": "tool",
    "bash-mode-empty": "interrupted",
    "compacted": "idle",
    "crashed-sigkill": "idle",
    "exited": "exited",
    "finished": "idle",
    "finished-after-errors": "idle",
    "finished-after-tool": "idle",
    "idle": "idle",
    "idle-bypass": "idle",
    "idle-with-background-shell": "idle",
    "interrupted-before-output": "interrupted",
    "interrupted-streaming": "interrupted",
    "onboarding-offline-preflight-fails": "starting",
    "permission-rejected": "interrupted",
    "queued": "thinking",
    "streaming": "streaming",
    "subagent": "thinking",
    "subagent-done": "idle",
    "tasks-busy": "streaming",
    "tasks-idle": "idle",
    "thinking": "thinking",
    "tool": "tool",
    "tool-bypass": "tool",
    "2.1.197-exited": "exited",
    "2.1.197-finished": "idle",
    "2.1.197-idle": "idle",
    "2.1.197-interrupted-streaming": "interrupted",
    "2.1.197-streaming": "streaming",
    "2.1.197-subagent": "streaming",
    "2.1.197-thinking": "thinking",
    "2.1.197-tool": "tool",
}
SILENT = ("exec-finished", "exec-rate-limit")


@pytest.mark.parametrize("name", WAITING)
def test_dialog_has_its_kind_and_title(name: str) -> None:
    report = screen.read_screen(pane(name))
    assert report is not None
    assert (report.state, report.waiting_for, report.detail) == ("waiting", *WAITING[name])


@pytest.mark.parametrize("name", FAILED)
def test_retry_and_final_error_have_their_kind(name: str) -> None:
    report = screen.read_screen(pane(name))
    assert report is not None
    assert (report.state, report.error) == FAILED[name]
    assert report.detail


@pytest.mark.parametrize("name", DOING)
def test_busy_and_idle_are_distinguished(name: str) -> None:
    report = screen.read_screen(pane(name))
    assert report is not None
    assert (report.state, report.waiting_for, report.error) == (DOING[name], "", "")


@pytest.mark.parametrize("name", [*SILENT, ""])
def test_output_of_an_exec_run_gives_no_report(name: str) -> None:
    assert screen.read_screen(pane(name) if name else "") is None


def test_every_recorded_pane_has_an_expected_state() -> None:
    assert sorted([*WAITING, *FAILED, *DOING, *SILENT]) == pane_names()


@pytest.mark.parametrize("name", ["idle", "thinking", "streaming", "2.1.197-idle", "error-auth"])
def test_quoted_dialog_or_error_is_not_reported(name: str) -> None:
    quoted = "❯ what does 'Do you want to proceed? ❯ 1. Yes' or 'API Error: 500' mean? Esc to cancel\n"
    before = screen.read_screen(pane(name))
    after = screen.read_screen(pane(name).replace("\n───", "\n" + quoted + "───", 1))
    assert before is not None
    assert after is not None
    assert after.state == ("idle" if name == "error-auth" else before.state)


def test_plan_limit_is_a_usage_limit() -> None:
    shown = pane("error-auth").replace(
        "Not logged in · Please run /login", "You've hit your session limit · resets 3am"
    )
    report = screen.read_screen(shown)
    assert report is not None
    assert (report.state, report.error) == ("error", "usage_limit")


@pytest.mark.parametrize(
    ("name", "count", "yes", "no"),
    [
        ("permission-bash", 4, "Yes", "No"),
        ("2.1.197-permission-bash", 3, "Yes", "No"),
        ("permission-webfetch", 3, "Yes", "No, and tell Claude what to do differently (esc)"),
        ("plan-approval", 2, "Yes, and switch to default (ask each time) for this session", "No"),
        ("dialog-trust", 2, "Yes, I trust this folder", "No, exit"),
        ("2.1.197-dialog-trust", 2, "Yes, I trust this folder", "No, exit"),
        ("dialog-bypass", 2, "Yes, I accept", "No, exit"),
        ("dialog-api-key", 2, "Yes", "No (recommended)"),
        ("question", 4, "", ""),
        ("command-model", 5, "", ""),
        ("onboarding-theme", 7, "", ""),
        ("command-cost", 0, "", ""),
        ("command-resume", 0, "", ""),
        ("idle", 0, "", ""),
        ("finished", 0, "", ""),
        ("error-auth", 0, "", ""),
    ],
)
def test_choices_are_found_only_in_an_open_dialog(name: str, count: int, yes: str, no: str) -> None:
    offered = AGENT.find_choices(pane(name))
    assert len(offered) == count
    for word, expected in (("yes", yes), ("no", no)):
        found = AGENT.pick_choice(word, offered)
        assert (found.text if found else "") == expected


@pytest.mark.parametrize("name", ["idle", "2.1.197-idle"])
def test_welcome_and_footer_are_noise(name: str) -> None:
    lines = [line for line in pane(name).splitlines() if line.strip() and "LISA" not in line]
    kept = [line for line in lines if not AGENT.is_noise(line) and not set(line) <= set("─ ❯\u00a0")]
    assert kept == []
    for line in ("● I ran claude and updated the docs", "  ? is a question mark", "| a | b |", "⏺ mode on", "~/x · y"):
        assert not AGENT.is_noise(line), line
