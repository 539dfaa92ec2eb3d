"""Decide about a tool call by allowed tools, denied tools and permission mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from lisa_py.contract.quoting import quote_posix
from lisa_py.contract.session_settings import TOOL_PATTERN, SessionSettings
from lisa_py.contract.tool_decisions import ToolDecision
from lisa_py.core.guard import shell_parser, shell_stages
from lisa_py.core.guard.shell_parser import ShellCommand, ShellReading
from lisa_py.core.guard.shell_stages import ShellStage

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
    unattended: bool = False
    """No dialog can open: the session skips permissions, or it is a run."""

    @property
    def can_ask(self) -> bool:
        return not self.unattended and self.permission_mode != "bypassPermissions"


class ToolVerdict(Struct, frozen=True):
    """The decision about one call."""

    decision: ToolDecision
    reason: str = ""
    """For a denial, and for a call that is asked about although its mode or a rule would allow it."""


def read_rules(settings: SessionSettings) -> ToolRules:
    """Return the rules in the settings of a session."""
    return ToolRules(
        allowed=settings.allowed_tools or (),
        denied=settings.denied_tools or (),
        permission_mode=settings.permission_mode or "",
    )


def decide(rules: ToolRules, tool_name: str, tool_input: Mapping[str, Any], aliases: Sequence[str] = ()) -> ToolVerdict:
    """Return the decision about one call: a denied tool, else an allowed one, else the permission mode.

    `aliases` are further names of the tool in patterns.
    """
    names = (tool_name, *aliases)
    shell = "Bash" if "Bash" in names else tool_name
    denial = find_denial(rules.denied, names, _read_line(shell, tool_input))
    if denial is not None and (denial.decision == "deny" or not rules.can_ask):
        return ToolVerdict("deny", denial.reason)
    if denial is not None:
        return denial
    if tool_name == QUESTION_TOOL:
        return ToolVerdict("ask")
    stages = _read_stages(shell, tool_input)
    if any(_is_allowed(rules.allowed, name, stages) for name in names):
        return ToolVerdict("allow")
    return ToolVerdict("allow" if any(_is_allowed_by_mode(rules.permission_mode, name) for name in names) else "ask")


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


def _read_line(tool_name: str, tool_input: Mapping[str, Any]) -> ShellReading | None:
    """Return what a shell call runs, with everything in it; None for any other tool."""
    if tool_name != "Bash":
        return None
    command = tool_input.get("command")
    if isinstance(command, list) and all(isinstance(word, str) for word in command):
        command = " ".join(map(quote_posix, command))
    if not isinstance(command, str):
        return ShellReading((), broken="its input is not known")
    return shell_parser.read_line(command)


def find_denial(patterns: Iterable[str], names: Sequence[str], line: ShellReading | None) -> ToolVerdict | None:
    """Return the verdict of denied patterns: a denial, a question where a call may hide a denied command, or None."""
    doubt: ToolVerdict | None = None
    for pattern in patterns:
        prefix = _read_prefix(pattern)
        if prefix is None:
            named = [name for name in names if _names_tool(pattern, name)]
            if named:
                return ToolVerdict("deny", f"a rule of this session denies {names[0]}")
        elif line is not None:
            found = next((command for command in line.commands if _runs(command, prefix)), None)
            if found is not None:
                return ToolVerdict(
                    "deny", f"a rule of this session denies {pattern}; this call runs: {found.text[:200]}"
                )
            if doubt is None and (why := _explain_doubt(line, prefix)):
                doubt = ToolVerdict(
                    "ask", f"a rule of this session denies {pattern}, and this call may run it: {why}; write it plainly"
                )
    return doubt


def _runs(command: ShellCommand, prefix: str) -> bool:
    """Return True if the command begins with a prefix, its program with or without a path."""
    return any(_begins(text, prefix) for text in _spell(command))


def _spell(command: ShellCommand) -> tuple[str, ...]:
    program, *rest = command.words
    return command.text, " ".join((program.rpartition("/")[2], *rest))


def _explain_doubt(line: ShellReading, prefix: str) -> str:
    """Return why a line may run a command of a prefix that it does not show; empty if it cannot."""
    if line.broken:
        return f"it cannot be parsed ({line.broken})"
    if line.hidden:
        return f"what it runs is only known when it runs ({line.hidden[:200]})"
    wanted = prefix.split()
    for command in line.commands:
        known = [command.words[0].rpartition("/")[2], *command.words[1:]][: command.known]
        is_open = command.is_extended or command.known < len(command.words)
        if is_open and command.known < len(wanted) and known == wanted[: command.known]:
            return f"what it runs is only known when it runs ({command.text[:200]})"
    return ""


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
