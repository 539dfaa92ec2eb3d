"""The guard's verdict: is a planned command safe while others work on the user's tmux server."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.core.advice import guard_policy, risk
from lisa_py.core.advice.guard_policy import Policy
from lisa_py.core.advice.risk import Finding
from lisa_py.host.user_tmux import Probe

_ORDER = tuple(risk.WORDING)
_STRICTNESS = ("off", "warn", "strict")


class Judged(Struct, frozen=True, kw_only=True, rename="camel"):
    """One command of the chain and what is dangerous about it."""

    command: str
    risk: str
    risk_reasons: tuple[str, ...]


class Verdict(Struct, frozen=True, kw_only=True):
    """What the guard thinks of a command (or of none: only of the machine)."""

    risk: str
    reasons: tuple[str, ...]
    commands: tuple[Judged, ...]
    safe: bool
    warnings: tuple[str, ...]
    remediation: tuple[str, ...]


def judge(text: str, policy: Policy | None, probe: Probe, *, strict: bool) -> Verdict:
    """Strict: no session of others, no doubt about that, and no risk; else: no session of others and no high risk."""
    findings, judged = _findings(text, policy) if text.strip() else ([], ())
    level = risk.highest(findings)
    alone = not probe.sessions and (probe.state != "error" or not strict)
    safe = alone and (level == "low" if strict else level != "high")
    return Verdict(
        risk=level,
        reasons=tuple(finding.code for finding in findings),
        commands=judged,
        safe=safe,
        warnings=(*_about_machine(probe), *(risk.WORDING[finding.code] for finding in findings)),
        remediation=() if safe else _remediation(text, findings, probe),
    )


def _findings(text: str, policy: Policy | None) -> tuple[list[Finding], tuple[Judged, ...]]:
    """All findings, each code once with its highest risk, in the order of WORDING; and who each is about."""
    commands, broken = risk.taken_apart(text)
    each = [_eased(found, policy) for found in risk.in_commands(commands)]
    every = _eased(risk.in_text(text), policy) + [finding for found in each for finding in found] + broken
    every += guard_policy.findings(policy, text, commands) if policy else []
    judged = tuple(
        Judged(command=command.text, risk=risk.highest(found), risk_reasons=tuple(item.code for item in found))
        for command, found in zip(commands, each, strict=True)
        if found or not command.guessed
    )
    codes = {finding.code for finding in every}
    merged = [
        Finding(code, risk.highest([finding for finding in every if finding.code == code]))
        for code in _ORDER
        if code in codes
    ]
    return merged, judged


def _eased(findings: Sequence[Finding], policy: Policy | None) -> list[Finding]:
    """A policy that allows the clean-up of the default server makes it a matter of care, not of alarm."""
    eased = policy is not None and policy.allow_cleanup_include_tmux_default
    return [
        Finding(finding.code, "medium") if eased and finding.code == "cleanup_include_tmux_default" else finding
        for finding in findings
    ]


def _about_machine(probe: Probe) -> tuple[str, ...]:
    if probe.state == "error":
        return (f"whether the default tmux server has sessions cannot be told: {probe.problem}",)
    if not probe.sessions:
        return ()
    return (
        "tmux default server has active sessions",
        "avoid cleanup --include-tmux-default without --dry-run",
        "avoid session kill-all without --project-only --project-root",
    )


def _remediation(text: str, findings: Sequence[Finding], probe: Probe) -> tuple[str, ...]:
    lines = ["use --project-only and --project-root for destructive session commands"]
    if "cleanup" in text.lower():
        lines.append("run cleanup with --dry-run before executing mutations")
    if probe.sessions:
        lines.append("do not touch the tmux default server while its sessions are active")
    if probe.state == "error":
        lines.append("make tmux answer (tmux list-sessions), then ask again")
    codes = {finding.code for finding in findings}
    if codes & {"tmux_kill_server", "tmux_kill_session"}:
        lines.append("end one session of yours by name: lisa session kill --session NAME --project-root PATH")
    if "process_kill_broad" in codes:
        lines.append("end processes by their id")
    return tuple(lines)


def effective(cli: str, given: bool, policy: Policy | None, *, relax: bool) -> tuple[str, str]:
    """(the machine policy that holds, the policy file's one when it was overruled).

    The file replaces the default; against an explicit flag it may only tighten, unless relaxing is allowed.
    """
    wanted = policy.machine_policy if policy else ""
    if not wanted or wanted == cli:
        return cli, ""
    if given and not relax and _STRICTNESS.index(wanted) < _STRICTNESS.index(cli):
        return cli, wanted
    return wanted, ""
