"""Show the approval rules of the user, or the log of all decisions about tool calls."""

from __future__ import annotations

import os
from typing import Annotated, Any

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.approvals import APPROVALS_FILE, ApprovalEntry, ApprovalRule, ApprovalRules
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import Hours, ProjectRoot
from lisa_py.core.context import Context
from lisa_py.core.guard import approval_file
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import approval_log

CODE = "invalid_approvals_file"


class Args(Struct, kw_only=True):
    log: Annotated[bool, Flag(help="the decisions instead of the rules")] = False
    session: Annotated[str, Flag(help="only decisions of this session", metavar="NAME", positional=True)] = ""
    hours: Hours = 0
    limit: Annotated[int, Flag(help="newest decisions; 0: all", minimum=0)] = 0
    project_root: ProjectRoot = ""
    all_projects: Annotated[bool, Flag(help="decisions of all projects")] = False


class ApprovalsResult(Answer):
    """The rules, or the decisions, oldest first."""

    file: str
    """Path of approvals.toml, which need not exist."""
    ok: bool
    """False if the file cannot be used: then every call is asked about."""
    problem: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    """The same text as `problem`."""
    rules: tuple[ApprovalRule, ...] | UnsetType = UNSET
    decisions: tuple[ApprovalEntry, ...] | UnsetType = UNSET
    count: int
    unreadable: int | UnsetType = UNSET
    """Number of lines of the log that are left out."""


def run(args: Args, ctx: Context) -> ApprovalsResult:
    state_dir = ctx.settings.state_dir
    rules = approval_file.read_rules(os.path.join(state_dir, APPROVALS_FILE))
    if not args.log:
        return _build_answer(rules, rules=rules.rules, count=len(rules.rules))
    root = "" if args.all_projects else ctx.project(args.project_root).root
    since = format_rfc3339(ctx.clock.now() - args.hours * 3600) if args.hours else ""
    lines = list(approval_log.read(state_dir, since))
    found = [entry for entry in lines if entry is not None and _is_wanted(entry, args.session, root)]
    chosen = tuple(found[-args.limit :] if args.limit else found)
    unreadable = lines.count(None)
    return _build_answer(rules, decisions=chosen, count=len(chosen), unreadable=unreadable or UNSET)


def _build_answer(found: ApprovalRules, **content: Any) -> ApprovalsResult:
    problem = found.problem or UNSET
    code = CODE if found.problem else UNSET
    return ApprovalsResult(
        file=found.file, ok=not found.problem, problem=problem, error_code=code, error=problem, **content
    )


def _is_wanted(entry: ApprovalEntry, session: str, root: str) -> bool:
    return session in ("", entry.session) and root in ("", entry.project_root)


def text(answer: ApprovalsResult, args: Args) -> str:
    lines = [f"problem: {answer.problem}; every call is asked about"] if answer.problem else []
    for rule in answer.rules or ():
        parts = [
            f"{name} {', '.join(values)}"
            for name, values in (("tool", rule.tools), ("command", rule.commands), ("path", rule.paths))
            if values
        ]
        reason = f"  ({rule.reason})" if rule.reason else ""
        lines.append(f"line {rule.line}: {rule.decision}  {'; '.join(parts)}{reason}")
    for entry in answer.decisions or ():
        by = f"{entry.by} ({entry.rule})" if entry.rule else entry.by
        shown = " ".join(entry.input.split())[:100]
        lines.append(f"{entry.at}  {entry.session}  {entry.decision}  by {by}  {entry.tool}  {shown}".rstrip())
    if answer.unreadable:
        lines.append(f"{answer.unreadable} lines of the log cannot be read")
    empty = "no decisions" if args.log else f"no rules ({answer.file})"
    return "\n".join(lines) or empty


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=ApprovalsResult,
    run=run,
    text=text,
    min=("ok", "problem", "error_code", "error", "rules", "decisions", "count"),
    exit_code=lambda answer: 0 if answer.ok else 1,
    errors=(CODE,),
    exits={0: "the rules can be used", 1: "approvals.toml cannot be used; see `problem`"},
    example="lisa session approvals\nlisa session approvals --log --session lisa-demo-1 --hours 24 --json",
    notes="""\
The rules are in approvals.toml in the state folder (~/.lisa): tables [[deny]], [[ask]], [[allow]] with the keys tool,
command, path and reason. deny wins, then ask, then allow; what no rule names is left to the session and its agent. The
file is read at each call. Where it cannot be used, no rule allows a call and every call is asked about.
The log has each decision: by a rule, by a person (cli, attach, chat), by a client of the API, by an interrupt;
secrets are masked.
Keys in the pane of claude are in it once the call has run or the turn has ended; those in codex are not.""",
)
