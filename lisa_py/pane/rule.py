"""Decide a tool call of an agent by rules; run by the hook, which prints what this writes.

rule.py AGENT EVENT RULES_FILE           # the payload of the hook is on standard input
rule.py AGENT closed RULES_FILE EVENT    # the record of a dialog is; it was answered in the pane, which EVENT shows
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.approvals import ApprovalEntry, ApprovalRules
from lisa_py.contract.dialogs import PANE
from lisa_py.core.guard import approval_file, approval_record, tool_rules
from lisa_py.core.guard.call_rules import RequestedCall
from lisa_py.core.guard.session_rules import SessionRules
from lisa_py.core.guard.tool_rules import ToolVerdict
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import masked_values
from lisa_py.store.json_records import UnreadableRecord

ASKED = 3
CLOSED = "closed"
_RUN_EVENTS = ("PostToolUse", "PostToolUseFailure")


def main(arguments: list[str]) -> None:
    """Write the answer for the agent; nothing where no rule decides or the call is broken.

    Raise SystemExit where the rules cannot be read, and with the code `ASKED` for a call that is still to be recorded.
    """
    name, event, path, *closing = arguments
    agent = agents.get(name)
    try:
        with open(path, "rb") as file:
            rules = msgspec.json.decode(file.read(), type=SessionRules)
    except (OSError, msgspec.DecodeError) as problem:
        raise SystemExit(f"cannot read {path}: {problem}") from None
    try:
        payload = msgspec.json.decode(sys.stdin.buffer.read(), type=dict)
    except msgspec.DecodeError:
        return
    if event == CLOSED:
        _record_closed(agent, payload, rules, path, closing[0])
        return
    if not isinstance(payload.get("tool_name"), str):
        return
    call = _build_call(agent, payload, rules)
    approvals = approval_file.read_rules(rules.approvals) if rules.approvals else ApprovalRules()
    verdict = tool_rules.decide(rules.rules, call, approvals)
    if verdict.decision == "ask" and not verdict.reason:
        return
    output = agent.format_rule_answer(event, verdict.decision, verdict.reason)
    if not output and verdict.decision == "allow" and rules.rules.unattended and approvals.rules:
        output = agent.format_early_allowance(event)  # no hook may follow
    if not output:
        return  # left to a later hook of the same call
    if verdict.decision == "ask" and not agent.asks_by_rule:
        verdict = msgspec.structs.replace(verdict, decision="deny")
    warning = _record(agent, payload, call, rules, path, verdict)
    if warning and verdict.reason:
        output = agent.format_rule_answer(event, verdict.decision, f"{verdict.reason} ({warning})")
    sys.stdout.write(output)
    if verdict.decision == "ask":
        raise SystemExit(ASKED)


def _build_call(agent: Agent, payload: Mapping[str, Any], rules: SessionRules) -> RequestedCall:
    tool, given, folder = payload["tool_name"], payload.get("tool_input"), payload.get("cwd")
    given = given if isinstance(given, dict) else {}
    return RequestedCall(
        tool=tool,
        given=given,
        aliases=tuple(agent.tool_aliases.get(tool, ())),
        paths=agent.list_call_paths(tool, given),
        is_cut=bool(payload.get("cut")),
        folder=folder if isinstance(folder, str) else "",
        root=rules.folder,
        may_move=not agent.reports_call_folder,
        environ=os.environ,
    )


def _record(
    agent: Agent,
    payload: Mapping[str, Any],
    call: RequestedCall,
    rules: SessionRules,
    path: str,
    verdict: ToolVerdict,
    by: str = "rule",
) -> str:
    """Record the decision; return why it is not in the log."""
    if not rules.state_dir:
        return ""
    try:
        secrets = masked_values.read_file(os.path.join(os.path.dirname(path), masked_values.FILE))
        text, reason = approval_record.describe_input(call.given), verdict.reason
    except UnreadableRecord:
        secrets, text, reason = (), "", ""  # they might hold a secret
    use_id = payload.get("tool_use_id")
    entry = ApprovalEntry(
        at=format_rfc3339(time.time(), fraction=True),
        session=rules.session,
        project_root=rules.project_root,
        run_id=rules.run_id,
        agent=agent.name,
        tool=call.tool,
        input=text,
        decision=verdict.decision,
        by=by,
        rule=verdict.rule,
        reason=reason,
        id=use_id if isinstance(use_id, str) else "",
    )
    return approval_record.record(rules.state_dir, entry, secrets)


def _record_closed(agent: Agent, dialog: Mapping[str, Any], rules: SessionRules, path: str, closing: str) -> None:
    """Record a decision made in the pane: the call has run, or its turn went on without it."""
    payload = dialog.get("payload")
    if isinstance(payload, dict) and isinstance(payload.get("tool_name"), str):
        verdict = ToolVerdict("allow" if closing in _RUN_EVENTS else "deny")
        _record(agent, payload, _build_call(agent, payload, rules), rules, path, verdict, PANE)
