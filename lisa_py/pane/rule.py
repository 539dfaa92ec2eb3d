"""Decide a tool call of an agent by the rules of its session; run by the hook, which prints what this writes.

rule.py AGENT EVENT RULES_FILE    # the payload of the hook is on standard input
"""

from __future__ import annotations

import sys

import msgspec

from lisa_py import agents
from lisa_py.core.guard import tool_rules
from lisa_py.core.guard.tool_rules import ToolRules

ASKED = 3


def main(arguments: list[str]) -> None:
    """Write the answer for the agent; nothing where no rule decides or the call is broken.

    Raise SystemExit where the rules cannot be read, and with the code `ASKED` for a call that is still to be recorded.
    """
    name, event, path = arguments
    agent = agents.get(name)
    try:
        with open(path, "rb") as file:
            rules = msgspec.json.decode(file.read(), type=ToolRules)
    except (OSError, msgspec.DecodeError) as problem:
        raise SystemExit(f"cannot read {path}: {problem}") from None
    try:
        call = msgspec.json.decode(sys.stdin.buffer.read(), type=dict)
    except msgspec.DecodeError:
        return
    tool, given = call.get("tool_name"), call.get("tool_input")
    if not isinstance(tool, str):
        return
    verdict = tool_rules.decide(rules, tool, given if isinstance(given, dict) else {}, agent.tool_aliases.get(tool, ()))
    if verdict.decision == "ask" and not verdict.reason:
        return
    sys.stdout.write(agent.format_rule_answer(event, verdict.decision, verdict.reason))
    if verdict.decision == "ask" and agent.asks_by_rule:
        raise SystemExit(ASKED)
