"""core/guard: commands that endanger the sessions of others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_py.core.guard import guard, risk
from lisa_py.core.guard.policy_file import GuardPolicy
from lisa_py.host.user_tmux import UserTmuxReport

ALONE = UserTmuxReport("no_server")
BUSY = UserTmuxReport("ok", ("work", "mail"))
UNKNOWN = UserTmuxReport("error", problem="tmux did not answer")


def _risk(text: str, policy: GuardPolicy | None = None) -> tuple[str, tuple[str, ...]]:
    verdict = guard.assess_command(text, policy, ALONE, strict=True)
    return verdict.risk, verdict.reasons


# what the substring rules say, observed on the program these rules come from
@pytest.mark.parametrize(
    ("text", "level", "reasons"),
    [
        ("lisa session list", "low", ()),
        ("lisa session kill-all --project-only", "medium", ("kill_without_project_root",)),
        ("lisa session kill-all --project-only --project-root X", "low", ()),
        (
            "lisa session kill-all",
            "high",
            ("kill_all_without_project_only", "kill_without_project_root"),
        ),
        ("lisa session kill --session x --project-root=/a", "low", ()),
        ("lisa session kill --session x", "medium", ("kill_without_project_root",)),
        ("lisa cleanup --dry-run", "low", ()),
        ("lisa cleanup", "medium", ("cleanup_without_dry_run",)),
        ("echo cleanup the code", "medium", ("cleanup_without_dry_run",)),
        (
            "./lisa cleanup --include-tmux-default",
            "high",
            ("cleanup_include_tmux_default", "cleanup_without_dry_run"),
        ),
        ("LISA CLEANUP --DRY-RUN", "low", ()),
    ],
)
def test_known_risks_keep_codes_and_order(text: str, level: str, reasons: tuple[str, ...]) -> None:
    assert _risk(text) == (level, reasons)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lisa  session  kill-all", "kill_all_without_project_only"),
        ("lisa session 'kill-all'", "kill_all_without_project_only"),
        ("session 'kill-all'", "kill_all_without_project_only"),
        ("python3 -m lisa_py session kill-all --json", "kill_all_without_project_only"),
        (
            "lisa session kill-all --project-only --project-root x && lisa session  kill-all",
            "kill_all_without_project_only",
        ),
        ("lisa cleanup --dry-run; lisa cleanup", "cleanup_without_dry_run"),
        ("echo --dry-run || lisa cleanup", "cleanup_without_dry_run"),
        ("lisa cleanup --include-tmux-default=true --dry-run", "cleanup_include_tmux_default"),
        ("lisa session kill --session a --project-root x\nlisa session kill --session b", "kill_without_project_root"),
        ("tmux kill-server", "tmux_kill_server"),
        ("/usr/bin/tmux kill-serv", "tmux_kill_server"),
        ("tmux list-sessions \\; kill-server", "tmux_kill_server"),
        ("bash -c 'tmux kill-server'", "tmux_kill_server"),
        ('echo "$(tmux kill-server)"', "tmux_kill_server"),
        ("sudo -u root tmux kill-server", "tmux_kill_server"),
        ("lisa session spawn --command 'tmux kill-server'", "tmux_kill_server"),
        ("tmux kill-session -t work", "tmux_kill_session"),
        ("tmux kill-window", "tmux_kill_session"),
        ("pkill tmux", "process_kill_broad"),
        ("killall -9 claude", "process_kill_broad"),
        ("kill -9 -1", "process_kill_broad"),
        ("kill $(pgrep tmux)", "process_kill_broad"),
        ("kill `pidof tmux`", "process_kill_broad"),
        ("pgrep claude | xargs kill", "process_kill_broad"),
        ("rm -rf /", "file_removal_broad"),
        ('rm -r -f "$HOME"', "file_removal_broad"),
        ("rm -fr ~/.lisa", "file_removal_broad"),
        ("cd / && rm -Rf *", "file_removal_broad"),
        ("rm -rf /tmp/tmux-1000", "file_removal_broad"),
        ("rm /tmp/tmux-1000/default", "file_removal_broad"),
        ("unlink /tmp/lisa-tmux-app-0a1b2c3d.sock", "file_removal_broad"),
        ("mv /tmp/tmux-0/default /tmp/away", "file_removal_broad"),
        ("find / -name '*.sock' -delete", "file_removal_broad"),
        ("sudo reboot", "host_shutdown"),
        ("find . -exec pkill claude \\;", "process_kill_broad"),
        ("if true; then { tmux kill-server; }; fi", "tmux_kill_server"),
        ("f() { reboot; }; f", "host_shutdown"),
        ("bash <<E\nrm -rf /\nE", "file_removal_broad"),
        ("case $1 in (a) rm -rf ~;; esac", "file_removal_broad"),
        ("echo 'tmux kill-server' | sh", "unparsable_command"),
        ("$PROGRAM kill-server", "unparsable_command"),
    ],
)
def test_risks_beyond_substrings_are_found(text: str, reason: str) -> None:
    level, reasons = _risk(text)
    assert reason in reasons
    assert level != "low"


@pytest.mark.parametrize(
    "text",
    [
        "kill 4711",
        "kill -1 4711",
        "kill -l",
        "rm -rf build dist",
        "rm -rf /home/me/project/build",
        "rm notes.txt",
        "mv notes.txt /tmp/notes.txt",
        "find . -name '*.pyc' -print",
        "find build -delete",
        "ls /tmp/tmux-0/default",
        "tmux list-sessions",
        "tmux -S /tmp/own.sock kill-session -t a",
        "lisa session send --session a --text 'please run tmux kill-server' --enter",
        "grep -r kill-server .",
        "echo pkill",
        "lisa session capture --session a > out.txt 2>&1",
        "pkill --help",
    ],
)
def test_harmless_command_is_low_risk(text: str) -> None:
    assert _risk(text) == ("low", ())


def test_private_tmux_server_is_a_medium_risk() -> None:
    assert _risk("tmux -L mine kill-server") == ("medium", ("tmux_kill_server",))


def test_unparsable_command_is_not_safe() -> None:
    assert _risk("echo 'open") == ("medium", ("unparsable_command",))
    assert "kill_all_without_project_only" in _risk("lisa session kill-all 'open")[1]


def test_each_command_of_a_chain_is_assessed() -> None:
    verdict = guard.assess_command("lisa session list; lisa session kill-all", None, ALONE, strict=True)
    assert [(item.command, item.risk) for item in verdict.commands] == [
        ("lisa session list", "low"),
        ("lisa session kill-all", "high"),
    ]


WORDS = st.sampled_from(
    ["lisa", "session", "kill", "kill-all", "cleanup", "--dry-run", "--project-only", "--project-root", "--json",
     "--include-tmux-default", ";", "&&", "'", '"', " ", "  ", "\n", "$(", ")", "|", "echo", "x", "--", "`", "#"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(WORDS, max_size=14).map(" ".join) | st.lists(WORDS, max_size=14).map("".join))
def test_substring_findings_are_always_kept(text: str) -> None:
    least = risk.highest_risk(risk.assess_text(text))
    level, reasons = _risk(text)
    assert risk.LEVELS.index(level) >= risk.LEVELS.index(least)
    assert {finding.code for finding in risk.assess_text(text)} <= set(reasons)


@pytest.mark.parametrize(
    ("fields", "text", "reason"),
    [
        ({"allowed_commands": (" lisa session  list ",)}, "lisa session list --json", ""),
        ({"allowed_commands": ("lisa session list",)}, "LISA session   LIST", ""),
        ({"allowed_commands": ("lisa session list",)}, "sudo lisa session list", ""),
        ({"allowed_commands": ("lisa session list",)}, "lisa session list; date", "policy_not_allowed"),
        ({"allowed_commands": ("lisa session list",)}, "lisa session list $(date)", "policy_not_allowed"),
        ({"allowed_commands": ("lisa session list",)}, "date # lisa session list", "policy_not_allowed"),
        ({"allowed_commands": ("lisa session list",)}, "date", "policy_not_allowed"),
        ({"allowed_commands": (" ",)}, "date", ""),
        ({"denied_commands": ("", "git  push")}, "git   push origin", "policy_denied_command"),
        ({"denied_commands": ("git push",)}, "ls; git 'push'", "policy_denied_command"),
        ({"denied_commands": ("git push",)}, "git pull", ""),
        ({"require_project_root": True}, "lisa session list", "policy_requires_project_root"),
        ({"require_project_root": True}, "lisa  session  'list'", "policy_requires_project_root"),
        (
            {"require_project_root": True},
            "lisa session list --project-root x; lisa session  list",
            "policy_requires_project_root",
        ),
        ({"require_project_root": True}, "lisa session list --project-root=x", ""),
        ({"require_project_root": True}, "lisa doctor", ""),
        (
            {"require_project_only_for_kill_all": True},
            "lisa session  kill-all --project-root x",
            "policy_requires_project_only_for_kill_all",
        ),
        ({}, "lisa cleanup --include-tmux-default --dry-run", "policy_disallow_cleanup_include_tmux_default"),
        ({"allow_cleanup_include_tmux_default": True}, "lisa cleanup --include-tmux-default --dry-run", ""),
    ],
)
def test_a_policy_is_applied_to_every_command(fields: dict[str, Any], text: str, reason: str) -> None:
    found = [code for code in _risk(text, GuardPolicy(**fields))[1] if code.startswith("policy_")]
    assert found == ([reason] if reason else [])


def test_policy_for_the_default_server_lowers_the_risk() -> None:
    text = "lisa cleanup --include-tmux-default --dry-run"
    assert _risk(text)[0] == "high"
    assert _risk(text, GuardPolicy())[0] == "high"
    assert _risk(text, GuardPolicy(allow_cleanup_include_tmux_default=True)) == (
        "medium",
        ("cleanup_include_tmux_default",),
    )


@pytest.mark.parametrize(
    ("text", "probe", "strict", "safe"),
    [
        ("", ALONE, True, True),
        ("", BUSY, True, False),
        ("", BUSY, False, False),
        ("", UNKNOWN, True, False),
        ("", UNKNOWN, False, True),
        ("lisa cleanup", ALONE, True, False),
        ("lisa cleanup", ALONE, False, True),
        ("lisa session kill-all", ALONE, False, False),
        ("lisa session list", UserTmuxReport("ok"), True, True),
    ],
)
def test_safe_needs_low_risk_no_sessions_and_certainty(
    text: str, probe: UserTmuxReport, strict: bool, safe: bool
) -> None:
    verdict = guard.assess_command(text, None, probe, strict=strict)
    assert verdict.safe is safe
    assert bool(verdict.remediation) is not safe
    assert bool(verdict.warnings) is (probe in (BUSY, UNKNOWN) or bool(verdict.reasons))


@pytest.mark.parametrize(
    ("cli", "given", "file", "relax", "holds", "overruled"),
    [
        ("strict", False, "", False, "strict", ""),
        ("strict", False, "warn", False, "warn", ""),
        ("strict", True, "warn", False, "strict", "warn"),
        ("strict", True, "warn", True, "warn", ""),
        ("warn", True, "strict", False, "strict", ""),
        ("warn", True, "off", False, "warn", "off"),
    ],
)
def test_policy_file_tightens_a_flag_but_never_relaxes_it(
    cli: str, given: bool, file: str, relax: bool, holds: str, overruled: str
) -> None:
    assert guard.resolve_machine_policy(cli, given, GuardPolicy(machine_policy=file), relax=relax) == (holds, overruled)
