"""Decide about a tool call by allowed tools, denied tools and permission mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, structs

from lisa_py.contract.approvals import APPROVALS_FILE, ApprovalRule, ApprovalRules
from lisa_py.contract.session_settings import TOOL_PATTERN
from lisa_py.contract.tool_decisions import ToolDecision
from lisa_py.core.guard import call_rules, shell_stages
from lisa_py.core.guard.call_rules import RequestedCall, RuleMatch, begins, names_tool
from lisa_py.core.guard.session_rules import ToolRules, read_prefix
from lisa_py.core.guard.shell_stages import ShellStage

_NO_DIALOG = "no dialog can open in this session, so it was not run"
EDIT_TOOLS = frozenset(("Write", "Edit", "NotebookEdit", "MultiEdit"))
READ_TOOLS = frozenset(("Read", "Grep", "Glob", "LS", "NotebookRead", "TodoWrite", "TodoRead", "WebSearch"))
"""Tools that change nothing."""
QUESTION_TOOL = "AskUserQuestion"
"""Tool that asks a person: no rule can give the answer."""
_TWO_WORDS = frozenset(
    ("git", "npm", "npx", "yarn", "pnpm", "kubectl", "docker", "podman", "cargo", "go", "pip", "pip3", "uv", "poetry",
     "gh", "brew", "apt", "apt-get", "systemctl", "make", "terraform", "helm", "aws", "gcloud", "az", "dotnet", "bun")
)  # fmt: skip
"""Programs whose second word names what they do."""


class ToolVerdict(Struct, frozen=True):
    """The decision about one call."""

    decision: ToolDecision
    reason: str = ""
    """For a denial, and for a call that is asked about although its mode or a rule would allow it."""
    rule: str = ""
    """The rule that decides: a line of approvals.toml, or a pattern of the session."""


def decide(rules: ToolRules, call: RequestedCall, approvals: ApprovalRules | None = None) -> ToolVerdict:
    """Return the decision about one call: what is denied, else what is asked about, else what is allowed, else the
    permission mode. Rules of the user (`approvals`) and of the session count alike.
    """
    approvals = approvals or ApprovalRules()
    verdict = _find_objection(rules, call, approvals)
    if verdict is not None and verdict.decision == "ask" and not rules.can_ask:
        return structs.replace(verdict, decision="deny", reason=f"{verdict.reason}; {_NO_DIALOG}")
    if verdict is not None or call.tool == QUESTION_TOOL:
        return verdict or ToolVerdict("ask")
    allowing = _find_allowing(rules, call, approvals)
    if allowing is not None:
        return allowing
    return ToolVerdict(
        "allow" if any(_is_allowed_by_mode(rules.permission_mode, name) for name in call.names) else "ask"
    )


def _find_objection(rules: ToolRules, call: RequestedCall, approvals: ApprovalRules) -> ToolVerdict | None:
    """Return a denial, or else a reason to ask; None if no rule is against the call."""
    doubts: list[ToolVerdict] = []
    denied = map(_read_denied, rules.denied)
    for rule in (*denied, *approvals.rules):
        if rule.decision == "allow":
            continue
        found = call_rules.compare(rule, call)
        if found.matches and rule.decision == "deny":
            return ToolVerdict("deny", describe_denial(rule, call, found), name_rule(rule))
        if found.matches or found.doubt:
            doubts.append(ToolVerdict("ask", _describe_question(rule, found), name_rule(rule)))
    if approvals.problem:
        doubts.append(ToolVerdict("ask", f"the approval rules cannot be used: {approvals.problem}", APPROVALS_FILE))
    if approvals.exists and call_rules.touches(call, (approvals.file,)):
        doubts.append(ToolVerdict("ask", f"the call names the approval rules ({approvals.file})", APPROVALS_FILE))
    return doubts[0] if doubts else None


def _find_allowing(rules: ToolRules, call: RequestedCall, approvals: ApprovalRules) -> ToolVerdict | None:
    allowed = [rule for rule in approvals.rules if rule.decision == "allow"]
    for rule in allowed:
        if rule.paths and call_rules.covers_paths(rule, call):
            return ToolVerdict("allow", rule=name_rule(rule))
    ours: dict[str, str] = {}
    for rule in allowed:
        if not rule.paths:
            names = [f"Bash({prefix}:*)" for prefix in rule.commands] or rule.tools
            ours |= dict.fromkeys(names, name_rule(rule))
    stages = _read_stages(call.shell_name, call.given)
    for patterns in (rules.allowed, tuple(ours), (*rules.allowed, *ours)):
        if any(_is_allowed(patterns, name, stages) for name in call.names):
            used = [ours.get(pattern, pattern) for pattern in patterns if _is_used(pattern, call, stages)]
            return ToolVerdict("allow", rule=", ".join(dict.fromkeys(used)))
    return None


def _is_used(pattern: str, call: RequestedCall, stages: tuple[ShellStage, ...] | None) -> bool:
    """Return True if a pattern covers the tool, or a stage of the line."""
    prefix = read_prefix(pattern)
    if prefix is None:
        return any(names_tool(pattern, name) for name in call.names)
    return any(begins(stage.text, prefix) for stage in stages or ())


def name_rule(rule: ApprovalRule) -> str:
    """Return the place of a rule: its line, or the pattern of the session."""
    if rule.line:
        return f"{APPROVALS_FILE} line {rule.line}"
    return f"Bash({rule.commands[0]}:*)" if rule.commands else rule.tools[0]


def describe_denial(rule: ApprovalRule, call: RequestedCall, found: RuleMatch) -> str:
    if rule.line:
        named = f"{name_rule(rule)} denies {call.tool}"
    else:
        named = f"a rule of this session denies {name_rule(rule) if rule.commands else call.tool}"
    runs = f"; this call {found.shown}" if found.shown else ""
    return f"{named}{runs}" + (f" ({rule.reason})" if rule.reason else "")


def _describe_question(rule: ApprovalRule, found: RuleMatch) -> str:
    owner = name_rule(rule) if rule.line else "a rule of this session"
    why = f" ({rule.reason})" if rule.reason else ""
    if found.matches:
        return f"{owner} asks a person about it{why}"
    verb = "denies" if rule.decision == "deny" else "asks about"
    subject = f"Bash({rule.commands[0]}:*)" if rule.commands else "such a call"
    return f"{owner} {verb} {subject}, and this call may be one: {found.doubt}; write it plainly{why}"


def _read_denied(pattern: str) -> ApprovalRule:
    prefix = read_prefix(pattern)
    if prefix is None:
        return ApprovalRule(decision="deny", line=0, tools=(pattern,))
    return ApprovalRule(decision="deny", line=0, commands=(prefix,))


def _is_allowed_by_mode(mode: str, tool_name: str) -> bool:
    if mode == "acceptEdits":
        return tool_name in EDIT_TOOLS
    return mode == "bypassPermissions" or (mode == "plan" and tool_name in READ_TOOLS)


def covers(pattern: str, tool_name: str, tool_input: Mapping[str, Any]) -> bool:
    """Return True if one pattern allows the whole call."""
    return _is_allowed((pattern,), tool_name, _read_stages(tool_name, tool_input))


def derive_patterns(tool_name: str, tool_input: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the patterns that allow calls like this one for the rest of a session; none: only this call."""
    stages = _read_stages(tool_name, tool_input)
    if stages is None:
        return () if tool_name == QUESTION_TOOL else (tool_name,)
    if any(stage.opaque or not stage.words for stage in stages):
        return ()
    found = (" ".join(stage.words[: 2 if stage.words[0] in _TWO_WORDS else 1]) for stage in stages)
    patterns = tuple(dict.fromkeys(f"Bash({prefix}:*)" for prefix in found))
    return patterns if all(map(is_pattern, patterns)) else ()


def is_pattern(text: str) -> bool:
    """Return True for a tool name, `Bash(PREFIX:*)`, `mcp__SERVER` or `mcp__SERVER__TOOL`."""
    return TOOL_PATTERN.match(text) is not None


def _read_stages(tool_name: str, tool_input: Mapping[str, Any]) -> tuple[ShellStage, ...] | None:
    """Return the stages of a shell call; None for any other tool."""
    if tool_name != "Bash":
        return None
    command = tool_input.get("command")
    return shell_stages.split_stages(command) if isinstance(command, str) else ()


def _is_allowed(patterns: Iterable[str], tool_name: str, stages: tuple[ShellStage, ...] | None) -> bool:
    """Return True if the tool, or every stage of a shell line, matches some pattern."""
    prefixes = []
    for pattern in patterns:
        prefix = read_prefix(pattern)
        if prefix is not None:
            prefixes.append(prefix)
        elif names_tool(pattern, tool_name):
            return True
    return bool(stages) and all(
        not stage.opaque and any(begins(stage.text, prefix) for prefix in prefixes) for stage in stages or ()
    )
