"""Check the programs that lisa needs, and this machine."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import doctor
from lisa_py.host.build import read_build


class Args(Struct, kw_only=True):
    """No flags."""


class DoctorResult(Answer):
    ok: bool
    """True if tmux and at least one agent are on PATH."""
    checks: list[doctor.ProgramCheck]
    machine: list[doctor.MachineCheck]
    """Further findings about the machine; `ok: false` deserves attention."""
    version: str
    commit: str
    date: str
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> DoctorResult:
    checks = doctor.check_programs(ctx)
    ready = doctor.is_ready(checks)
    build_info = read_build(ctx.settings)
    return DoctorResult(
        ok=ready,
        checks=checks,
        machine=[
            *doctor.check_machine(ctx, checks[0]),
            doctor.check_login_shell(ctx),
            doctor.check_lost_sessions(ctx),
        ],
        version=build_info.version,
        commit=build_info.commit,
        date=build_info.date,
        error_code=UNSET if ready else "doctor_missing_prerequisites",
    )


def text(answer: DoctorResult, args: Args) -> str:
    lines = [
        f"{'ok' if check.available else 'missing':<7} {check.name:<7} {_describe_program(check)}"
        for check in answer.checks
    ]
    lines += [f"{'ok' if found.ok else 'warning':<7} {found.name}: {found.detail}" for found in answer.machine]
    return "\n".join([*lines, "doctor: ready" if answer.ok else "doctor: missing prerequisites"])


def _describe_program(check: doctor.ProgramCheck) -> str:
    """Return version and path, or what is missing and how to get it."""
    if check.available:
        return " ".join(filter(None, (check.version or "", check.path or "")))
    hint = agents.get(check.name).install_hint if check.name in agents.names() else ""
    return f"{check.error}{f'; {hint}' if hint else ''}"


COMMAND = Command(
    group="daily",
    args=Args,
    answer=DoctorResult,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.ok else 1,
    errors=("doctor_missing_prerequisites",),
    exits={0: "tmux and at least one agent are on PATH", 1: "they are not"},
    example="lisa doctor",
    notes="""\
Besides the programs it checks the needs of sessions (`machine`): it starts and ends a tmux session, writes a file,
and searches lisa in a login shell, because some agents run their tools in one and could not start nested sessions
otherwise. `lost_sessions` counts the sessions whose agents were ended with tmux or the machine. These findings do not
change the exit code.""",
)
