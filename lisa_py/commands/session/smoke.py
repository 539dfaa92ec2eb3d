"""Test nested sessions on this machine: a chain of sessions with checked markers."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.workflows import smoke
from lisa_py.core.workflows.smoke_plan import ChaosResult
from lisa_py.core.workflows.smoke_report import SmokeOptions, SmokeResult


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


def run(args: SmokeOptions, ctx: Context) -> SmokeResult | MinimalSmokeResult:
    report = smoke.run(ctx, args)
    if ctx.output_format != "text":
        return minimize(report, args) if args.report_min else report
    if report.error is not UNSET:
        ctx.warn(report.error)
    if report.export_error is not UNSET:
        ctx.warn(f"export warning: {report.export_error}")
    return report


def minimize(report: SmokeResult | MinimalSmokeResult, args: SmokeOptions) -> MinimalSmokeResult:
    if isinstance(report, MinimalSmokeResult):
        return report
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


def text(answer: SmokeResult, args: SmokeOptions) -> str:
    head = f"{'PASS' if answer.ok else 'FAIL'}: nested smoke {answer.levels}-level"
    if answer.ok and answer.chaos_result is not UNSET and answer.chaos_result.expected_failure:
        head = "PASS: chaos contract matched expected failure"
    lines = [head, *(f"L{number}={name}" for number, name in enumerate(answer.sessions, 1))]
    lines.append(f"Artifacts: {answer.work_dir}")
    if answer.exported_path is not UNSET:
        lines.append(f"Exported: {answer.exported_path}")
    return "\n".join(lines)


COMMAND = Command(
    group="checks",
    args=SmokeOptions,
    answer=SmokeResult | MinimalSmokeResult,
    run=run,
    text=text,
    min=minimize,
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
