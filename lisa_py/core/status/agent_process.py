"""Find the agent among the processes of a pane, and report their activity if the agent reports nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lisa_py.core.context import Context
from lisa_py.core.status import process_activity
from lisa_py.core.status.evidence import AGENT_SOURCES, SessionProbe
from lisa_py.core.status.poll_cache import PollCache
from lisa_py.host import processes
from lisa_py.host.processes import Process

RUNNERS = frozenset(
    (
        *("bash", "sh", "zsh", "dash", "fish", "env", "node", "nodejs", "bun", "deno", "npx", "npm", "pnpm", "yarn"),
        *("ruby", "perl", "uv", "uvx", "pipx", "timeout", "nohup", "nice", "stdbuf"),
    )
)
"""Programs that run another program given as an argument."""


def find_agent_process(ctx: Context, probe: SessionProbe, now: float) -> None:
    """Separate the command's processes from the supervisor's and find the agent; `now` is processes.current_time()."""
    evidence = probe.evidence
    if not probe.tree:
        return
    root, meta = probe.tree[0], evidence.meta
    reused = meta is not None and meta.pane_pid == root.pid and meta.pane_started not in (0.0, root.started)
    if not root.alive or reused:
        return
    own = process_activity.split_tree(probe.tree, probe.ref.command)
    evidence.root, evidence.root_age = root, processes.age(root, now)
    evidence.workload, evidence.heartbeat_alive, evidence.agent_process = own.workload, own.heartbeat_alive, own.main
    if evidence.custom:
        return
    evidence.workload = tuple(processes.add_argv(process) for process in own.workload)
    probe.tree = (root, *evidence.workload) if root not in own.workload else evidence.workload
    names = _process_names(ctx, probe)
    found = next((process for process in evidence.workload if _is_agent(probe, process, names)), None)
    evidence.recognised = found is not None
    evidence.agent_process = found or own.main


def _process_names(ctx: Context, probe: SessionProbe) -> frozenset[str]:
    """Return the names of the agent's process: its binaries, and those the user configured for wrappers."""
    own = ctx.settings.get(f"LISA_AGENT_PROCESS_MATCH_{probe.agent.name.upper()}")
    extra = [word.strip().lower() for word in own.split(",") if word.strip()]
    return frozenset((*probe.agent.binaries, *ctx.settings.process_match, *extra))


def _is_agent(probe: SessionProbe, process: Process, names: frozenset[str]) -> bool:
    """Return True for the agent, also behind an interpreter (`python3 /usr/bin/claude`); ignore the prompt's text."""
    if not process.alive:
        return False
    if probe.agent.is_agent(process):
        return True
    named = [os.path.basename(word) for word in process.argv[:4]]
    if not named or not names:
        return False
    if named[0].lower() in names:
        return True
    runs = named[0] in RUNNERS or named[0].startswith("python")
    script = next((word for word in named[1:] if not word.startswith("-") and "=" not in word), "")
    return runs and script.lower() in names


def add_activity_reports(ctx: Context, probes: Sequence[SessionProbe], cache: PollCache | None) -> None:
    """Add a report made from process activity if the agent has none; one short pause serves all sessions."""
    silent = [
        probe
        for probe in probes
        if probe.evidence.mode != "exec"
        and probe.evidence.workload
        and not any(report.source in AGENT_SOURCES for report in probe.evidence.reports)
    ]
    readings = [
        process_activity.read_activity(probe.evidence.workload, probe.evidence.agent_process) for probe in silent
    ]
    process_activity.sample_cpu(readings, ctx.clock, cache)
    for probe, reading in zip(silent, readings, strict=True):
        pane = probe.evidence.pane
        age = ctx.clock.now() - (pane.activity if pane is not None else 0.0)
        heartbeat_age = ctx.clock.now() - probe.evidence.heartbeat_at
        awake = not probe.evidence.heartbeat_alive or heartbeat_age <= probe.evidence.heartbeat_stale
        report = process_activity.make_report(reading, quiet=age if awake else 0.0)
        if report is not None:
            probe.evidence.reports = (*probe.evidence.reports, report)
