"""Bring back sessions whose agents were ended with tmux or the machine, each on its own conversation."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import ProjectRoot
from lisa_py.core import secrets
from lisa_py.core.context import Context
from lisa_py.core.fleet import resume_fleet
from lisa_py.core.fleet.resume_fleet import FleetResumeReport, LeftSession
from lisa_py.core.lifecycle import boot_units, launch, resume
from lisa_py.core.lifecycle.boot_units import BootUnits
from lisa_py.core.lifecycle.resume import ResumedSession, ResumeRequest


class Args(Struct, kw_only=True):
    session: Annotated[str, Flag(help="session name", metavar="NAME", positional=True)] = ""
    all: Annotated[bool, Flag(help="every lost session of the project")] = False
    all_projects: Annotated[bool, Flag(help="with --all: those of all projects")] = False
    project_root: ProjectRoot = ""
    prompt: Annotated[str, Flag(help="text for each agent once it is ready", metavar="TEXT")] = ""
    rerun: Annotated[bool, Flag(help="new run of a custom command")] = False
    dry_run: Annotated[bool, Flag(help="checks and command lines only; nothing is started")] = False
    print_unit: Annotated[bool, Flag(help="systemd and launchd units that do this at boot")] = False


class ResumeResult(Answer):
    ok: bool
    """True if no session that could be resumed was left."""
    count: int
    """Number of resumed sessions."""
    resumed: tuple[ResumedSession, ...]
    left: tuple[LeftSession, ...] | UnsetType = UNSET
    dry_run: bool | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> ResumeResult | BootUnits:
    if args.print_unit:
        return boot_units.build_boot_units(ctx)
    if (args.session and args.all) or (args.all_projects and not args.all) or (args.rerun and args.all):
        raise UsageError(
            "resume_target_conflict",
            "give either --session or --all; --all-projects goes with --all, --rerun with --session",
        )
    request = ResumeRequest(prompt=args.prompt, rerun=args.rerun)
    if args.all:
        project = None if args.all_projects else ctx.project(args.project_root)
        return _answer(args, ctx, resume_fleet.resume_all(ctx, project, request, dry_run=args.dry_run))
    if not args.session:
        raise UsageError("resume_target_required", "--session NAME or --all is required")
    ref = ctx.record_ref(args.session, args.project_root)
    step = resume.preview_resume if args.dry_run else resume.resume_session
    return _answer(args, ctx, FleetResumeReport(resumed=(step(ctx, ref, request),)))


def _answer(args: Args, ctx: Context, report: FleetResumeReport) -> ResumeResult:
    for each in report.resumed:
        for warning in each.warnings or ():
            ctx.warn(f"resume warning: {each.session}: {warning}")
    return ResumeResult(
        ok=not report.failed,
        count=len(report.resumed),
        resumed=report.resumed,
        left=report.left or UNSET,
        dry_run=args.dry_run or UNSET,
        error_code="session_resume_failed" if report.failed else UNSET,
    )


class MinimalResume(Answer):
    ok: bool
    count: int
    sessions: tuple[str, ...]
    left: tuple[LeftSession, ...] | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def minimize(answer: ResumeResult | BootUnits, args: Args) -> MinimalResume | BootUnits:
    if isinstance(answer, BootUnits):
        return answer
    names = tuple(each.session for each in answer.resumed)
    return MinimalResume(
        ok=answer.ok, count=answer.count, sessions=names, left=answer.left, error_code=answer.error_code
    )


def text(answer: ResumeResult | BootUnits, args: Args) -> str:
    if isinstance(answer, BootUnits):
        return "\n".join(
            (
                f"# {answer.systemd_path} (then: {answer.systemd_enable})",
                answer.systemd,
                f"# {answer.launchd_path} (then: {answer.launchd_enable})",
                answer.launchd.rstrip("\n"),
            )
        )
    verb = "would resume" if answer.dry_run else "resumed"
    lines = [f"{verb} {each.session}: {_describe(each)}" for each in answer.resumed]
    lines += [f"{each.outcome} {each.session}: {each.reason}" for each in answer.left or ()]
    return "\n".join(lines) or "no lost sessions"


def _describe(each: ResumedSession) -> str:
    match each.method:
        case "conversation":
            return f"{each.agent} conversation {each.conversation}"
        case "rerun":
            return "its command runs again"
    return f"{each.agent} with a new conversation (it had none)"


COMMAND = Command(
    group="fleet",
    args=Args,
    answer=ResumeResult | BootUnits,
    run=run,
    text=text,
    min=minimize,
    exit_code=lambda answer: 0 if isinstance(answer, BootUnits) or answer.ok else 1,
    exits={0: "every session that can be resumed runs again", 1: "refused, or a session was not resumed"},
    errors=(
        *launch.ERRORS,
        *secrets.ERRORS,
        "agent_command_build_failed",
        "agent_not_installed",
        "conversation_missing",
        "conversation_unknown",
        "folder_missing",
        "not_resumable",
        "resume_target_conflict",
        "resume_target_required",
        "session_already_exists",
        "session_not_found",
        "session_resume_failed",
        "session_running",
        "spawn_early_exit",
        "spawn_oauth_selection_failed",
        "spawn_tmux_new_failed",
    ),
    example="lisa session resume --all --dry-run\nlisa session resume --session lisa-demo-1 --prompt 'Go on' --json",
    notes="""\
A session is lost if its agent was ended with tmux or the machine; session list, session tree and doctor show it. It
comes back under its name, with its parent, lane, objective, size, limits, events and cursors, on the newest
conversation that its own agent has reported, and waits there. --all starts parents before their children, four at a
time, and skips runs (exec) and commands.

The environment is that of the caller; `missingVariables` names what the earlier run had besides. Secrets that were
given by value are not recorded. The lifetime of --ttl-seconds restarts; turns, tokens and dollars continue.""",
)
