"""Preflight: test the prerequisites on this machine instead of assuming them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract import flags
from lisa_py.contract.command import Flag
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import doctor
from lisa_py.core.lifecycle.doctor import MachineCheck, ProgramCheck
from lisa_py.core.workflows import model_probe, self_checks
from lisa_py.core.workflows.model_probe import AutoModelResult, ModelCheck
from lisa_py.core.workflows.self_checks import SelfCheck
from lisa_py.host import files
from lisa_py.store.paths import Project
from lisa_py.store.record import load_records

LOCK_TIMEOUT_MS = 50


class PreflightOptions(Struct, frozen=True, kw_only=True):
    """Options of a preflight; they are its flags."""

    project_root: flags.ProjectRoot = ""
    agent: flags.AgentName = ""
    model: flags.Model = ""
    auto_model: Annotated[bool, Flag(help="probe of candidate models until one replies")] = False
    auto_model_candidates: Annotated[
        str, Flag(help="candidates of --auto-model; default: two usual models", metavar="CSV")
    ] = ""
    fast: Annotated[bool, Flag(help="essential checks only, without agent versions")] = False
    no_network: Annotated[bool, Flag(help="check of the model name only, without a call")] = False


class EnvironmentReport(Struct, frozen=True, kw_only=True):
    ok: bool
    checks: Sequence[ProgramCheck]


class PreflightReport(Struct, frozen=True, kw_only=True):
    """Result of preflight."""

    project: Project
    environment: EnvironmentReport
    machine: Sequence[MachineCheck]
    contracts: Sequence[SelfCheck]
    model: ModelCheck | UnsetType = UNSET
    auto_model: AutoModelResult | UnsetType = UNSET

    @property
    def ok(self) -> bool:
        fine = all(check.passes for check in self.machine) and all(check.ok for check in self.contracts)
        return fine and self.environment.ok and (self.model is UNSET or bool(self.model.ok))


def run(ctx: Context, options: PreflightOptions) -> PreflightReport:
    """Run the checks; failures are results. Raise LisaError for invalid options."""
    agent, model = _resolve_probe(options)
    project = ctx.project(options.project_root)
    programs = doctor.check_programs(ctx, versions=not options.fast)
    auto: AutoModelResult | UnsetType = UNSET
    check: ModelCheck | UnsetType = UNSET
    machine = [
        *doctor.check_machine(ctx, _add_version(programs[0])),
        *_iterate_checks(ctx, project, programs, options.fast),
    ]
    if agent is not None and options.auto_model:
        auto, check = model_probe.choose_model(
            ctx, agent, options.auto_model_candidates, network=not options.no_network
        )
    elif agent is not None and model:
        check = model_probe.probe_model(ctx, agent, model, network=not options.no_network)
    return PreflightReport(
        project=project,
        environment=EnvironmentReport(ok=doctor.is_ready(programs), checks=programs),
        machine=machine,
        contracts=self_checks.run_self_checks(fast=options.fast),
        model=check,
        auto_model=auto,
    )


def _resolve_probe(options: PreflightOptions) -> tuple[Agent | None, str]:
    """Return the agent and model to probe; both empty if no model is requested."""
    if options.model.strip() and options.auto_model:
        raise LisaError("model_auto_model_conflict", "--model names one model, --auto-model looks for one: give one")
    wanted = bool(options.model.strip()) or options.auto_model
    name = options.agent or (agents.DEFAULT_NESTED if wanted else "")
    if not name:
        return None, ""
    agent = agents.get(name)
    return agent, model_probe.resolve_model(agent, options.model)


def _add_version(tmux: ProgramCheck) -> ProgramCheck:
    """Return the machine checks that judge the tmux version, which the fast program check omits."""
    if not tmux.available or tmux.version or tmux.path is UNSET:
        return tmux
    return ProgramCheck(
        name=tmux.name, available=True, path=tmux.path, version=doctor.read_tmux_version(str(tmux.path))
    )


def _iterate_checks(
    ctx: Context, project: Project, programs: Sequence[ProgramCheck], fast: bool
) -> Iterator[MachineCheck]:
    yield doctor.check_login_shell(ctx)
    yield _check_shared_dir(ctx)
    yield _check_locks(ctx)
    yield _check_stores(ctx, project)
    if not fast:
        versionless = [check.name for check in programs if check.available and not check.version]
        detail = (
            f"no version from {', '.join(versionless)}: it may be broken"
            if versionless
            else "every program reports its version"
        )
        yield MachineCheck(name="versions", ok=not versionless, detail=detail)


def _check_shared_dir(ctx: Context) -> MachineCheck:
    folder = ctx.settings.shared_dir
    try:
        files.remove_tree(files.make_temporary_dir(os.path.join(_nearest_existing(folder), ".lisa-preflight-")))
    except LisaError as problem:
        return MachineCheck(name="shared_dir", ok=False, detail=problem.message)
    return MachineCheck(name="shared_dir", ok=True, detail=folder)


def _check_locks(ctx: Context) -> MachineCheck:
    """Test that locks exclude other processes; on some network file systems they do not."""
    folder = ctx.settings.state_dir
    try:
        probe_folder = files.make_temporary_dir(os.path.join(_nearest_existing(folder), ".lisa-preflight-"))
    except LisaError as problem:
        return MachineCheck(name="locks", ok=False, detail=problem.message)
    path = os.path.join(probe_folder, "lock")
    try:
        with files.lock(path, timeout_ms=LOCK_TIMEOUT_MS), files.lock(path, timeout_ms=LOCK_TIMEOUT_MS):
            return MachineCheck(name="locks", ok=False, detail=f"two holders at once: locks do not work below {folder}")
    except LisaError as problem:
        fine = problem.code == "state_lock_timeout"
        return MachineCheck(name="locks", ok=fine, detail="a second holder is kept out" if fine else problem.message)
    finally:
        files.remove_tree(probe_folder)


def _nearest_existing(folder: str) -> str:
    """Return the path if it exists, else its nearest existing parent."""
    while not files.exists(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return folder


def _check_stores(ctx: Context, project: Project) -> MachineCheck:
    """Test that every record of the project and the token pool can be read."""
    checks = [record.check for record in load_records().values() if record.check is not None]
    problems = [line for check in checks for line in check(project, ctx.settings)]
    detail = "; ".join(problems[:3]) if problems else "every record can be read"
    return MachineCheck(name="stores", ok=not problems, detail=detail)
