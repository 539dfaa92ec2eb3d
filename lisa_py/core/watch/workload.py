"""Which processes of a pane are the agent's, and what they show where the agent itself says nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lisa_py.core.context import Context
from lisa_py.core.watch import activity
from lisa_py.core.watch.memory import Memory
from lisa_py.core.watch.subject import EXACT, Subject
from lisa_py.host import processes
from lisa_py.host.processes import Process

RUNNERS = frozenset(
    (
        *("bash", "sh", "zsh", "dash", "fish", "env", "node", "nodejs", "bun", "deno", "npx", "npm", "pnpm", "yarn"),
        *("ruby", "perl", "uv", "uvx", "pipx", "timeout", "nohup", "nice", "stdbuf"),
    )
)
"""Programs that run the program named by an argument."""


def find(ctx: Context, subject: Subject, now: float) -> None:
    """Tell the supervisor's processes from the command's, and the agent among those; `now` is processes.clock()."""
    evidence = subject.evidence
    if not subject.tree:
        return
    root, meta = subject.tree[0], evidence.meta
    reused = meta is not None and meta.pane_pid == root.pid and meta.pane_started not in (0.0, root.started)
    if not root.alive or reused:
        return
    own = activity.split(subject.tree, subject.place.command)
    evidence.root, evidence.root_age = root, processes.age(root, now)
    evidence.workload, evidence.beating, evidence.agent_process = own.workload, own.beating, own.main
    if evidence.custom:
        return
    evidence.workload = tuple(processes.with_argv(process) for process in own.workload)
    subject.tree = (root, *evidence.workload) if root not in own.workload else evidence.workload
    words = _words(ctx, subject)
    found = next((process for process in evidence.workload if _is(subject, process, words)), None)
    evidence.recognised = found is not None
    evidence.agent_process = found or own.main


def _words(ctx: Context, subject: Subject) -> frozenset[str]:
    """Names that mark the agent's process: its binaries, and what the user added for wrappers of their own."""
    own = ctx.settings.get(f"LISA_AGENT_PROCESS_MATCH_{subject.agent.name.upper()}")
    extra = [word.strip().lower() for word in own.split(",") if word.strip()]
    return frozenset((*subject.agent.binaries, *ctx.settings.process_match, *extra))


def _is(subject: Subject, process: Process, words: frozenset[str]) -> bool:
    """The agent itself, also behind an interpreter (`python3 /usr/bin/claude`); never told by a prompt's words."""
    if not process.alive:
        return False
    if subject.agent.is_agent(process):
        return True
    named = [os.path.basename(word) for word in process.argv[:4]]
    if not named or not words:
        return False
    if named[0].lower() in words:
        return True
    runs = named[0] in RUNNERS or named[0].startswith("python")
    script = next((word for word in named[1:] if not word.startswith("-") and "=" not in word), "")
    return runs and script.lower() in words


def watch_silent(ctx: Context, subjects: Sequence[Subject], memory: Memory | None) -> None:
    """What the processes themselves show, where the agent does not say; one short pause serves all that need it."""
    silent = [
        subject
        for subject in subjects
        if subject.evidence.mode != "exec"
        and subject.evidence.workload
        and not any(report.source in EXACT for report in subject.evidence.reports)
    ]
    looks = [activity.look(subject.evidence.workload, subject.evidence.agent_process) for subject in silent]
    activity.sample(looks, ctx.clock, memory)
    for subject, seen in zip(silent, looks, strict=True):
        pane = subject.evidence.pane
        age = ctx.clock.now() - (pane.activity if pane is not None else 0.0)
        beat_age = ctx.clock.now() - subject.evidence.heartbeat_at
        awake = not subject.evidence.beating or beat_age <= subject.evidence.heartbeat_stale
        report = activity.report(seen, quiet=age if awake else 0.0)
        if report is not None:
            subject.evidence.reports = (*subject.evidence.reports, report)
