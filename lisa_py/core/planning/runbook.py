"""Runbook: a job as command lines, from the first check to the clean-up."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.agents.base import Agent, quote

SESSION_VARIABLE = '"$SESSION"'
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
    binary: str = "lisa"


def build_runbook(job: RunbookJob) -> Runbook:
    root = f"--project-root {quote(job.project_root)}"
    here = f"--session {SESSION_VARIABLE} {root}"
    pack = f"--for {SESSION_VARIABLE} {root} --strategy balanced --token-budget {job.budget} --json-min"
    lines = [
        ("preflight", f"preflight --agent {job.agent.name} {root} --json"),
        ("spawn", _spawn_command(job, root)),
        ("monitor", f"monitor {here} {_monitor_flags(job.mode)} --json"),
        ("capture", f"capture {here} --raw {_capture_flags(job.budget)}"),
        ("handoff", f"handoff {here} --json-min"),
        *((("context-pack", f"context-pack {pack}"),) if job.budget > 0 else ()),
        ("cleanup", f"kill {here} --json"),
    ]
    return Runbook(
        tuple(
            RunbookStep(id=name, command=f"{job.binary} session {line}", note=SPAWN_NOTE if name == "spawn" else UNSET)
            for name, line in lines
        )
    )


def _spawn_command(job: RunbookJob, root: str) -> str:
    model = f" --model {quote(job.model)}" if job.model and job.agent.takes_model else ""
    return (
        f"spawn --agent {job.agent.name} --mode {job.mode} --nested-policy {job.nested_policy}"
        f" --nesting-intent {job.nesting_intent} {root} --prompt {quote(job.prompt)}{model} --json"
    )


def _monitor_flags(mode: str) -> str:
    return "--stop-on-waiting true" if mode == "interactive" else "--expect terminal"


def _capture_flags(budget: int) -> str:
    return f"--summary --summary-style ops --token-budget {budget} --json" if budget > 0 else "--json-min"
