"""A session's point in time in a file: all that is needed to go on from there, and whether the session still lives."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.agents.base import quote
from lisa_py.contract.errors import LisaError, session_not_found
from lisa_py.contract.status import Status
from lisa_py.core.advice import next_action, replay
from lisa_py.core.advice.given import Inputs, Unusable
from lisa_py.core.context import Context
from lisa_py.core.relay import blocks, pack, pane_text, sections
from lisa_py.core.relay.blocks import LaneBlock, ObjectiveBlock
from lisa_py.core.relay.masking import Mask
from lisa_py.core.relay.memory import MemoryBlock
from lisa_py.core.relay.pack import PackRequest, Seen
from lisa_py.core.relay.recent import Item
from lisa_py.core.watch import look
from lisa_py.host.clock import rfc3339
from lisa_py.store import cursors, events
from lisa_py.store.cursors import CursorFile, EventCursor
from lisa_py.store.places import Place

_CONVERSATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{7,63}\Z")
_GONE = ("completed", "crashed", "not_found")


class Checkpoint(Struct, frozen=True, kw_only=True, rename="camel"):
    """One file; everything has a default, so that handoffs and files of other writers can be read as well."""

    version: str = "1"
    saved_at: str = ""
    project_root: str = ""
    session: str = ""
    status: str = ""
    session_state: str = ""
    reason: str = ""
    next_action: str = ""
    next_offset: int = 0
    waiting_for: str | UnsetType = UNSET
    agent: str | UnsetType = UNSET
    mode: str | UnsetType = UNSET
    run_id: str | UnsetType = UNSET
    agent_session_id: str | UnsetType = UNSET
    """The agent's own conversation, by which the agent itself can go on with it."""
    recent: tuple[Item, ...] | UnsetType = UNSET
    context_pack: str | UnsetType = UNSET
    capture_tail: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    """Where captureTail was read: transcript, pane, saved or none."""
    objective: ObjectiveBlock | UnsetType = UNSET
    lane: LaneBlock | UnsetType = UNSET
    memory: MemoryBlock | UnsetType = UNSET
    cursors: CursorFile | UnsetType = UNSET
    """Where readers of pane, transcript and events go on; a cursor file holds just this."""
    redact_rules: tuple[str, ...] | UnsetType = UNSET


class Live(Struct, frozen=True, kw_only=True, rename="camel"):
    """What has become of a checkpoint's session."""

    live: bool | UnsetType = UNSET
    """Whether its agent still runs; left out when tmux cannot be asked."""
    live_state: str
    live_reason: str
    live_next_action: str
    same_run: bool | UnsetType = UNSET
    """False: another session has taken the name since."""
    events_since: int | UnsetType = UNSET
    """Events that happened after the checkpoint."""
    respawn_command: str | UnsetType = UNSET
    """Starts the session again with the agent's own conversation, where it has ended and the agent can."""


def take(ctx: Context, place: Place, request: PackRequest, tokens: int, mask: Mask) -> Checkpoint:
    """Look at the session. Raises LisaError(session_not_found | status_compute_failed)."""
    status = look.status(ctx, place, agent=request.agent, mode=request.mode)
    if status.signals.tmux_read_error:
        raise LisaError("status_compute_failed", f"tmux cannot be asked: {status.signals.tmux_read_error}")
    if status.session_state == "not_found":
        raise session_not_found(place.session, place.project.root)
    seen = pack.see(ctx, place, request, mask, status=status)
    meta = pane_text.meta_of(place)
    lane = blocks.lane(meta, blocks.lane_of(meta, place.project))
    return Checkpoint(
        saved_at=rfc3339(ctx.clock.now()),
        project_root="" if mask.hides("paths") else place.project.root,
        session=place.session,
        status=seen.status,
        session_state=seen.session_state,
        reason=seen.reason,
        next_action=seen.next_action,
        next_offset=seen.tail.next_offset,
        waiting_for=seen.waiting_for or UNSET,
        agent=meta.agent or UNSET,
        mode=meta.mode or UNSET,
        run_id=meta.run_id or UNSET,
        agent_session_id=_conversation(status, meta.agent_session_id) or UNSET,
        recent=seen.recent or UNSET,
        context_pack=sections.fit(pack.draft(seen, request.strategy), tokens).text,
        capture_tail="\n".join(seen.tail.lines) or UNSET,
        source=seen.tail.source,
        objective=seen.objective,
        lane=lane if lane is UNSET else mask.record(lane),
        memory=seen.memory,
        cursors=_cursors(seen, mask),
        redact_rules=mask.rules or UNSET,
    )


def _conversation(status: Status, at_spawn: str) -> str:
    """The conversation the agent holds now, else the one it began with."""
    return status.agent_session_id if isinstance(status.agent_session_id, str) else at_spawn


def _cursors(seen: Seen, mask: Mask) -> CursorFile:
    transcript = seen.tail.transcript
    if transcript is not None and mask.hides("paths"):
        transcript = msgspec.structs.replace(transcript, path="")
    return CursorFile(
        kind="pane" if seen.tail.pane else "events",
        offset=seen.tail.next_offset if seen.tail.pane else seen.newest_event,
        pane=seen.tail.pane,
        events=EventCursor(offset=seen.newest_event),
        transcript=transcript,
    )


def save(checkpoint: Checkpoint, path: str) -> None:
    """Raises LisaError(checkpoint_write_failed)."""
    raw = msgspec.json.format(msgspec.json.encode(checkpoint), indent=2)
    cursors.save(path, raw, "checkpoint_write_failed")


def load(inputs: Inputs, path: str) -> tuple[Checkpoint, str]:
    """The checkpoint and the file it lies in; what `save` printed, or a handoff, will do as well.

    Raises LisaError(checkpoint_read_failed).
    """
    try:
        found, file = replay.bundle(inputs, path)
        return parse(found), file
    except Unusable as problem:
        raise LisaError("checkpoint_read_failed", f"failed reading checkpoint: {problem}") from problem


def parse(found: dict[str, Any]) -> Checkpoint:
    """Raises Unusable."""
    action = found.get("nextAction")
    if isinstance(action, dict):
        found = {**found, "nextAction": action.get("name") or action.get("command") or ""}
    try:
        read = msgspec.convert({key: value for key, value in found.items() if value is not None}, Checkpoint)
    except msgspec.ValidationError as problem:
        raise Unusable(f"no checkpoint: {problem}") from problem
    if not read.session.strip():
        raise Unusable("checkpoint missing session")
    return read


def live(ctx: Context, place: Place, checkpoint: Checkpoint) -> Live:
    """Look at the session a checkpoint was taken of; nothing is written."""
    status = look.shown(look.status(ctx, place))
    run = pane_text.meta_of(place).run_id
    known = isinstance(checkpoint.run_id, str) and bool(run)
    same = run == checkpoint.run_id if known else UNSET
    cursor = checkpoint.cursors.events if isinstance(checkpoint.cursors, CursorFile) else None
    fresh = events.since(place, cursor.offset, 0).more if cursor is not None else UNSET
    unseen = bool(status.signals.tmux_read_error)
    lives = status.session_state not in _GONE and same is not False
    return Live(
        live=UNSET if unseen else lives,
        live_state=status.session_state,
        live_reason=status.classification_reason,
        live_next_action=next_action.name(status.session_state),
        same_run=same,
        events_since=fresh,
        respawn_command=UNSET if unseen or lives else respawn(ctx, place, checkpoint) or UNSET,
    )


def respawn(ctx: Context, place: Place, checkpoint: Checkpoint) -> str:
    """The command that goes on with the agent's conversation; empty without one. A file is not trusted with words."""
    ident, name = checkpoint.agent_session_id, checkpoint.agent
    if not (isinstance(ident, str) and isinstance(name, str) and _CONVERSATION.match(ident)):
        return ""
    try:
        words = agents.get(name).resuming(ident)
    except LisaError:
        return ""
    root, binary = quote(place.project.root), next_action.binary(ctx.settings, ctx.cwd)
    start = f"{binary} session spawn --agent {name} --mode interactive --project-root {root}"
    return f"{start} --agent-args {quote(words)} --json" if words else ""
