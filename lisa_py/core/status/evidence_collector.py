"""Collect the evidence about some sessions with one pane list, one process pass and one capture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lisa_py.core.context import Context
from lisa_py.core.status import agent_process, agent_reports
from lisa_py.core.status import evidence as status_evidence
from lisa_py.core.status import panes as pane_list
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.poll_cache import PollCache
from lisa_py.host import processes
from lisa_py.host.pane import Pane
from lisa_py.store.paths import SessionRef


def collect_evidence(
    ctx: Context,
    refs: Sequence[SessionRef],
    *,
    agent: str = "auto",
    mode: str = "auto",
    screen: bool = False,
    brief: bool = False,
    cache: PollCache | None = None,
    panes: Mapping[str, Sequence[Pane]] | None = None,
) -> list[Evidence]:
    """Return the evidence about each session, in the given order; change nothing on disk.

    `screen` reads the screen of every living pane, else only of those whose state depends on it. `brief` leaves out
    details (transcripts of agents that report their state). `cache` holds values from the previous read. `panes` are
    the known panes of each server, by socket.
    """
    probes = [status_evidence.start_probe(ctx, ref, agent, mode) for ref in refs]
    for server in {id(probe.tmux): probe.tmux for probe in probes}.values():
        known_panes = panes.get(server.socket) if panes else None
        pane_list.assign_panes(server, [probe for probe in probes if probe.tmux is server], known_panes)
    panes_by_probe = {id(probe): probe.evidence.pane for probe in probes}
    forest = processes.read_trees(
        [pane.pid for pane in panes_by_probe.values() if pane is not None and not pane.dead], argv=False
    )
    now = processes.current_time()
    for probe in probes:
        pane = panes_by_probe[id(probe)]
        probe.tree = forest.get(pane.pid, ()) if pane is not None and not pane.dead else ()
        agent_process.find_agent_process(ctx, probe, now)
        status_evidence.read_end_records(probe)
    pane_list.refresh_panes([probe for probe in probes if _has_vanished(probe.evidence)])
    living = [probe for probe in probes if probe.evidence.root is not None and probe.evidence.end is None]
    for probe in living if brief else probes:
        agent_reports.read_agent_reports(ctx, probe, brief, cache)
    agent_process.add_activity_reports(ctx, living, cache)
    pane_list.read_screens(living, screen)
    return [probe.evidence for probe in probes]


def _has_vanished(evidence: Evidence) -> bool:
    """Return True if the pane's process has ended after the pane list, or tmux has not noticed its end."""
    pane = evidence.pane
    return pane is not None and not pane.dead and evidence.root is None and evidence.end is None
