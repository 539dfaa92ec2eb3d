"""Test nested sessions on this machine: a chain of sessions with checked markers."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract import flags
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.workflows import smoke, smoke_plan
from lisa_py.core.workflows.smoke_plan import ChaosResult
from lisa_py.core.workflows.smoke_report import SmokeRequest, SmokeResult

PROFILES = ("none", *(name for name in agents.names() if not agents.get(name).hidden), "mixed")


class Args(Struct, kw_only=True):
    project_root: ProjectRoot = ""
    levels: Annotated[int, Flag(help="nesting depth, 1 to 4", minimum=1)] = 3
    prompt_style: Annotated[str, Flag(help="prompt style for a nesting detection check", choices=smoke_plan.STYLES)] = (
        "none"
    )
    matrix_file: Annotated[
        str,
        Flag(
            help="file of mode|prompt lines to check first; auto: the profile's",
            metavar="PATH|auto",
        ),
    ] = ""
    chaos: Annotated[str, Flag(help="injected fault", choices=smoke_plan.CHAOS, code="invalid_chaos_mode")] = "none"
    chaos_report: Annotated[bool, Flag(help="success if the injected fault is detected as expected")] = False
    contract_profile: Annotated[str, Flag(help="contract check of other commands", choices=("none", "full"))] = "none"
    llm_profile: Annotated[str, Flag(help="style, prompts and model for an agent", choices=PROFILES)] = "none"
    model: flags.Model = ""
    poll_interval: flags.PollInterval = 1
    max_polls: flags.MaxPolls = 180
    keep_sessions: Annotated[bool, Flag(help="keep the sessions")] = False
    report_min: Annotated[bool, Flag(help="with --json: short report for CI")] = False
    export_artifacts: Annotated[
        str, Flag(help="folder for scripts, captures, events and the report", metavar="DIR")
    ] = ""


class MatrixFailure(Answer):
    """A prompt with an unexpected detection result."""

    prompt: str
    expected_mode: str
    actual_mode: str


class MinimalSmokeResult(Answer):
    """Short report for a CI job."""

    ok: bool
    error_code: str
    error: str
    levels: int
    model: str
    llm_profile: str
    contract_profile: str
    chaos: str
    project_root: str
    seconds: float
    chaos_report: bool | UnsetType = UNSET
    chaos_result: ChaosResult | UnsetType = UNSET
    final_state: str | UnsetType = UNSET
    exit_reason: str | UnsetType = UNSET
    missing_markers: tuple[str, ...] | UnsetType = UNSET
    cleanup_error_count: int | UnsetType = UNSET
    exported_path: str | UnsetType = UNSET
    export_error: str | UnsetType = UNSET
    failed_matrix: tuple[MatrixFailure, ...] | UnsetType = UNSET
    contract_checks: int | UnsetType = UNSET
    contract_failed: int | UnsetType = UNSET
    failed_contract_checks: tuple[str, ...] | UnsetType = UNSET


def run(args: Args, ctx: Context) -> SmokeResult | MinimalSmokeResult:
    report = smoke.run(ctx, build_request(args))
    if ctx.output_format != "text":
        return minimize(report) if args.report_min else report
    if report.error is not UNSET:
        ctx.warn(report.error)
    if report.export_error is not UNSET:
        ctx.warn(f"export warning: {report.export_error}")
    return report


def build_request(args: Args) -> SmokeRequest:
    return copy_fields(args, SmokeRequest)


def minimize(report: SmokeResult) -> MinimalSmokeResult:
    matrix = () if report.prompt_matrix is UNSET else report.prompt_matrix
    checks = () if report.contract_checks is UNSET else report.contract_checks
    failed = tuple(
        MatrixFailure(prompt=row.prompt, expected_mode=row.expected_mode, actual_mode=row.actual_mode)
        for row in matrix
        if not row.passed
    )
    return copy_fields(
        report,
        MinimalSmokeResult,
        error_code=report.error_code or "",
        error=report.error or "",
        model=report.model or "",
        final_state=UNSET if report.monitor is UNSET else report.monitor.final_state,
        exit_reason=UNSET if report.monitor is UNSET else report.monitor.exit_reason,
        cleanup_error_count=UNSET if report.cleanup_errors is UNSET else len(report.cleanup_errors),
        failed_matrix=failed or UNSET,
        contract_checks=len(checks) or UNSET,
        contract_failed=sum(not check.ok for check in checks) if checks else UNSET,
        failed_contract_checks=tuple(check.name for check in checks if not check.ok) or UNSET,
    )


def text(answer: SmokeResult, args: Args) -> str:
    head = f"{'PASS' if answer.ok else 'FAIL'}: nested smoke {answer.levels}-level"
    if answer.ok and answer.chaos_result is not UNSET and answer.chaos_result.expected_failure:
        head = "PASS: chaos contract matched expected failure"
    lines = [head, *(f"L{number}={name}" for number, name in enumerate(answer.sessions, 1))]
    lines.append(f"Artifacts: {answer.work_dir}")
    if answer.exported_path is not UNSET:
        lines.append(f"Exported: {answer.exported_path}")
    return "\n".join(lines)


COMMAND = Command(
    args=Args,
    answer=SmokeResult | MinimalSmokeResult,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.ok else 1,
    errors=(
        "invalid_levels_max",
        "invalid_model",
        "missing_bash",
        "smoke_workdir_create_failed",
        "smoke_script_write_failed",
        "smoke_prompt_style_probe_failed",
        "smoke_prompt_matrix_assertion_failed",
        "smoke_spawn_failed",
        "smoke_monitor_failed",
        "smoke_unexpected_final_state",
        "smoke_capture_failed",
        "smoke_marker_assertion_failed",
        "smoke_contract_profile_failed",
        "smoke_chaos_expected_failure_not_observed",
        "smoke_cleanup_failed",
    ),
    exits={0: "passed", 1: "failed or refused; see errorCode", 130: "Ctrl-C; the sessions are removed"},
    example="""\
lisa session smoke --levels 3
lisa session smoke --levels 2 --chaos drop-marker --chaos-report --report-min --json""",
    notes="""\
No agent is run: each level is a shell script that calls lisa to spawn, monitor and read the next one. Work folders of
earlier runs are removed after a week. Modes of --matrix-file are bypass, full-auto and any.""",
)
