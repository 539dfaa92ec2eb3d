"""Decide if a planned command is safe for other users of the tmux server."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.core.guard import policy_file, risk
from lisa_py.core.guard.policy_file import GuardPolicy
from lisa_py.core.guard.risk import RiskFinding
from lisa_py.host.user_tmux import UserTmuxReport

_CODE_ORDER = tuple(risk.MESSAGES)
_STRICTNESS = ("off", "warn", "strict")


class CommandRisk(Answer):
    """One command of the chain and its risks."""

    command: str
    risk: str
    risk_reasons: tuple[str, ...]


class GuardVerdict(Struct, frozen=True, kw_only=True):
    """Assessment of a command, or only of the machine."""

    risk: str
    reasons: tuple[str, ...]
    commands: tuple[CommandRisk, ...]
    safe: bool
    warnings: tuple[str, ...]
    remediation: tuple[str, ...]


def assess_command(text: str, policy: GuardPolicy | None, probe: UserTmuxReport, *, strict: bool) -> GuardVerdict:
    """Strict: no foreign sessions, no doubt about that, and no risk; else: no foreign sessions and no high risk."""
    findings, assessed = _collect_findings(text, policy) if text.strip() else ([], ())
    level = risk.highest_risk(findings)
    alone = not probe.sessions and (probe.state != "error" or not strict)
    safe = alone and (level == "low" if strict else level != "high")
    return GuardVerdict(
        risk=level,
        reasons=tuple(finding.code for finding in findings),
        commands=assessed,
        safe=safe,
        warnings=(*_machine_warnings(probe), *(risk.MESSAGES[finding.code] for finding in findings)),
        remediation=() if safe else _build_remediation(text, findings, probe),
    )


def _collect_findings(text: str, policy: GuardPolicy | None) -> tuple[list[RiskFinding], tuple[CommandRisk, ...]]:
    """Return all findings, each code once with its highest risk, in the order of WORDING; with their commands."""
    commands, broken = risk.parse_planned_commands(text)
    each = [_apply_cleanup_allowance(found, policy) for found in risk.assess_commands(commands)]
    every = (
        _apply_cleanup_allowance(risk.assess_text(text), policy)
        + [finding for found in each for finding in found]
        + broken
    )
    every += policy_file.check_policy(policy, text, commands) if policy else []
    assessed = tuple(
        CommandRisk(
            command=command.text, risk=risk.highest_risk(found), risk_reasons=tuple(item.code for item in found)
        )
        for command, found in zip(commands, each, strict=True)
        if found or not command.guessed
    )
    codes = {finding.code for finding in every}
    merged = [
        RiskFinding(code, risk.highest_risk([finding for finding in every if finding.code == code]))
        for code in _CODE_ORDER
        if code in codes
    ]
    return merged, assessed


def _apply_cleanup_allowance(findings: Sequence[RiskFinding], policy: GuardPolicy | None) -> list[RiskFinding]:
    """Lower the risk of cleaning the default server if the policy allows it."""
    eased = policy is not None and policy.allow_cleanup_include_tmux_default
    return [
        RiskFinding(finding.code, "medium") if eased and finding.code == "cleanup_include_tmux_default" else finding
        for finding in findings
    ]


def _machine_warnings(probe: UserTmuxReport) -> tuple[str, ...]:
    if probe.state == "error":
        return (f"cannot determine if the default tmux server has sessions: {probe.problem}",)
    if not probe.sessions:
        return ()
    return (
        "tmux default server has active sessions",
        "avoid cleanup --include-tmux-default without --dry-run",
        "avoid session kill-all without --project-only --project-root",
    )


def _build_remediation(text: str, findings: Sequence[RiskFinding], probe: UserTmuxReport) -> tuple[str, ...]:
    lines = ["use --project-only and --project-root for destructive session commands"]
    if "cleanup" in text.lower():
        lines.append("run cleanup with --dry-run before executing mutations")
    if probe.sessions:
        lines.append("do not touch the tmux default server while its sessions are active")
    if probe.state == "error":
        lines.append("check that tmux responds (tmux list-sessions), then repeat")
    codes = {finding.code for finding in findings}
    if codes & {"tmux_kill_server", "tmux_kill_session"}:
        lines.append("end one session of yours by name: lisa session kill --session NAME --project-root PATH")
    if "process_kill_broad" in codes:
        lines.append("end processes by their id")
    return tuple(lines)


def resolve_machine_policy(cli: str, given: bool, policy: GuardPolicy | None, *, relax: bool) -> tuple[str, str]:
    """Return (effective machine policy, policy of the file if it was overruled).

    The file replaces the default; against an explicit flag it may only be stricter, unless relaxing is allowed.
    """
    wanted = policy.machine_policy if policy else ""
    if not wanted or wanted == cli:
        return cli, ""
    if given and not relax and _STRICTNESS.index(wanted) < _STRICTNESS.index(cli):
        return cli, wanted
    return wanted, ""
