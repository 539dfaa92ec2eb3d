"""Check if a destructive command is safe for other users of tmux on this machine."""

from __future__ import annotations

import os
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot
from lisa_py.core.context import Context
from lisa_py.core.guard import guard
from lisa_py.core.guard import policy_file as guard_policy_file
from lisa_py.core.guard.guard import CommandRisk, GuardVerdict
from lisa_py.core.guard.policy_file import MACHINE_POLICIES, GuardPolicy
from lisa_py.core.inputs import Inputs
from lisa_py.host import user_tmux
from lisa_py.host.user_tmux import UserTmuxReport


class Args(Struct, kw_only=True):
    shared_tmux: Annotated[bool, Flag(help="check of the user's own tmux server")]
    enforce: Annotated[bool, Flag(help="medium risk is unsafe under every policy")] = False
    advice_only: Annotated[bool, Flag(help="advisory only")] = False
    machine_policy: Annotated[
        str, Flag(help="strict fails when unsafe; warn and off only report", choices=MACHINE_POLICIES)
    ] = "strict"
    command: Annotated[str, Flag(help="shell command to check", metavar="TEXT")] = ""
    policy_file: Annotated[str, Flag(help="JSON file with rules of the team", metavar="PATH")] = ""
    allow_policy_relax: Annotated[bool, Flag(help="a policy file laxer than --machine-policy")] = False
    project_root: ProjectRoot = ""


class GuardResult(Answer):
    shared_tmux: bool
    project_root: str
    default_session_count: int
    default_sessions: tuple[str, ...]
    tmux_probe: str
    """ok, no_server, or error: unknown, which strict treats as unsafe."""
    command: str
    command_risk: str
    enforce: bool
    advice_only: bool
    machine_policy: str
    safe: bool
    warnings: tuple[str, ...]
    commands: tuple[CommandRisk, ...] | UnsetType = UNSET
    """Each command of the shell line."""
    risk_reasons: tuple[str, ...] | UnsetType = UNSET
    remediation: tuple[str, ...] | UnsetType = UNSET
    policy_file: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> GuardResult:
    path = os.path.join(ctx.cwd, os.path.expanduser(args.policy_file.strip())) if args.policy_file.strip() else ""
    policy = guard_policy_file.load_policy(Inputs(ctx), path) if path else None
    is_given = "machine_policy" in ctx.given_fields
    machine, overruled = guard.resolve_machine_policy(
        args.machine_policy, is_given, policy, relax=args.allow_policy_relax
    )
    probe = user_tmux.list_sessions(ctx.settings)
    verdict = guard.assess_command(args.command, policy, probe, strict=machine == "strict" or args.enforce)
    warnings = (*verdict.warnings, *_describe_policy_problems(policy, overruled))
    return _build_result(args, ctx, machine, probe, verdict, warnings, path)


def _describe_policy_problems(policy: GuardPolicy | None, overruled: str) -> list[str]:
    warnings = [f"unknown key in the policy file: {key}" for key in (policy.unknown if policy else ())]
    if overruled:
        warnings.append(f"machinePolicy {overruled} of the policy file is laxer than the flag and was ignored")
    return warnings


def _build_result(
    args: Args,
    ctx: Context,
    machine: str,
    probe: UserTmuxReport,
    verdict: GuardVerdict,
    warnings: tuple[str, ...],
    path: str,
) -> GuardResult:
    failing = not verdict.safe and not args.advice_only and machine == "strict"
    code = "shared_tmux_guard_enforced" if args.enforce else "shared_tmux_risk_detected"
    return GuardResult(
        shared_tmux=True,
        project_root=ctx.project(args.project_root).root,
        default_session_count=len(probe.sessions),
        default_sessions=probe.sessions,
        tmux_probe=probe.state,
        command=args.command,
        command_risk=verdict.risk,
        enforce=args.enforce,
        advice_only=args.advice_only,
        machine_policy=machine,
        safe=verdict.safe,
        warnings=warnings,
        commands=verdict.commands or UNSET,
        risk_reasons=verdict.reasons or UNSET,
        remediation=verdict.remediation or UNSET,
        policy_file=path or UNSET,
        error_code=code if failing else UNSET,
    )


def text(answer: GuardResult, args: Args) -> str:
    head = (
        f"safe={_format_bool(answer.safe)} enforce={_format_bool(answer.enforce)} "
        f"advice_only={_format_bool(answer.advice_only)}"
        f" machine_policy={answer.machine_policy} default_sessions={answer.default_session_count}"
        f" command_risk={answer.command_risk}"
    )
    remediation = answer.remediation or ()
    return "\n".join(
        (head, *(f"- {line}" for line in answer.warnings), *(f"- remediation: {line}" for line in remediation))
    )


def _format_bool(value: bool) -> str:
    return str(value).lower()


COMMAND = Command(
    group="checks",
    args=Args,
    answer=GuardResult,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.error_code is UNSET else 1,
    exits={0: "safe, or advice only", 1: "unsafe under the strict policy, or the call failed"},
    errors=(
        "shared_tmux_risk_detected",
        "shared_tmux_guard_enforced",
        "policy_file_read_failed",
        "invalid_policy_machine_policy",
    ),
    notes=(
        "A shell line is assessed as a whole and command by command, including chains, sudo, sh -c and $(...).\n"
        "Under strict, or with --enforce, `safe` means: the user's own tmux server has no session, could be queried\n"
        "(`tmuxProbe` is not error), and there is no risk. Under warn and off: no such session and no high risk. Only\n"
        "strict fails, and not with --advice-only.\n"
        "Keys of a policy file: machinePolicy, allowedCommands, deniedCommands, requireProjectRoot,\n"
        "requireProjectOnlyForKillAll, allowCleanupIncludeTmuxDefault (it makes that cleanup a medium risk). A file's\n"
        "machinePolicy may be stricter than the flag; a laxer one needs --allow-policy-relax."
    ),
    example='lisa session guard --shared-tmux --enforce --command "lisa session kill-all --project-only" --json',
)
