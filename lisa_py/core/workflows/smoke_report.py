"""Options and report of a smoke run."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.core.fleet.tree import TreeNode
from lisa_py.core.workflows.monitor_report import MonitorResult
from lisa_py.core.workflows.smoke_checks import ContractCheck, MatrixRow, PromptProbe
from lisa_py.core.workflows.smoke_plan import ChaosResult


class SmokeRequest(Struct, frozen=True, kw_only=True):
    """Options of a smoke run."""

    project_root: str = ""
    levels: int = 3
    prompt_style: str = "none"
    matrix_file: str = ""
    """A path, `auto` (the rows of the profile), or empty."""
    chaos: str = "none"
    chaos_report: bool = False
    contract_profile: str = "none"
    llm_profile: str = "none"
    model: str = ""
    poll_interval: int = 1
    max_polls: int = 180
    keep_sessions: bool = False
    export_artifacts: str = ""


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
