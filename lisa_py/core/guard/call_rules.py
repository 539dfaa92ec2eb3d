"""Compare one tool call with the conditions of one rule: tool, command, path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from msgspec import Struct

from lisa_py.contract.approvals import ApprovalRule
from lisa_py.contract.quoting import quote_posix
from lisa_py.core.guard import shell_parser, shell_paths
from lisa_py.core.guard.shell_parser import ShellCommand, ShellReading
from lisa_py.core.guard.shell_paths import NamedPath
from lisa_py.host import files

FILE_TOOLS = frozenset(
    ("Read", "Grep", "Glob", "LS", "NotebookRead", "Write", "Edit", "NotebookEdit", "MultiEdit", "apply_patch")
)
"""Tools that a rule with a path alone can allow."""
_SHOWN = 200
"""Characters of a command in a reason."""


class RequestedCall(Struct, kw_only=True, dict=True):
    """One call of a tool, as the hook of an agent reports it."""

    tool: str
    given: Mapping[str, Any] = {}
    """Its input."""
    aliases: tuple[str, ...] = ()
    """Further names of the tool in rules."""
    paths: tuple[str, ...] = ()
    """Files that it reads or writes."""
    is_cut: bool = False
    """Its input was over the limit of the hook and is not known."""
    folder: str = ""
    """Working folder of the agent at the call."""
    may_move: bool = False
    """The call may run in another folder, which the agent does not report."""
    root: str = ""
    """Working folder of the session: relative globs begin there."""
    environ: Mapping[str, str] = {}
    """Variables of its shell."""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.tool, *self.aliases)

    @property
    def shell_name(self) -> str:
        return "Bash" if "Bash" in self.names else self.tool

    @cached_property
    def line(self) -> ShellReading | None:
        """Commands of a shell call, with everything in them; None for any other tool."""
        if self.shell_name != "Bash":
            return None
        command = self.given.get("command")
        if isinstance(command, list) and all(isinstance(word, str) for word in command):
            command = " ".join(map(quote_posix, command))
        if not isinstance(command, str):
            return ShellReading((), broken="its input is not known")
        return shell_parser.read_line(command)

    @cached_property
    def named(self) -> tuple[NamedPath, ...]:
        """Paths that it names; in a shell line any word may be one."""
        folder = self.folder or self.root or "/"
        given = [NamedPath(name, path) for name in self.paths if name for path in shell_paths.spell_path(folder, name)]
        stages = self.line.stages if self.line is not None else ()
        return (*given, *shell_paths.list_paths(stages, folder, self.environ, may_move=self.may_move))


class RuleMatch(Struct, frozen=True, kw_only=True):
    """The result of a comparison; without a match and a doubt the rule does not concern the call."""

    matches: bool = False
    doubt: str = ""
    """Why the call may match."""
    shown: str = ""
    """The part that matches: `runs: rm x`."""


_NO = RuleMatch()
_YES = RuleMatch(matches=True)


def compare(rule: ApprovalRule, call: RequestedCall) -> RuleMatch:
    """Compare a call with a rule that denies or asks: all conditions must hold, or not be known."""
    results = []
    if rule.tools:
        named = any(names_tool(pattern, name) for pattern in rule.tools for name in call.names)
        results.append(_YES if named else _NO)
    if rule.commands:
        results.append(_compare_commands(rule.commands, call.line) if call.line is not None else _NO)
    if rule.paths:
        results.append(_compare_paths(rule.paths, call))
    if any(not each.matches and not each.doubt for each in results):
        return _NO
    doubt = next((each.doubt for each in results if each.doubt), "")
    shown = next((each.shown for each in results if each.shown), "")
    return RuleMatch(matches=not doubt, doubt=doubt, shown=shown)


def _compare_commands(prefixes: Sequence[str], line: ShellReading) -> RuleMatch:
    for prefix in prefixes:
        found = next((command for command in line.commands if _runs(command, prefix)), None)
        if found is not None:
            return RuleMatch(matches=True, shown=f"runs: {found.text[:_SHOWN]}")
    return RuleMatch(doubt=next(filter(None, (_explain_doubt(line, prefix) for prefix in prefixes)), ""))


def _runs(command: ShellCommand, prefix: str) -> bool:
    """Return True if the command begins with a prefix, its program with or without a path."""
    program, *rest = command.words
    bare = " ".join((program.rpartition("/")[2], *rest))
    return begins(command.text, prefix) or begins(bare, prefix)


def _explain_doubt(line: ShellReading, prefix: str) -> str:
    """Return why a line may run a command of a prefix that it does not show; empty if it cannot."""
    if line.broken:
        return f"it cannot be parsed ({line.broken})"
    if line.hidden:
        return f"what it runs is only known when it runs ({line.hidden[:_SHOWN]})"
    wanted = prefix.split()
    for command in line.commands:
        known = [command.words[0].rpartition("/")[2], *command.words[1:]][: command.known]
        is_open = command.is_extended or command.known < len(command.words)
        if is_open and command.known < len(wanted) and known == wanted[: command.known]:
            return f"what it runs is only known when it runs ({command.text[:_SHOWN]})"
    return ""


def names_tool(pattern: str, tool_name: str) -> bool:
    """Return True if a pattern is the name of a tool, or of the server that has it."""
    return tool_name == pattern or (pattern.startswith("mcp__") and tool_name.startswith(pattern + "__"))


def begins(text: str, prefix: str) -> bool:
    return text == prefix or text.startswith(prefix + " ")


# -- paths --------------------------------------------------------------------------------------------------------


def _compare_paths(globs: Sequence[str], call: RequestedCall) -> RuleMatch:
    if call.is_cut or (call.line is not None and call.line.broken):
        return RuleMatch(doubt="its files are not known")
    return _find_path(globs, call)


def touches(call: RequestedCall, paths: Sequence[str]) -> bool:
    """Return True if a call names one of these files, or may."""
    found = _find_path(paths, call)
    return found.matches or bool(found.doubt)


def _find_path(globs: Sequence[str], call: RequestedCall) -> RuleMatch:
    patterns = [pattern for glob in globs for pattern in _compile_globs(glob, call.root)]
    doubt = ""
    for named in call.named:
        if not named.path:
            doubt = doubt or "it has too many words"
        elif named.is_open:
            is_near = any(shell_paths.may_fall_under(named.path, pattern.glob) for pattern in patterns)
            doubt = doubt or (f"what it names is only known when it runs ({named.name[:_SHOWN]})" if is_near else "")
        elif any(pattern.covers(path) for path in _follow_links(named.path) for pattern in patterns):
            return RuleMatch(matches=True, shown=f"names {named.name[:_SHOWN]}")
    return RuleMatch(doubt=doubt)


def covers_paths(rule: ApprovalRule, call: RequestedCall) -> bool:
    """Return True if a rule that allows paths covers all files of a call, also where they are links."""
    named = rule.tools or tuple(FILE_TOOLS)
    if call.is_cut or call.line is not None or not call.paths:
        return False
    if not any(names_tool(pattern, name) for pattern in named for name in call.names):
        return False
    patterns = [pattern for glob in rule.paths for pattern in _compile_globs(glob, call.root)]
    return all(
        any(pattern.covers(path) for pattern in patterns) for named in call.named for path in _follow_links(named.path)
    )


def _follow_links(path: str) -> Iterable[str]:
    """Return an absolute path as named and with its links resolved."""
    return dict.fromkeys((path, os.path.realpath(path)))


class _PathPattern(Struct, frozen=True):
    """An absolute glob of a rule."""

    glob: str
    expression: re.Pattern[str]

    def covers(self, path: str) -> bool:
        return self.expression.fullmatch(path) is not None


def _compile_globs(glob: str, root: str) -> list[_PathPattern]:
    """Return the patterns of a glob, as written and with the links of its fixed folders resolved.

    `*` and `?` stay within a name, `**` does not; a folder covers all that is in it.
    """
    path = os.path.join(root or "/", os.path.expanduser(glob)).rstrip("/") or "/"
    parts = path.split("/")
    fixed = next((at for at, part in enumerate(parts) if re.search(r"[*?]", part)), len(parts))
    plain = os.path.normpath("/".join(parts[:fixed]) or "/")
    rest = "".join(f"/{part}" for part in parts[fixed:])
    heads = dict.fromkeys((plain, files.canonical_path(plain)))
    return [
        _PathPattern(head.rstrip("/") + rest, re.compile(_translate(re.escape(head.rstrip("/")), rest)))
        for head in heads
    ]


def _translate(head: str, rest: str) -> str:
    words = re.split(r"(/\*\*(?=/|\Z)|\*\*|\*|\?)", rest)
    kinds = {"/**": r"(?:/[^/]+)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "(?s:" + head + "".join(kinds.get(word, re.escape(word)) for word in words) + r"(?:/.*)?)"
