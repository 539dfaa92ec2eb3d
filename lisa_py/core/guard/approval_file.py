"""Read approvals.toml, the approval rules of the user: tables `[[deny]]`, `[[ask]]` and `[[allow]]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from lisa_py.contract.approvals import ApprovalRule, ApprovalRules
from lisa_py.contract.late_pattern import compile_late
from lisa_py.contract.session_settings import TOOL_PATTERN
from lisa_py.contract.tool_decisions import ToolDecision
from lisa_py.host import files

_DECISIONS: tuple[str, ...] = get_args(ToolDecision)
_LISTS = {"tool": "tools", "command": "commands", "path": "paths"}
_HEADING = compile_late(r"\s*\[\[\s*[\"']?(?P<name>[^\"'\]\s]+)[\"']?\s*\]\]")
_SIZE_LIMIT = 1 << 20


class _RuleError(Exception):
    """A rule that cannot be used: the place of its table, the key and the reason."""

    def __init__(self, table: str, number: int, key: str, reason: str) -> None:
        super().__init__(reason)
        self.table, self.number, self.key, self.reason = table, number, key, reason


def read_rules(path: str) -> ApprovalRules:
    """Return the rules of a file: none if it does not exist, a problem if it cannot be used."""
    try:
        if access := files.describe_foreign_access(path):
            return ApprovalRules(file=path, exists=True, problem=f"{path}: {access}; run chmod 600 on it")
        raw = files.read(path, limit=_SIZE_LIMIT + 1)
    except OSError as problem:
        return ApprovalRules(file=path, exists=True, problem=f"{path}: it cannot be read ({problem.strerror})")
    if raw is None:
        return ApprovalRules(file=path)
    if len(raw) > _SIZE_LIMIT:
        return ApprovalRules(file=path, exists=True, problem=f"{path}: it has more than {_SIZE_LIMIT} bytes")
    try:
        return ApprovalRules(file=path, exists=True, rules=parse_rules(raw.decode("utf-8")))
    except UnicodeDecodeError:
        return ApprovalRules(file=path, exists=True, problem=f"{path}: it is not UTF-8")
    except ValueError as problem:
        return ApprovalRules(file=path, exists=True, problem=f"{path}: {problem}")


def parse_rules(text: str) -> tuple[ApprovalRule, ...]:
    """Return the rules of a text in the order of its lines. Raise ValueError naming line and key."""
    import tomllib  # noqa: PLC0415 - only where there are rules

    found = tomllib.loads(text)  # its error names the line
    try:
        rules = [rule for table, value in found.items() for rule in _read_table(text, table, value)]
    except _RuleError as problem:
        line = _find_line(text, problem.table, problem.number, problem.key)
        raise ValueError(f"line {line}: {problem.key}: {problem.reason}") from None
    return tuple(sorted(rules, key=lambda rule: rule.line))


def _read_table(text: str, table: str, value: object) -> Iterator[ApprovalRule]:
    if table not in _DECISIONS:
        raise _RuleError(table, 0, table, "unknown table; expected [[deny]], [[ask]] or [[allow]]")
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _RuleError(table, 0, table, f"it is no list of tables; write [[{table}]]")
    for number, each in enumerate(value):
        yield _read_rule(text, table, number, each)


def _read_rule(text: str, table: str, number: int, value: Mapping[str, Any]) -> ApprovalRule:
    lists: dict[str, tuple[str, ...]] = {}
    for key, given in value.items():
        if key == "reason":
            if not isinstance(given, str):
                raise _RuleError(table, number, key, "it is no text")
        elif key in _LISTS:
            lists[_LISTS[key]] = _read_texts(table, number, key, given)
        else:
            raise _RuleError(table, number, key, "unknown key; expected tool, command, path or reason")
    if not lists:
        raise _RuleError(table, number, table, "a rule needs tool, command or path")
    if table == "allow" and "commands" in lists and "paths" in lists:
        raise _RuleError(table, number, "path", "the files of a command line are not known: allow one or the other")
    if "commands" in lists and lists.get("tools", ("Bash",)) != ("Bash",):
        raise _RuleError(table, number, "tool", "only Bash has commands")
    return ApprovalRule(
        decision=table,  # type: ignore[arg-type]  # one of _DECISIONS
        line=_find_line(text, table, number, table),
        reason=" ".join(str(value.get("reason", "")).split()),
        **lists,
    )


def _read_texts(table: str, number: int, key: str, given: object) -> tuple[str, ...]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(each, str) and each.strip() for each in texts):
        raise _RuleError(table, number, key, "it is no text, and no list of texts")
    if key == "tool":
        wrong = [each for each in texts if not TOOL_PATTERN.match(each) or "(" in each]
        if wrong:
            expected = "a tool name, mcp__SERVER or mcp__SERVER__TOOL (a command has a key of its own)"
            raise _RuleError(table, number, key, f"{wrong[0]} is not {expected}")
    if key == "command":
        wrong = [each for each in texts if re.search(r"[;|&<>()`$*\n]", each)]
        if wrong:
            raise _RuleError(table, number, key, f"{wrong[0]} is not the beginning of one plain command")
        texts = [" ".join(each.split()) for each in texts]
    return tuple(texts)


def _find_line(text: str, table: str, number: int, key: str) -> int:
    """Return the line of a key in a table, or of the table itself."""
    seen, line_of_table = -1, 0
    for line, row in enumerate(text.splitlines(), 1):
        heading = _HEADING.match(row)
        if heading:
            seen += heading["name"] == table
            if heading["name"] == table and seen == number:
                line_of_table = line
            elif line_of_table:
                break
        elif line_of_table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", row):
            return line
        elif not line_of_table and re.match(rf"\s*\[?\s*[\"']?{re.escape(table)}[\"']?\s*[=\].]", row):
            line_of_table = line
    return line_of_table or 1
