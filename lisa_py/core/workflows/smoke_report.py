"""Options and report of a smoke run."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract import flags
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Flag
from lisa_py.core.fleet.tree import TreeNode
from lisa_py.core.workflows import smoke_plan
from lisa_py.core.workflows.monitor_report import MonitorResult
from lisa_py.core.workflows.smoke_checks import ContractCheck, MatrixRow, PromptProbe
from lisa_py.core.workflows.smoke_plan import ChaosResult

PROFILES = ("none", *(name for name in agents.names() if not agents.get(name).hidden), "mixed")


class SmokeOptions(Struct, frozen=True, kw_only=True):
    """Options of a smoke run; they are its flags."""

    project_root: flags.ProjectRoot = ""
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
    keep_sessions: Annotated[bool, Flag(help="no removal of the sessions")] = False
    report_min: Annotated[bool, Flag(help="with --json: short report for CI")] = False
    export_artifacts: Annotated[
        str, Flag(help="folder for scripts, captures, events and the report", metavar="DIR")
    ] = ""


class SmokeTree(Answer):
    """The spawn relations in the records of the sessions."""

    node_count: int
    roots: tuple[TreeNode, ...]


class SmokeResult(Answer):
    """Report of a smoke run."""

    ok: bool
    project_root: str
    levels: int
    model: str | UnsetType = UNSET
    llm_profile: str
    contract_profile: str
    contract_checks: tuple[ContractCheck, ...] | UnsetType = UNSET
    prompt_style: str
    prompt_probe: PromptProbe | UnsetType = UNSET
    prompt_matrix: tuple[MatrixRow, ...] | UnsetType = UNSET
    chaos: str
    chaos_report: bool | UnsetType = UNSET
    chaos_result: ChaosResult | UnsetType = UNSET
    work_dir: str
    keep_sessions: bool
    export_artifacts: str | UnsetType = UNSET
    exported_path: str | UnsetType = UNSET
    export_error: str | UnsetType = UNSET
    sessions: tuple[str, ...]
    markers: tuple[str, ...]
    missing_markers: tuple[str, ...] | UnsetType = UNSET
    monitor: MonitorResult | UnsetType = UNSET
    tree: SmokeTree | UnsetType = UNSET
    cleanup_errors: tuple[str, ...] | UnsetType = UNSET
    seconds: float
    error: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def apply_chaos_result(judged: ChaosResult, code: str, error: str) -> tuple[str, str]:
    """Return the error of a chaos run: an expected failure is a success, its absence an error."""
    if judged.expected_failure and judged.matched:
        return "", ""
    if judged.expected_failure and not judged.observed_failure:
        return "smoke_chaos_expected_failure_not_observed", "chaos contract expected a failure but smoke completed"
    return code, error
