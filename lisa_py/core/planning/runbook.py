"""Runbook: a job as command lines, from the first check to the clean-up."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET, Struct, UnsetType

from lisa_py.agents.base import Agent
from lisa_py.contract import command_line
from lisa_py.contract.command_line import BINARY, CommandLine, ShellVariable

SESSION = ShellVariable("SESSION")
SPAWN_NOTE = "extract SESSION from spawn JSON payload"


class RunbookStep(Struct, frozen=True, kw_only=True):
    """One command line; it may refer to $SESSION."""

    id: str
    command: str
    note: str | UnsetType = UNSET


class Runbook(Struct, frozen=True):
    """All command lines in order."""

    steps: tuple[RunbookStep, ...]


class RunbookJob(Struct, frozen=True, kw_only=True):
    """Input of a runbook."""

    agent: Agent
    mode: str
    nested_policy: str
    nesting_intent: str
    project_root: str
    prompt: str
    model: str = ""
    budget: int = 0
    binary: str = BINARY


def build_runbook(job: RunbookJob) -> Runbook:
    return Runbook(
        tuple(
            RunbookStep(id=name, command=str(line), note=SPAWN_NOTE if name == "spawn" else UNSET)
            for name, line in _build_lines(job)
        )
    )


def _build_lines(job: RunbookJob) -> Iterator[tuple[str, CommandLine]]:
    binary, root, budget = job.binary, job.project_root, job.budget
    yield (
        "preflight",
        command_line.build("session preflight", binary=binary, agent=job.agent.name, project_root=root, json=True),
    )
    yield "spawn", _build_spawn_line(job)
    yield "monitor", build_monitor_line(job.mode, binary=binary, session=SESSION, project_root=root)
    yield (
        "capture",
        command_line.build(
            "session capture",
            binary=binary,
            session=SESSION,
            project_root=root,
            raw=True,
            summary=budget > 0,
            summary_style="ops" if budget > 0 else "",
            token_budget=budget or None,
            json=budget > 0,
            json_min=budget <= 0,
        ),
    )
    yield (
        "handoff",
        command_line.build("session handoff", binary=binary, session=SESSION, project_root=root, json_min=True),
    )
    if budget > 0:
        yield (
            "context-pack",
            command_line.build(
                "session context-pack",
                binary=binary,
                for_=SESSION,
                project_root=root,
                strategy="balanced",
                token_budget=budget,
                json_min=True,
            ),
        )
    yield "cleanup", command_line.build("session kill", binary=binary, session=SESSION, project_root=root, json=True)


def _build_spawn_line(job: RunbookJob) -> CommandLine:
    return command_line.build(
        "session spawn",
        binary=job.binary,
        agent=job.agent.name,
        mode=job.mode,
        nested_policy=job.nested_policy,
        nesting_intent=job.nesting_intent,
        project_root=job.project_root,
        prompt=job.prompt,
        model=job.model if job.agent.takes_model else "",
        json=True,
    )


def build_monitor_line(mode: str, *, binary: str = BINARY, session: str = "", project_root: str = "") -> CommandLine:
    """Return the command that waits for the end of a job: of the turn, or of the run."""
    interactive = mode == "interactive"
    return command_line.build(
        "session monitor",
        binary=binary,
        session=session,
        project_root=project_root,
        stop_on_waiting="true" if interactive else "",
        expect="" if interactive else "terminal",
        json=True,
    )
