"""The PermissionRequest hook: the calls that it asks about, and the answer that it prints (claude and codex)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from lisa_py.agents.base import HookAnswer
from lisa_py.contract import jsontext
from lisa_py.contract.dialogs import PermissionCall
from lisa_py.contract.tool_decisions import ToolDecision

_SCOPED = re.compile(r"(\w+)\((.*)\)\Z", re.DOTALL)
_CALL_ENDS = ("PostToolUse", "PostToolUseFailure")
_TURN_ENDS = ("Stop", "StopFailure", "UserPromptSubmit", "SessionStart", "SessionEnd")


class _CallHook(Struct):
    """One PreToolUse."""

    id: str
    tool_name: str
    tool_input: object


def list_permission_calls(hooks: Sequence[Mapping[str, object]], *, ended: bool = False) -> tuple[PermissionCall, ...]:
    """Return the calls that the hooks ask about and that have not ended (or all), oldest first.

    claude names the id of a call only in its PreToolUse; of parallel calls these come first, in any order (2.1.197).
    """
    begun: list[_CallHook] = []
    asked: list[PermissionCall] = []
    for hook in hooks:
        name = hook.get("hook")
        if name == "PreToolUse":
            begun.append(_CallHook(_text(hook, "tool_use_id"), _text(hook, "tool_name"), hook.get("tool_input")))
        elif name == "PermissionRequest":
            asked.append(_find_call(hook, begun))
        elif name in _CALL_ENDS:
            done = _text(hook, "tool_use_id")
            begun = [call for call in begun if call.id != done]
            asked = [call for call in asked if ended or not done or call.tool_use_id != done]
        elif name in _TURN_ENDS and not hook.get("agent_id"):
            begun, asked = [], asked if ended else []
    return tuple(asked)


def _find_call(hook: Mapping[str, object], begun: list[_CallHook]) -> PermissionCall:
    name, given = _text(hook, "tool_name"), hook.get("tool_input")
    named = [call for call in begun if call.tool_name == name]
    same = [call for call in named if call.tool_input == given]
    if not same and len(named) == 1:
        same = named  # claude removes unknown keys of the input for the request alone
    if same:
        begun.remove(same[0])
    at = hook.get("at")
    moment = float(at) if isinstance(at, int | float) else 0.0
    return PermissionCall(
        key=_text(hook, "dialog") or f"{moment:.6f}",
        at=moment,
        tool_name=name,
        tool_input=given,
        tool_use_id=_text(hook, "tool_use_id") or (same[0].id if same else ""),
    )


def _text(hook: Mapping[str, object], key: str) -> str:
    value = hook.get(key)
    return value if isinstance(value, str) else ""


def format_answer(answer: HookAnswer, tool_input: object) -> str:
    """Return what the waiting hook prints, in one line (2.1.332; 2.1.197 takes the same)."""
    decision: dict[str, Any] = {"behavior": "deny" if answer.denied else "allow"}
    if answer.denied:
        decision["message"] = answer.message or "denied by the user"
    elif answer.answers:
        given = tool_input if isinstance(tool_input, Mapping) else {}
        decision["updatedInput"] = {**given, "answers": dict(answer.answers)}
    elif answer.updated_input is not None:
        decision["updatedInput"] = dict(answer.updated_input)
    if answer.patterns:
        decision["updatedPermissions"] = [
            {
                "type": "addRules",
                "rules": _format_rules(answer.patterns),
                "behavior": "allow",
                "destination": "session",
            }
        ]
    return jsontext.encode_exact({"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}})


def _format_rules(patterns: Sequence[str]) -> list[dict[str, str]]:
    """Return claude's rules for patterns such as `Bash(git:*)` and `Write`."""
    found = []
    for pattern in patterns:
        scoped = _SCOPED.match(pattern)
        found.append({"toolName": scoped[1], "ruleContent": scoped[2]} if scoped else {"toolName": pattern})
    return found


def format_rule_answer(event: str, decision: ToolDecision, reason: str, *, can_ask: bool = True) -> str:
    """Return the decision of a hook in the words of claude, which codex takes as well.

    `can_ask`: a PreToolUse can open a dialog; where it cannot, a call that a person should see is denied.
    """
    if event == "PreToolUse" and decision == "ask" and not can_ask:
        decision = "deny"
    output: dict[str, Any] = {"hookEventName": event}
    if event == "PermissionRequest" and decision != "ask":
        denial = {"behavior": "deny", "message": reason}
        output["decision"] = denial if decision == "deny" else {"behavior": "allow"}
    elif event == "PreToolUse" and decision != "allow":
        output |= {"permissionDecision": decision, "permissionDecisionReason": reason}
    else:
        return ""
    return jsontext.encode_exact({"hookSpecificOutput": output})


def format_early_allowance(event: str) -> str:
    """Return the allowance of a PreToolUse: a run of an older claude has no PermissionRequest (2.1.197)."""
    if event != "PreToolUse":
        return ""
    return jsontext.encode_exact({"hookSpecificOutput": {"hookEventName": event, "permissionDecision": "allow"}})
