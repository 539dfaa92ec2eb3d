"""One look at sessions: evidence and verdict in one call, without a trace on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.watch.evidence import Evidence, collect
from lisa_py.core.watch.memory import Memory
from lisa_py.core.watch.verdict import judge
from lisa_py.host.pane import Pane
from lisa_py.store.places import Place


def status(ctx: Context, place: Place, *, agent: str = "auto", mode: str = "auto", screen: bool = False) -> Status:
    """What the session is doing. Never raises for a session that is not there or cannot be seen."""
    return look(ctx, place, agent=agent, mode=mode, screen=screen)[1]


def statuses(ctx: Context, places: Sequence[Place], *, memory: Memory | None = None) -> dict[str, Status]:
    """The status of many sessions by name, read in one go; what only refines an answer is left out."""
    return {status.session: status for status in each(ctx, places, memory=memory)}


def each(
    ctx: Context,
    places: Sequence[Place],
    *,
    memory: Memory | None = None,
    panes: Mapping[str, Sequence[Pane]] | None = None,
) -> list[Status]:
    """As statuses, but one for each place (names may occur in several projects)."""
    return [status for _, status in survey(ctx, places, memory=memory, panes=panes)]


def survey(
    ctx: Context,
    places: Sequence[Place],
    *,
    memory: Memory | None = None,
    panes: Mapping[str, Sequence[Pane]] | None = None,
) -> list[tuple[Evidence, Status]]:
    """As each, with the evidence."""
    found = collect(ctx, places, brief=True, memory=memory, panes=panes)
    now = ctx.clock.now()
    return [(evidence, judge(evidence, now)) for evidence in found]


def look(
    ctx: Context,
    place: Place,
    *,
    agent: str = "auto",
    mode: str = "auto",
    screen: bool = False,
    memory: Memory | None = None,
) -> tuple[Evidence, Status]:
    """The evidence behind the status as well, for whoever acts on it."""
    evidence = collect(ctx, [place], agent=agent, mode=mode, screen=screen, memory=memory)[0]
    return evidence, judge(evidence, ctx.clock.now())


def shown(status: Status) -> Status:
    """As answers carry it: a terminal state is also the `status` word."""
    return structs.replace(status, status=status.normalised())
