"""The hook decides by the rules of the session, without a person."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lisa_py import agents
from lisa_py.agents.launch import AgentLaunch, Facts
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.guard.tool_rules import ToolRules
from lisa_py.core.lifecycle import environment, launch
from lisa_py.store import json_records

RULES = ToolRules(allowed=("Bash(git:*)", "Edit"), denied=("Bash(rm:*)", "Write"))


def call_hook(
    folder: Path, event: str, payload: object, agent: str = "claude", rules: ToolRules = RULES
) -> tuple[dict[str, Any], list[str]]:
    """Return the answer of the hook and the events that it has recorded."""
    json_records.save(str(folder / "rules.json"), rules)
    for each in ("PermissionRequest", "PreToolUse"):
        script = environment.rule_script(agents.get(agent), each, str(folder / "rules.json"), rules)
        (folder / f"rule.{each}").write_text(script)
    argv = ["/bin/sh", launch.hook_path(), str(folder), event]
    text = payload if isinstance(payload, str) else json.dumps(payload)
    ran = subprocess.run(argv, input=text, capture_output=True, text=True, check=True, timeout=30)
    log = folder / "hooks.jsonl"
    recorded = [json.loads(line)["hook"] for line in log.read_text().splitlines()] if log.exists() else []
    return json.loads(ran.stdout)["hookSpecificOutput"] if ran.stdout else {}, recorded


def bash(command: str) -> dict[str, Any]:
    return {"tool_name": "Bash", "tool_input": {"command": command}}


def test_allowed_call_is_answered_and_not_recorded(tmp_path: Path) -> None:
    answer, recorded = call_hook(tmp_path, "PermissionRequest", bash("git log"))
    assert answer == {"hookEventName": "PermissionRequest", "decision": {"behavior": "allow"}}
    assert recorded == []


def test_denied_call_is_answered_with_the_reason(tmp_path: Path) -> None:
    answer, _ = call_hook(tmp_path, "PermissionRequest", bash("ls && rm -rf /"))
    assert answer["decision"] == {
        "behavior": "deny",
        "message": "a rule of this session denies Bash(rm:*); this call runs: rm -rf /",
    }
    answer, _ = call_hook(tmp_path, "PreToolUse", bash("rm x"), "codex")
    assert (answer["permissionDecision"], answer["hookEventName"]) == ("deny", "PreToolUse")


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("PermissionRequest", bash("ls")),
        ("PreToolUse", bash("git log")),
        ("PermissionRequest", {"tool_name": "AskUserQuestion", "tool_input": {}}),
        ("PermissionRequest", {"session_id": "x", "cut": True}),
        ("PermissionRequest", "no json"),
        ("PostToolUse", bash("git log")),
    ],
)
def test_other_calls_are_left_to_a_person(tmp_path: Path, event: str, payload: object) -> None:
    assert call_hook(tmp_path, event, payload) == ({}, [event])


def test_input_over_the_limit_does_not_pass_a_denied_prefix(tmp_path: Path) -> None:
    large = bash("echo " + "x" * 40_000 + "; rm -rf /")
    bypass = ToolRules(denied=("Bash(rm:*)",), permission_mode="bypassPermissions")
    answer, _ = call_hook(tmp_path, "PreToolUse", large, "codex", bypass)
    assert answer["permissionDecision"] == "deny"
    bare = ToolRules(denied=("Write",), permission_mode="bypassPermissions")
    assert call_hook(tmp_path, "PreToolUse", large, "codex", bare)[0] == {}


@pytest.mark.parametrize("broken", ["rules", "python"])
def test_denied_tools_stay_denied_where_rules_fail(
    tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = ToolRules(allowed=("Bash(git:*)",), denied=("Bash(rm:*)", "Write", "mcp__files"))
    if broken == "rules":
        monkeypatch.setattr(json_records, "save", lambda path, record: Path(path).write_text("{"))
    else:
        monkeypatch.setattr(environment, "build_python_command", lambda *words, isolation: "/absent/python -c x")

    def ask(tool: str, event: str = "PreToolUse", agent: str = "codex") -> tuple[dict[str, Any], list[str]]:
        return call_hook(
            tmp_path, event, {"session_id": "x", "tool_name": tool, "tool_input": {"a": "it's"}}, agent, rules
        )

    for tool in ("Bash", "apply_patch", "mcp__files", "mcp__files__read"):
        answer, recorded = ask(tool)
        assert answer["permissionDecision"] == "deny" and recorded == []
        assert "cannot be evaluated" in answer["permissionDecisionReason"]
    assert ask("Bash", "PermissionRequest", "claude")[0]["decision"]["behavior"] == "deny"
    for count, tool in enumerate(("Read", "mcp__filesystem", "Bashful"), 1):
        assert ask(tool) == ({}, ["PreToolUse"] * count)


def test_unreadable_call_is_asked_about_and_recorded(tmp_path: Path) -> None:
    answer, recorded = call_hook(tmp_path, "PreToolUse", bash("$X -rf /"))
    assert (answer["permissionDecision"], recorded) == ("ask", ["PreToolUse"])
    assert "may run it" in answer["permissionDecisionReason"]
    assert call_hook(tmp_path, "PermissionRequest", bash("$X -rf /")) == ({}, ["PreToolUse", "PermissionRequest"])


def test_unreadable_call_is_denied_where_no_dialog_opens(tmp_path: Path) -> None:
    answer, recorded = call_hook(tmp_path, "PreToolUse", bash("$X -rf /"), "codex")
    assert (answer["permissionDecision"], recorded) == ("deny", [])
    unattended = ToolRules(denied=("Bash(rm:*)",), unattended=True)
    assert call_hook(tmp_path, "PreToolUse", bash("$X"), rules=unattended)[0]["permissionDecision"] == "deny"


def test_patch_of_codex_counts_as_edit_and_write(tmp_path: Path) -> None:
    answer, _ = call_hook(tmp_path, "PermissionRequest", {"tool_name": "apply_patch", "tool_input": {}}, "codex")
    assert answer["decision"]["behavior"] == "deny", "Write is denied, and a patch may write"


def plan(mode: str, hooks: tuple[str, ...], **rules: tuple[str, ...]) -> Any:
    facts = Facts(binary="codex", version="0.171.0", flags=frozenset(f"hook {event}" for event in hooks))
    given = rules or {"allowed_tools": ("Read",), "denied_tools": ("Write",)}
    settings = SessionSettings(**given, permission_mode="acceptEdits")  # type: ignore[arg-type]
    request = AgentLaunch(mode=mode, prompt="x y", folder="/f", hook="/h", run_id="1", settings=settings)
    made = agents.get("codex").plan_launch(request, facts)
    return made.rule_events, list(made.warnings)


def test_codex_decides_at_the_hooks_that_it_has() -> None:
    every = ("SessionStart", "PreToolUse", "PermissionRequest")
    assert plan("interactive", every) == (("PreToolUse", "PermissionRequest"), [])
    allowed, denied = "allowed_tools is not applied: ", "denied_tools is not applied: "
    missing, never = "this version of codex has no hook for it", "a run of codex never asks"
    assert plan("exec", every) == (("PreToolUse",), [allowed + never])
    assert plan("exec", every, allowed_tools=("Read",)) == ((), [allowed + never])
    assert plan("exec", ()) == ((), [allowed + never, denied + missing])
    assert plan("interactive", ()) == ((), [allowed + missing, denied + missing])
