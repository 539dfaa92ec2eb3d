"""core/guard: approval rules of the user decide together with the rules of a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lisa_py import agents
from lisa_py.contract.approvals import ApprovalRules
from lisa_py.core.guard import approval_file, tool_rules
from lisa_py.core.guard.call_rules import RequestedCall
from lisa_py.core.guard.session_rules import ToolRules
from lisa_py.core.guard.tool_rules import ToolVerdict

RULES = """
[[deny]]
command = "git push"
reason = "ask me for a release"

[[deny]]
path = ["secrets", "**/*.pem"]

[[ask]]
command = "npm publish"

[[ask]]
tool = "WebFetch"

[[allow]]
command = ["git", "npm"]

[[allow]]
path = "src/**"

[[allow]]
tool = "mcp__files"
path = "/srv/data"

[[allow]]
tool = "Task"
"""


def decide(root: Path, tool: str, text: str = RULES, rules: ToolRules | None = None, **given: Any) -> ToolVerdict:
    approvals = ApprovalRules(file=str(root / "approvals.toml"), exists=True, rules=approval_file.parse_rules(text))
    paths = agents.get("claude").list_call_paths(tool, given)
    call = RequestedCall(tool=tool, given=given, paths=paths, folder=str(root), root=str(root))
    return tool_rules.decide(rules or ToolRules(), call, approvals)


@pytest.mark.parametrize(
    ("command", "decision", "rule"),
    [
        ("git status", "allow", "approvals.toml line 15"),
        ("git status && npm test", "allow", "approvals.toml line 15"),
        ("git status && ls", "ask", ""),
        ("ls && git push origin", "deny", "approvals.toml line 2"),
        ("sh -c 'git push'", "deny", "approvals.toml line 2"),
        ("npm publish", "ask", "approvals.toml line 9"),
        ("$X push", "ask", "approvals.toml line 2"),
        ("cat secrets/key", "deny", "approvals.toml line 6"),
        ("cat <./secrets/key", "deny", "approvals.toml line 6"),
        ("cat a/../secrets/key", "deny", "approvals.toml line 6"),
        ("tar --file=a/b/x.pem", "deny", "approvals.toml line 6"),
        ("cat secrets.txt", "ask", ""),
        ("cat approvals.toml", "ask", "approvals.toml"),
    ],
)
def test_command_is_decided_by_the_strictest_rule(tmp_path: Path, command: str, decision: str, rule: str) -> None:
    verdict = decide(tmp_path, "Bash", command=command)
    assert (verdict.decision, verdict.rule) == (decision, rule)


@pytest.mark.parametrize(
    ("tool", "path", "decision"),
    [
        ("Read", "src/a/b.py", "allow"),
        ("Write", "src/x", "allow"),
        ("Write", "src/../x", "ask"),
        ("Write", "srcx/a", "ask"),
        ("Read", "secrets/key", "deny"),
        ("Read", "src/../secrets", "deny"),
        ("Read", "src/deep/x.pem", "deny"),
        ("mcp__files__write", "/srv/data/x", "allow"),
        ("mcp__files__write", "src/x", "ask"),
        ("mcp__other__write", "src/x", "ask"),
    ],
)
def test_path_is_decided_by_glob(tmp_path: Path, tool: str, path: str, decision: str) -> None:
    key = "path" if tool.startswith("mcp__") else "file_path"
    assert decide(tmp_path, tool, **{key: path}).decision == decision


def test_link_out_of_an_allowed_folder_is_not_allowed(tmp_path: Path) -> None:
    for name in ("src", "secrets", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "src" / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "src" / "key").symlink_to(tmp_path / "secrets" / "key")
    assert decide(tmp_path, "Write", file_path="src/out/x").decision == "ask"
    assert decide(tmp_path, "Write", file_path="src/key").decision == "deny"


def test_rules_of_session_and_user_count_alike(tmp_path: Path) -> None:
    session = ToolRules(allowed=("Bash(ls:*)", "Bash(git push:*)", "WebFetch"), denied=("Task",))
    assert decide(tmp_path, "Bash", rules=session, command="ls && git log").decision == "allow"
    assert decide(tmp_path, "Bash", rules=session, command="git push").decision == "deny"
    assert decide(tmp_path, "WebFetch", rules=session, url="x").decision == "ask"
    assert decide(tmp_path, "Task", rules=session).decision == "deny"
    assert decide(tmp_path, "AskUserQuestion", text="[[allow]]\ntool = 'AskUserQuestion'").decision == "ask"


def test_reason_names_line_match_and_words_of_the_user(tmp_path: Path) -> None:
    verdict = decide(tmp_path, "Bash", command="cd x; git push -f")
    assert verdict.reason == "approvals.toml line 2 denies Bash; this call runs: git push -f (ask me for a release)"
    verdict = decide(tmp_path, "WebFetch", rules=ToolRules(unattended=True), url="x")
    assert verdict.decision == "deny" and "no dialog can open" in verdict.reason


def test_unusable_file_allows_nothing(tmp_path: Path) -> None:
    broken = ApprovalRules(file="/f", exists=True, problem="/f: line 3: comand: unknown key")
    call = RequestedCall(tool="Read", given={})
    everything = ToolRules(allowed=("Read",), permission_mode="acceptEdits")
    verdict = tool_rules.decide(everything, call, broken)
    assert verdict.decision == "ask" and "line 3: comand" in verdict.reason
    assert tool_rules.decide(ToolRules(unattended=True), call, broken).decision == "deny"
    assert tool_rules.decide(ToolRules(denied=("Read",)), call, broken).decision == "deny"


def test_input_over_the_limit_may_hold_a_denied_path(tmp_path: Path) -> None:
    rules = ApprovalRules(file="/f", exists=True, rules=approval_file.parse_rules(RULES))
    call = RequestedCall(tool="Write", is_cut=True, folder=str(tmp_path), root=str(tmp_path))
    assert tool_rules.decide(ToolRules(allowed=("Write",)), call, rules).decision == "ask"


def test_patch_of_codex_names_its_files() -> None:
    patch = "*** Begin Patch\n*** Update File: src/a b.py\n*** Move to: secrets/x\n@@\n-a\n+b\n*** Add File: c\n"
    assert agents.get("codex").list_call_paths("apply_patch", {"command": patch}) == ("src/a b.py", "secrets/x", "c")
