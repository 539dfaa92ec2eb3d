"""Everything that can be seen of some sessions, collected in one go: one pane list, one process pass, one capture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lisa_py.core.context import Context
from lisa_py.core.watch import panes as pane_list
from lisa_py.core.watch import signs, subject, workload
from lisa_py.core.watch.memory import Memory
from lisa_py.core.watch.signs import hooks as hooks  # part of what this module offers
from lisa_py.core.watch.subject import Evidence as Evidence  # part of what this module offers
from lisa_py.host import processes
from lisa_py.host.pane import Pane
from lisa_py.store.places import Place


def collect(
    ctx: Context,
    places: Sequence[Place],
    *,
    agent: str = "auto",
    mode: str = "auto",
    screen: bool = False,
    brief: bool = False,
    memory: Memory | None = None,
    panes: Mapping[str, Sequence[Pane]] | None = None,
) -> list[Evidence]:
    """The evidence about each session, in the order asked for; changes nothing on disk.

    `screen` reads every living pane's screen, else only where it decides something. `brief` leaves out what only
    refines the answer (transcripts of agents that tell their state themselves). `memory` carries what a waiter
    learned at its last look. `panes` are what servers (by socket) have just been seen to hold.
    """
    every = [subject.begin(ctx, place, agent, mode) for place in places]
    for server in {id(each.tmux): each.tmux for each in every}.values():
        held = panes.get(server.socket) if panes else None
        pane_list.find(server, [each for each in every if each.tmux is server], held)
    found = {id(each): each.evidence.pane for each in every}
    forest = processes.forest([pane.pid for pane in found.values() if pane is not None and not pane.dead], argv=False)
    now = processes.clock()
    for each in every:
        pane = found[id(each)]
        each.tree = forest.get(pane.pid, ()) if pane is not None and not pane.dead else ()
        workload.find(ctx, each, now)
        subject.read_ends(each)
    pane_list.find_again([each for each in every if _vanished(each.evidence)])
    living = [each for each in every if each.evidence.root is not None and each.evidence.end is None]
    for each in living if brief else every:
        signs.ask(ctx, each, brief, memory)
    workload.watch_silent(ctx, living, memory)
    pane_list.read_screens(living, screen)
    return [each.evidence for each in every]


def _vanished(evidence: Evidence) -> bool:
    """The pane's process has ended since tmux was asked, or tmux does not know of its end."""
    pane = evidence.pane
    return pane is not None and not pane.dead and evidence.root is None and evidence.end is None
