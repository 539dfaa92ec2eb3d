"""The hook decides by the rules of the session, without a person."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lisa_py import agents
from lisa_py.agents.launch import AgentLaunch, Facts
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.guard.session_rules import SessionRules, ToolRules
from lisa_py.core.lifecycle import environment, launch
from lisa_py.store import approval_log, json_records

RULES = ToolRules(allowed=("Bash(git:*)", "Edit"), denied=("Bash(rm:*)", "Write"))


def call_hook(
    folder: Path, event: str, payload: object, agent: str = "claude", rules: ToolRules = RULES
) -> tuple[dict[str, Any], list[str]]:
    """Return the answer of the hook and the events that it has recorded."""
    setup = SessionRules(
        rules=rules, state_dir=str(folder / "state"), session="s", project_root="/p", folder="/p", run_id="r"
    )
    json_records.save(str(folder / "rules.json"), setup)
    for each in ("PermissionRequest", "PreToolUse"):
        script = environment.rule_script(agents.get(agent), each, str(folder / "rules.json"), setup)
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
    assert "may be one" in answer["permissionDecisionReason"]
    assert call_hook(tmp_path, "PermissionRequest", bash("$X -rf /")) == ({}, ["PreToolUse", "PermissionRequest"])


def test_unreadable_call_is_denied_where_no_dialog_opens(tmp_path: Path) -> None:
    answer, recorded = call_hook(tmp_path, "PreToolUse", bash("$X -rf /"), "codex")
    assert (answer["permissionDecision"], recorded) == ("deny", [])
    unattended = ToolRules(denied=("Bash(rm:*)",), unattended=True)
    assert call_hook(tmp_path, "PreToolUse", bash("$X"), rules=unattended)[0]["permissionDecision"] == "deny"


NONE = ToolRules()


def write_approvals(folder: Path, text: str, mode: int = 0o600) -> None:
    path = folder / "state" / "approvals.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def read_log(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "state" / "approvals").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_approval_rules_are_read_at_each_call(tmp_path: Path) -> None:
    assert call_hook(tmp_path, "PermissionRequest", bash("touch x"), rules=NONE) == ({}, ["PermissionRequest"])
    write_approvals(tmp_path, "[[allow]]\ncommand = 'touch'\n")
    answer, _ = call_hook(tmp_path, "PermissionRequest", bash("touch x"), rules=NONE)
    assert answer["decision"] == {"behavior": "allow"}
    write_approvals(tmp_path, "[[deny]]\ncommand = 'touch'\n")
    answer, _ = call_hook(tmp_path, "PreToolUse", bash("touch x"), rules=NONE)
    assert answer["permissionDecision"] == "deny" and "approvals.toml line 1" in answer["permissionDecisionReason"]
    write_approvals(tmp_path, "[[deny]]\ncomand = 'touch'\n")
    answer, recorded = call_hook(tmp_path, "PreToolUse", bash("ls"), rules=NONE)
    assert (answer["permissionDecision"], recorded[-1]) == ("ask", "PreToolUse")
    assert "line 2: comand" in answer["permissionDecisionReason"]
    assert [(each["decision"], each["rule"]) for each in read_log(tmp_path)] == [
        ("allow", "approvals.toml line 1"),
        ("deny", "approvals.toml line 1"),
        ("ask", "approvals.toml"),
    ]


def test_rules_that_others_can_write_allow_nothing(tmp_path: Path) -> None:
    write_approvals(tmp_path, "[[allow]]\ntool = 'Bash'\n", 0o666)
    answer, _ = call_hook(tmp_path, "PreToolUse", bash("ls"), rules=NONE)
    assert answer["permissionDecision"] == "ask" and "other users may write" in answer["permissionDecisionReason"]
    answer, _ = call_hook(tmp_path, "PreToolUse", bash("ls"), "codex", NONE)
    assert answer["permissionDecision"] == "deny" and "0666" in answer["permissionDecisionReason"]


def test_run_is_allowed_by_the_user_before_its_call(tmp_path: Path) -> None:
    write_approvals(tmp_path, "[[allow]]\ncommand = 'touch'\n")
    run = ToolRules(unattended=True)
    answer, recorded = call_hook(tmp_path, "PreToolUse", bash("touch x"), rules=run)
    assert (answer["permissionDecision"], recorded) == ("allow", [])
    assert call_hook(tmp_path, "PreToolUse", bash("touch x"), "codex", run)[0] == {}, "codex takes no such answer"
    assert call_hook(tmp_path, "PreToolUse", bash("touch x"), rules=NONE)[0] == {}, "its PermissionRequest decides"


def test_patch_in_a_command_line_names_its_files(tmp_path: Path) -> None:
    write_approvals(tmp_path, "[[deny]]\npath = '/p/secrets'\n")
    patch = "apply_patch <<'E'\n*** Begin Patch\n*** Add File: secrets/x\n+a\n*** End Patch\nE"
    answer, _ = call_hook(tmp_path, "PreToolUse", bash(patch), "codex", NONE)
    assert answer["permissionDecision"] == "deny" and "names secrets/x" in answer["permissionDecisionReason"]


def test_log_has_the_decision_without_secrets(tmp_path: Path) -> None:
    json_records.save(str(tmp_path / "masked.json"), ("planted-value-1234",))
    (tmp_path / "masked.json").chmod(0o600)
    token = "ghp_" + "a1B2" * 9
    call = bash(f"rm x planted-value-1234; curl -H 'Authorization: Bearer {token}' u") | {"tool_use_id": "toolu_1"}
    call_hook(tmp_path, "PermissionRequest", call)
    (entry,) = read_log(tmp_path)
    assert "planted-value" not in str(entry) and token not in str(entry)
    assert entry["input"].startswith("rm x ")
    assert {key: entry[key] for key in ("session", "projectRoot", "runId", "agent", "tool", "by", "rule", "id")} == {
        "session": "s", "projectRoot": "/p", "runId": "r", "agent": "claude", "tool": "Bash", "by": "rule",
        "rule": "Bash(rm:*)", "id": "toolu_1",
    }  # fmt: skip


def test_decision_counts_where_the_log_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "approvals").write_text("in the way of the folder")
    answer, _ = call_hook(tmp_path, "PermissionRequest", bash("rm x"))
    assert answer["decision"]["behavior"] == "deny"
    assert "the decision is not in the log of approvals" in answer["decision"]["message"]
    assert call_hook(tmp_path, "PermissionRequest", bash("git log"))[0]["decision"]["behavior"] == "allow"


def test_rules_of_the_user_fail_closed_without_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "build_python_command", lambda *words, isolation: "/absent/python -c x")
    assert call_hook(tmp_path, "PreToolUse", bash("ls"), rules=NONE)[0] == {}, "there is no file"
    write_approvals(tmp_path, "[[allow]]\ntool = 'Bash'\n")
    answer, recorded = call_hook(tmp_path, "PreToolUse", bash("ls"), rules=NONE)
    assert (answer["permissionDecision"], recorded[-1]) == ("ask", "PreToolUse")
    unattended = ToolRules(unattended=True)
    assert call_hook(tmp_path, "PreToolUse", bash("ls"), rules=unattended)[0]["permissionDecision"] == "deny"


def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    code = (
        "import sys; from lisa_py.contract.approvals import ApprovalEntry as E\n"
        "import lisa_py.store.approval_log as log\n"
        "for n in range(40): log.append(sys.argv[1], E(at='2026-01-01T00:00:00Z', session=sys.argv[2],"
        " project_root='/p', tool='Bash', decision='deny', by='rule', input='x' * 3000))"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(number)]) for number in range(3)]
    assert [each.wait(timeout=30) for each in started] == [0, 0, 0]
    entries = list(approval_log.read(str(tmp_path)))
    assert len(entries) == 120 and None not in entries


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
