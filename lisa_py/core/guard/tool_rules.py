"""Decide about a tool call by allowed tools, denied tools and permission mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from lisa_py.contract.session_settings import TOOL_PATTERN, SessionSettings
from lisa_py.core.guard import shell_stages
from lisa_py.core.guard.shell_stages import ShellStage

ToolDecision = Literal["allow", "deny", "ask"]
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


class ToolRules(Struct, frozen=True, kw_only=True):
    """Rules of one session."""

    allowed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    permission_mode: str = ""
    """acceptEdits, plan, bypassPermissions; empty: what no pattern covers is asked."""


def read_rules(settings: SessionSettings) -> ToolRules:
    """Return the rules in the settings of a session."""
    return ToolRules(
        allowed=settings.allowed_tools or (),
        denied=settings.denied_tools or (),
        permission_mode=settings.permission_mode or "",
    )


def decide(
    rules: ToolRules, tool_name: str, tool_input: Mapping[str, Any], aliases: Sequence[str] = ()
) -> ToolDecision:
    """Return the decision about one call: a denied tool, else an allowed one, else the permission mode.

    `aliases` are further names of the tool in patterns.
    """
    names = (tool_name, *aliases)
    stages = _read_stages("Bash" if "Bash" in names else tool_name, tool_input)
    if any(_is_denied(rules.denied, name, stages) for name in names):
        return "deny"
    if tool_name == QUESTION_TOOL:
        return "ask"
    if any(_is_allowed(rules.allowed, name, stages) for name in names):
        return "allow"
    return "allow" if any(_is_allowed_by_mode(rules.permission_mode, name) for name in names) else "ask"


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


def list_denied_tools(rules: ToolRules, aliases: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the tools of which the rules deny some calls; `aliases`: further names of tools in patterns."""
    named = ["Bash" if _read_prefix(pattern) is not None else pattern for pattern in rules.denied]
    more = [tool for tool, others in aliases.items() if any(name in others for name in named)]
    return tuple(dict.fromkeys((*named, *more)))


def _read_stages(tool_name: str, tool_input: Mapping[str, Any]) -> tuple[ShellStage, ...] | None:
    """Return the stages of a shell call; None for any other tool."""
    if tool_name != "Bash":
        return None
    command = tool_input.get("command")
    return shell_stages.split_stages(command) if isinstance(command, str) else ()


def _is_denied(patterns: Iterable[str], tool_name: str, stages: tuple[ShellStage, ...] | None) -> bool:
    """Return True if the tool, or any stage of a shell line, matches a pattern; also behind keywords and quotes."""
    for pattern in patterns:
        prefix = _read_prefix(pattern)
        if prefix is None:
            if _names_tool(pattern, tool_name):
                return True
        elif any(
            not stage.opaque and any(_begins(text, prefix) for text in (stage.text, stage.value, stage.command))
            for stage in stages or ()
        ):
            return True
    return False


def _is_allowed(patterns: Iterable[str], tool_name: str, stages: tuple[ShellStage, ...] | None) -> bool:
    """Return True if the tool, or every stage of a shell line, matches some pattern."""
    prefixes = []
    for pattern in patterns:
        prefix = _read_prefix(pattern)
        if prefix is not None:
            prefixes.append(prefix)
        elif _names_tool(pattern, tool_name):
            return True
    return bool(stages) and all(
        not stage.opaque and any(_begins(stage.text, prefix) for prefix in prefixes) for stage in stages or ()
    )


def _read_prefix(pattern: str) -> str | None:
    """Return the prefix of a scoped pattern; None for the name of a tool."""
    found = TOOL_PATTERN.match(pattern)
    return found["prefix"] if found else None


def _names_tool(pattern: str, tool_name: str) -> bool:
    return tool_name == pattern or (pattern.startswith("mcp__") and tool_name.startswith(pattern + "__"))


def _begins(text: str, prefix: str) -> bool:
    return text == prefix or text.startswith(prefix + " ")
