"""A session in few tokens for whoever takes it over: state, events, newest output, objective and memory."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.status import TERMINAL_STATES, Status
from lisa_py.core.advice import next_action
from lisa_py.core.context import Context
from lisa_py.core.life import answering
from lisa_py.core.relay import blocks, memory, output_tail, pane_text
from lisa_py.core.relay.baton import Baton
from lisa_py.core.relay.blocks import ObjectiveBlock
from lisa_py.core.relay.masking import Mask
from lisa_py.core.relay.memory import MemoryBlock
from lisa_py.core.relay.output_tail import Tail
from lisa_py.core.relay.pane_text import PaneText
from lisa_py.core.relay.recent import EventReader, Item
from lisa_py.core.relay.sections import Draft, Section
from lisa_py.core.watch import look
from lisa_py.store.places import Place

NO_CAPTURE = "(no live capture)"
NO_HANDED_CAPTURE = "(from handoff: capture unavailable)"
_TERSE_EVENTS = 3
_AGES = " wait_estimate="
_WEIGHTS = {"events": 20, "output": 50, "objective": 15, "memory": 15}


class Sizes(Struct, frozen=True):
    """What a strategy reads and gives unless told otherwise."""

    events: int
    lines: int
    token_budget: int


STRATEGIES = {"terse": Sizes(4, 60, 400), "balanced": Sizes(8, 120, 700), "full": Sizes(20, 260, 1400)}


class PackRequest(Struct, frozen=True, kw_only=True):
    strategy: str = "balanced"
    events: int = 8
    lines: int = 120
    agent: str = "auto"
    mode: str = "auto"


class Seen(Struct, frozen=True, kw_only=True):
    """All that a pack is made of, masked already."""

    session: str
    project_root: str
    session_state: str
    status: str
    reason: str
    next_action: str
    tail: Tail
    waiting_for: str = ""
    detail: str = ""
    """What it waits for or does, in words for people."""
    recent: tuple[Item, ...] = ()
    dropped_recent: int = 0
    newest_event: int = 0
    nothing: str = NO_CAPTURE
    """What stands for the output when there is none."""
    objective: ObjectiveBlock | UnsetType = UNSET
    lane: str = ""
    memory: MemoryBlock | UnsetType = UNSET
    measures: tuple[str, ...] = ()
    """Todos, ages and the task at hand, of a session that was looked at."""
    error_code: str | UnsetType = UNSET


def see(
    ctx: Context,
    place: Place,
    request: PackRequest,
    mask: Mask,
    *,
    status: Status | None = None,
    pane: PaneText | UnsetType | None = UNSET,
) -> Seen:
    """Look at the session; nothing is written. `status` and `pane` spare the look to who has them."""
    live = look.shown(status or look.status(ctx, place, agent=request.agent, mode=request.mode))
    meta = pane_text.meta_of(place)
    recent = EventReader(ctx, None, "").read(place, request.events)
    missing = live.session_state == "not_found"
    dialog = answering.asks(live)
    return Seen(
        session=place.session,
        project_root=mask.text(place.project.root),
        session_state=live.session_state,
        status=live.status,
        reason=mask.text(live.classification_reason),
        next_action=next_action.name(live.session_state),
        tail=output_tail.read(ctx, place, request.lines, mask, dialog=dialog, pane=pane),
        waiting_for=live.waiting_for,
        detail=mask.text(" ".join(live.state_detail.split())) if _needs_a_look(live.waiting_for) else "",
        recent=tuple(mask.record(item) for item in recent.items),
        dropped_recent=recent.dropped,
        newest_event=recent.newest,
        objective=_masked(blocks.objective(meta), mask),
        lane=mask.text(meta.lane),
        memory=memory.block(ctx, place, mask),
        measures=_measures(live, mask),
        error_code="session_not_found" if missing else live.error_code,
    )


def _needs_a_look(waiting_for: str) -> bool:
    """Whether it is not just ready for the next prompt: it shows a dialog, or its turn ended in an error or a limit."""
    return waiting_for not in ("", "prompt")


def _measures(live: Status, mask: Mask) -> tuple[str, ...]:
    ages = f"output_age_seconds={live.output_age_seconds} heartbeat_age_seconds={live.heartbeat_age_seconds}"
    line = f"todos={live.todos_done}/{live.todos_total}{_AGES}{live.wait_estimate} {ages}"
    task = mask.text(" ".join(live.active_task.split()))
    return (line, *([f"active_task={task}"] if task else []))


def _masked(block: ObjectiveBlock | UnsetType, mask: Mask) -> ObjectiveBlock | UnsetType:
    return block if block is UNSET else mask.record(block)


def handed(baton: Baton, session: str, project_root: str, request: PackRequest, mask: Mask) -> Seen:
    """The same from a handoff, without a look at the session."""
    state = baton.session_state or "in_progress"
    lines = mask.lines(baton.capture_tail.split("\n"))[-request.lines :] if baton.capture_tail else ()
    return Seen(
        session=session,
        project_root=mask.text(project_root),
        session_state=state,
        status=state if state in TERMINAL_STATES else mask.text(baton.status),
        reason=mask.text(baton.reason) or "from_handoff",
        next_action=mask.text(baton.next_action) or next_action.name(state),
        tail=Tail(lines=lines, source="handoff" if lines else "none", next_offset=baton.next_offset),
        waiting_for=mask.text(baton.waiting_for),
        recent=tuple(mask.record(item) for item in baton.recent[-request.events :]),
        dropped_recent=baton.dropped_recent,
        nothing=NO_HANDED_CAPTURE,
        objective=_masked(baton.objective, mask),
        lane=mask.text(baton.lane),
        memory=baton.memory if baton.memory is UNSET else mask.record(baton.memory),
        error_code="session_not_found" if state == "not_found" else UNSET,
    )


# -- from facts to text ---------------------------------------------------------------------------------------------


def draft(seen: Seen, strategy: str, *, given: bool = True) -> Draft:
    """The sections of a pack; `given` adds objective and memory, which the session was given to work by."""
    head = [f"session={seen.session}", f"state={seen.session_state}", f"status={seen.status}"]
    if strategy != "terse":
        head.append(f"reason={seen.reason}")
    head.append(f"next_action={seen.next_action}")
    if _needs_a_look(seen.waiting_for):
        head.append(f"waiting_for={seen.waiting_for} {seen.detail}".rstrip())
    if strategy == "full":
        head += seen.measures
    sections = [_events(seen, strategy)] if seen.recent else []
    if strategy != "terse":
        output = seen.tail.lines or (seen.nothing,)
        sections.append(Section(name="capture_tail", lines=output, weight=_WEIGHTS["output"]))
    return Draft(tuple(head), (*sections, *(_given(seen) if given else ())))


def _events(seen: Seen, strategy: str) -> Section:
    lines = [" ".join(f"{item.at} {item.state}/{item.status} {item.reason}".split()) for item in seen.recent]
    if strategy == "terse":
        newest = tuple(lines[::-1][:_TERSE_EVENTS])
        return Section(name="recent", lines=newest, weight=_WEIGHTS["events"], keep="start", whole=True)
    return Section(name="recent_events", lines=tuple(lines), weight=_WEIGHTS["events"], whole=True)


def _given(seen: Seen) -> list[Section]:
    found = []
    if isinstance(seen.objective, ObjectiveBlock):
        line = _objective(seen.objective)
        found.append(Section(name="objective", lines=(line,), weight=_WEIGHTS["objective"], keep="start"))
    if isinstance(seen.memory, MemoryBlock) and seen.memory.lines:
        found.append(Section(name="memory", lines=seen.memory.lines, weight=_WEIGHTS["memory"]))
    return found


def _objective(block: ObjectiveBlock) -> str:
    parts = (
        ("id", block.id),
        ("goal", block.goal),
        ("acceptance", block.acceptance),
        ("budget", block.budget or ""),
    )
    return " | ".join(f"{name}={value}" for name, value in parts if value)


def stable(made: Draft) -> Draft:
    """The draft without what time alone changes, to tell whether anything has happened."""
    return Draft(tuple(settled(line) for line in made.head), made.sections)


def settled(line: str) -> str:
    """A line of a pack without the ages in it."""
    return line.partition(_AGES)[0] if line.startswith("todos=") else line
