"""Approval rules of the user, and the log of decisions about tool calls."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.tool_decisions import ToolDecision

APPROVALS_FILE = "approvals.toml"
"""File of the user's rules in the state folder."""


class ApprovalRule(Answer, frozen=True):
    """One rule of approvals.toml; all of its conditions must hold, each by any of its values."""

    decision: ToolDecision
    line: int
    """Line of its heading."""
    tools: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    """Beginnings of shell commands, whole words."""
    paths: tuple[str, ...] = ()
    """Globs."""
    reason: str = ""
    """Words for the agent."""


class ApprovalRules(Struct, frozen=True, kw_only=True):
    """The rules of the user as they are now."""

    file: str = ""
    exists: bool = False
    rules: tuple[ApprovalRule, ...] = ()
    problem: str = ""
    """Why the file cannot be used: then no rule allows a call, and each call is asked about."""


class ApprovalEntry(Answer, frozen=True, omit_defaults=True):
    """One decision about a tool call, as the log has it; secrets are masked."""

    at: str
    """RFC 3339."""
    session: str
    project_root: str
    tool: str
    decision: Literal["allow", "deny", "ask", "answer"]
    """ask: a rule left it to a person."""
    by: str
    """rule, or the surface of a person: cli, attach, chat, api, pane, interrupt."""
    run_id: str = ""
    agent: str = ""
    input: str = ""
    """The command, or the input of the tool, in one text."""
    rule: str = ""
    """The rule that decided: a line of approvals.toml, or a pattern of the session."""
    reason: str = ""
    scope: str = ""
    """session: all calls like this one."""
    id: str = ""
    """Id of the dialog or of the tool call."""
