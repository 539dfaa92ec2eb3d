"""Preflight: everything that can be known before work starts, tried out on this machine rather than assumed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.life import checkup
from lisa_py.core.life.checkup import Check, Finding
from lisa_py.core.pilot import model_probe, self_checks
from lisa_py.core.pilot.model_probe import AutoModel, ModelCheck
from lisa_py.core.pilot.self_checks import SelfCheck
from lisa_py.host import files
from lisa_py.store import claims, context_cache, lanes, memory, objectives, session, tokens
from lisa_py.store.places import Project
from lisa_py.store.records import Unreadable
from lisa_py.store.registry import Registry

LOCK_MS = 50


class Asked(Struct, frozen=True, kw_only=True):
    """The wish as it was worded."""

    project_root: str = ""
    agent: str = ""
    model: str = ""
    auto_model: bool = False
    candidates: str = ""
    fast: bool = False
    network: bool = True


class Environment(Struct, frozen=True, kw_only=True):
    ok: bool
    checks: Sequence[Check]


class Found(Struct, frozen=True, kw_only=True):
    """What preflight saw."""

    project: Project
    environment: Environment
    machine: Sequence[Finding]
    contracts: Sequence[SelfCheck]
    model: ModelCheck | UnsetType = UNSET
    auto_model: AutoModel | UnsetType = UNSET

    @property
    def ok(self) -> bool:
        fine = all(check.ok for check in self.machine) and all(check.ok for check in self.contracts)
        return fine and self.environment.ok and (self.model is UNSET or bool(self.model.ok))


def run(ctx: Context, asked: Asked) -> Found:
    """Raises LisaError for a wish that makes no sense; everything else is a finding."""
    agent, model = _checked(asked)
    project = ctx.project(asked.project_root)
    programs = checkup.programs(ctx, versions=not asked.fast)
    auto: AutoModel | UnsetType = UNSET
    check: ModelCheck | UnsetType = UNSET
    machine = [*checkup.machine(ctx, _with_version(programs[0])), *_more(ctx, project, programs, asked.fast)]
    if agent is not None and asked.auto_model:
        auto, check = model_probe.choose(ctx, agent, asked.candidates, network=asked.network)
    elif agent is not None and model:
        check = model_probe.ask(ctx, agent, model, network=asked.network)
    return Found(
        project=project,
        environment=Environment(ok=checkup.ready(programs), checks=programs),
        machine=machine,
        contracts=self_checks.run(fast=asked.fast),
        model=check,
        auto_model=auto,
    )


def _checked(asked: Asked) -> tuple[Agent | None, str]:
    """Who is to be asked for which model; neither when no model is asked for."""
    if asked.model.strip() and asked.auto_model:
        raise LisaError("model_auto_model_conflict", "--model names one model, --auto-model looks for one: give one")
    wanted = bool(asked.model.strip()) or asked.auto_model
    name = asked.agent or (agents.DEFAULT_NESTED if wanted else "")
    if not name:
        return None, ""
    agent = agents.get(name)
    return agent, model_probe.named(agent, asked.model)


def _with_version(tmux: Check) -> Check:
    """The machine findings judge the version of tmux, which the fast look at programs leaves out."""
    if not tmux.available or tmux.version or tmux.path is UNSET:
        return tmux
    return Check(name=tmux.name, available=True, path=tmux.path, version=checkup.tmux_version(str(tmux.path)))


def _more(ctx: Context, project: Project, programs: Sequence[Check], fast: bool) -> Iterator[Finding]:
    yield _shared(ctx)
    yield _locks(ctx)
    yield _stores(ctx, project)
    if not fast:
        silent = [check.name for check in programs if check.available and not check.version]
        detail = (
            f"no version from {', '.join(silent)}: it may be broken" if silent else "every program says its version"
        )
        yield Finding(name="versions", ok=not silent, detail=detail)


def _shared(ctx: Context) -> Finding:
    folder = ctx.settings.shared_dir
    try:
        files.remove_tree(files.temporary_dir(os.path.join(_existing(folder), ".lisa-preflight-")))
    except LisaError as problem:
        return Finding(name="shared_dir", ok=False, detail=problem.message)
    return Finding(name="shared_dir", ok=True, detail=folder)


def _locks(ctx: Context) -> Finding:
    """On some network file systems a lock keeps nobody out."""
    folder = ctx.settings.state_dir
    try:
        apart = files.temporary_dir(os.path.join(_existing(folder), ".lisa-preflight-"))
    except LisaError as problem:
        return Finding(name="locks", ok=False, detail=problem.message)
    path = os.path.join(apart, "lock")
    try:
        with files.lock(path, timeout_ms=LOCK_MS), files.lock(path, timeout_ms=LOCK_MS):
            return Finding(name="locks", ok=False, detail=f"two holders at once: locks do not work below {folder}")
    except LisaError as problem:
        fine = problem.code == "state_lock_timeout"
        return Finding(name="locks", ok=fine, detail="a second holder is kept out" if fine else problem.message)
    finally:
        files.remove_tree(apart)


def _existing(folder: str) -> str:
    """What has this name, or the nearest thing above it that is there."""
    while not files.exists(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return folder


def _stores(ctx: Context, project: Project) -> Finding:
    """Every record of the project and the token pool can be read."""
    problems = list(_unreadable(ctx, project))
    detail = "; ".join(problems[:3]) if problems else "every record can be read"
    return Finding(name="stores", ok=not problems, detail=detail)


def _unreadable(ctx: Context, project: Project) -> Iterator[str]:
    registries: list[Registry[Any]] = [
        lanes.registry(project),
        objectives.registry(project),
        context_cache.registry(project),
        claims.registry(project, ctx.settings),
        *(memory.registry(place) for place in memory.known(project)),
    ]
    for registry in registries:
        try:
            registry.read()
        except LisaError as problem:
            yield problem.message
    try:
        tokens.listed(ctx.settings, ctx.clock.now())
    except (LisaError, Unreadable) as problem:
        yield str(problem)
    for place in session.known(project):
        try:
            session.read_meta(place)
            session.read_state(place)
        except Unreadable as problem:
            yield str(problem)
