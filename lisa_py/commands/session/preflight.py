"""Check machine, records, agents and optionally a model before work begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.core.lifecycle.doctor import MachineCheck
from lisa_py.core.workflows import preflight
from lisa_py.core.workflows.model_probe import AutoModelResult, ModelCheck
from lisa_py.core.workflows.preflight import PreflightOptions
from lisa_py.core.workflows.self_checks import SelfCheck
from lisa_py.host.build import read_build
from lisa_py.host.clock import format_rfc3339


class PreflightResult(Answer):
    ok: bool
    project_root: str
    environment: preflight.EnvironmentReport
    machine: Sequence[MachineCheck]
    """Checks of this machine: a tmux session, sockets, locks, records."""
    contracts: Sequence[SelfCheck]
    fast: bool
    version: str
    commit: str
    date: str
    generated_at: str
    model_check: ModelCheck | UnsetType = UNSET
    auto_model: AutoModelResult | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


class MinimalPreflightResult(Answer):
    ok: bool
    missing: tuple[str, ...]
    """Programs that are not installed."""
    failed: tuple[str, ...]
    """Checks of the machine and of lisa that failed."""
    model_check: ModelCheck | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: PreflightOptions, ctx: Context) -> PreflightResult:
    report = preflight.run(ctx, args)
    build_info = read_build(ctx.settings)
    return PreflightResult(
        ok=report.ok,
        project_root=report.project.root,
        environment=report.environment,
        machine=report.machine,
        contracts=report.contracts,
        fast=args.fast,
        version=build_info.version,
        commit=build_info.commit,
        date=build_info.date,
        generated_at=format_rfc3339(ctx.clock.now()),
        model_check=report.model,
        auto_model=report.auto_model,
        error_code=UNSET if report.ok else "session_preflight_failed",
    )


def text(answer: PreflightResult, args: PreflightOptions) -> str:
    head = ["ready" if answer.ok else "not_ready", answer.project_root, "true" if answer.fast else "false"]
    missing = [check.name for check in answer.environment.checks if not check.available]
    missing += [found.name for found in answer.machine if not found.passes]
    missing += [found.name for found in answer.contracts if not found.ok]
    lines = [f"session preflight: {head[0]}"]
    lines += [f"missing: {', '.join(missing)}"] if missing and not answer.ok else []
    lines += [f"project_root: {head[1]}", f"fast: {head[2]}", "environment:"]
    for check in answer.environment.checks:
        lines.append(f"- {'ok' if check.available else 'missing'} {check.name} {check.path or check.error}")
    lines += [
        "machine:",
        *(f"- {_judge_check(found)} {found.name} ({found.detail})" for found in answer.machine),
    ]
    lines += [
        "contracts:",
        *(f"- {'ok' if found.ok else 'fail'} {found.name} ({found.detail})" for found in answer.contracts),
    ]
    return "\n".join([*lines, *_format_model_checks(answer)])


def _judge_check(found: MachineCheck) -> str:
    return "ok" if found.ok else "warning" if found.passes else "fail"


def _format_model_checks(answer: PreflightResult) -> Iterator[str]:
    if answer.model_check:
        check = answer.model_check
        outcome = "ok" if check.ok else "fail"
        yield f"model_check: {outcome} agent={check.agent} model={check.model} detail={check.detail}"
    if answer.auto_model:
        yield f"auto_model_selected: {answer.auto_model.selected or ''}"
        for attempt in answer.auto_model.attempts:
            yield f"auto_model_attempt: {'ok' if attempt.ok else 'fail'} model={attempt.model} detail={attempt.detail}"


def minimize(answer: PreflightResult, args: PreflightOptions) -> MinimalPreflightResult:
    return MinimalPreflightResult(
        ok=answer.ok,
        missing=tuple(check.name for check in answer.environment.checks if not check.available),
        failed=(
            *(check.name for check in answer.machine if not check.passes),
            *(check.name for check in answer.contracts if not check.ok),
        ),
        model_check=answer.model_check,
        error_code=answer.error_code,
    )


COMMAND = Command(
    group="checks",
    args=PreflightOptions,
    answer=PreflightResult,
    run=run,
    text=text,
    min=minimize,
    exit_code=lambda answer: 0 if answer.ok else 1,
    errors=(
        "session_preflight_failed",
        "model_auto_model_conflict",
        "invalid_agent",
        "invalid_model",
        "preflight_model_agent_unsupported",
        "preflight_model_not_supported",
        "preflight_model_metadata_missing",
        "preflight_model_auth_failed",
        "preflight_model_probe_failed",
        "preflight_auto_model_empty",
    ),
    exits={0: "everything is ready", 1: "a check failed"},
    example="""\
lisa session preflight --fast --json
lisa session preflight --agent claude --model sonnet --json""",
    notes="""\
--model and --auto-model make a real call that costs a few tokens: read-only, in an empty folder, ended after
LISA_MODEL_PROBE_TIMEOUT_SECONDS (60). `verified: false`: the agent succeeded without the expected reply. A machine
check with `advisory` does not decide: without `login_shell` codex runs of an untried version cannot call lisa.""",
)
