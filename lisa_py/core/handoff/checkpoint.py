"""Checkpoints: save the state of a session to a file, and compare it with the session later."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from lisa_py import agents
from lisa_py.contract import command_line, jsontext
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError, session_not_found
from lisa_py.contract.status import Status
from lisa_py.core.advice import next_step
from lisa_py.core.advice import target as advice_target
from lisa_py.core.context import Context
from lisa_py.core.handoff import blocks, pack, replay, sections
from lisa_py.core.handoff.blocks import LaneBlock, ObjectiveBlock
from lisa_py.core.handoff.pack import PackFacts, PackRequest
from lisa_py.core.handoff.session_memory import MemoryBlock
from lisa_py.core.inputs import InputError, Inputs
from lisa_py.core.output import pane_text
from lisa_py.core.output.events import RecentEvent
from lisa_py.core.redact.redactor import Mask
from lisa_py.core.status import lost_sessions, status_reader
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import cursors, events
from lisa_py.store.cursors import CursorFile, EventCursor
from lisa_py.store.paths import SessionRef

_SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{7,63}\Z")
_ENDED_STATES = ("completed", "crashed", "not_found")


class Checkpoint(Answer):
    """One file; everything has a default, so that handoffs and files of other writers can be read, too."""

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
    """The conversation id of the agent, by which the agent can continue it."""
    recent: tuple[RecentEvent, ...] | UnsetType = UNSET
    context_pack: str | UnsetType = UNSET
    capture_tail: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    """Source of captureTail: transcript, pane, saved or none."""
    objective: ObjectiveBlock | UnsetType = UNSET
    lane: LaneBlock | UnsetType = UNSET
    memory: MemoryBlock | UnsetType = UNSET
    cursors: CursorFile | UnsetType = UNSET
    """Positions of readers of pane, transcript and events, as in a cursor file."""
    redact_rules: tuple[str, ...] | UnsetType = UNSET


class CheckpointLiveness(Answer):
    """State of the session of a checkpoint now."""

    live: bool | UnsetType = UNSET
    """True if its agent still runs; omitted if tmux cannot be queried."""
    live_state: str
    live_reason: str
    live_next_action: str
    same_run: bool | UnsetType = UNSET
    """False: another session uses the name now."""
    events_since: int | UnsetType = UNSET
    """Number of events after the checkpoint."""
    respawn_command: str | UnsetType = UNSET
    """Command that starts the session again with its conversation, if it has ended and the agent supports it."""


def create(ctx: Context, ref: SessionRef, request: PackRequest, tokens: int, mask: Mask) -> Checkpoint:
    """Read the session. Raise LisaError(session_not_found | status_compute_failed)."""
    status = status_reader.read_status(ctx, ref, agent=request.agent, mode=request.mode)
    if status.signals.tmux_read_error:
        raise LisaError("status_compute_failed", f"tmux cannot be queried: {status.signals.tmux_read_error}")
    if status.session_state == "not_found":
        raise session_not_found(ref.session, ref.project.root)
    facts = pack.collect_facts(ctx, ref, request, mask, status=status)
    meta = pane_text.read_meta_or_default(ref)
    lane = blocks.build_lane(meta, blocks.find_lane(meta, ref.project))
    return Checkpoint(
        saved_at=format_rfc3339(ctx.clock.now()),
        project_root="" if mask.hides("paths") else ref.project.root,
        session=ref.session,
        status=facts.status,
        session_state=facts.session_state,
        reason=facts.reason,
        next_action=facts.next_action,
        next_offset=facts.tail.next_offset,
        waiting_for=facts.waiting_for or UNSET,
        agent=meta.agent or UNSET,
        mode=meta.mode or UNSET,
        run_id=meta.run_id or UNSET,
        agent_session_id=_agent_session_id(status, meta.agent_session_id) or UNSET,
        recent=facts.recent or UNSET,
        context_pack=sections.fit(pack.build_draft(facts, request.strategy), tokens).text,
        capture_tail="\n".join(facts.tail.lines) or UNSET,
        source=facts.tail.source,
        objective=facts.objective,
        lane=lane if lane is UNSET else mask.mask_record(lane),
        memory=facts.memory,
        cursors=_build_cursors(facts, mask),
        redact_rules=mask.rules or UNSET,
    )


def _agent_session_id(status: Status, at_spawn: str) -> str:
    """Return the current conversation id of the agent, else the one at its start."""
    return status.agent_session_id if isinstance(status.agent_session_id, str) else at_spawn


def _build_cursors(facts: PackFacts, mask: Mask) -> CursorFile:
    transcript = facts.tail.transcript
    if transcript is not None and mask.hides("paths"):
        transcript = msgspec.structs.replace(transcript, path="")
    return CursorFile(
        kind="pane" if facts.tail.pane else "events",
        offset=facts.tail.next_offset if facts.tail.pane else facts.newest_event,
        pane=facts.tail.pane,
        events=EventCursor(offset=facts.newest_event),
        transcript=transcript,
    )


def save(checkpoint: Checkpoint, path: str) -> None:
    """Write the file. Raise LisaError(checkpoint_write_failed)."""
    cursors.save(path, jsontext.encode_document(checkpoint), "checkpoint_write_failed")


def load(inputs: Inputs, path: str) -> tuple[Checkpoint, str]:
    """Read a checkpoint and its path; the output of `save` or a handoff is accepted, too.

    Raise LisaError(checkpoint_read_failed).
    """
    try:
        found, file = replay.read_checkpoint(inputs, path)
        return parse(found), file
    except InputError as problem:
        raise LisaError("checkpoint_read_failed", f"failed reading checkpoint: {problem}") from problem


def parse(found: dict[str, Any]) -> Checkpoint:
    """Parse a checkpoint. Raise InputError."""
    action = found.get("nextAction")
    if isinstance(action, dict):
        found = {**found, "nextAction": action.get("name") or action.get("command") or ""}
    try:
        read = msgspec.convert({key: value for key, value in found.items() if value is not None}, Checkpoint)
    except msgspec.ValidationError as problem:
        raise InputError(f"no checkpoint: {problem}") from problem
    if not read.session.strip():
        raise InputError("checkpoint missing session")
    return read


def check_liveness(ctx: Context, ref: SessionRef, checkpoint: Checkpoint) -> CheckpointLiveness:
    """Read the session of a checkpoint; nothing is written."""
    status = status_reader.normalise_status(status_reader.read_status(ctx, ref))
    runs = pane_text.read_meta_or_default(ref).all_run_ids  # a resumed session is the same one
    known = isinstance(checkpoint.run_id, str) and bool(runs[-1])
    same = checkpoint.run_id in runs if known else UNSET
    cursor = checkpoint.cursors.events if isinstance(checkpoint.cursors, CursorFile) else None
    fresh = events.read_since(ref, cursor.offset, 0).more if cursor is not None else UNSET
    unreadable = bool(status.signals.tmux_read_error)
    is_live = status.session_state not in _ENDED_STATES and same is not False
    return CheckpointLiveness(
        live=UNSET if unreadable else is_live,
        live_state=status.session_state,
        live_reason=status.classification_reason,
        live_next_action=next_step.read_situation(status).action,
        same_run=same,
        events_since=fresh,
        respawn_command=UNSET if unreadable or is_live else build_respawn_command(ctx, ref, checkpoint) or UNSET,
    )


def build_respawn_command(ctx: Context, ref: SessionRef, checkpoint: Checkpoint) -> str:
    """Return the command that continues the conversation; empty without one. Values from the file are validated.

    A session whose records remain is resumed under its name; of a killed one the conversation is continued by another.
    """
    meta = ctx.read_meta(ref)
    if meta is not None and checkpoint.run_id in meta.all_run_ids and lost_sessions.is_resumable(meta):
        binary = advice_target.detect_binary(ctx.settings, ctx.cwd)
        place = ref.project.root
        line = command_line.build("session resume", binary=binary, session=ref.session, project_root=place, json=True)
        return str(line)
    ident, name = checkpoint.agent_session_id, checkpoint.agent
    if not (isinstance(ident, str) and isinstance(name, str) and _SESSION_ID.match(ident)):
        return ""
    try:
        arguments = agents.get(name).resume_arguments(ident)
    except LisaError:
        return ""
    if not arguments:
        return ""
    line = command_line.build(
        "session spawn",
        binary=advice_target.detect_binary(ctx.settings, ctx.cwd),
        agent=name,
        mode="interactive",
        project_root=ref.project.root,
        agent_args=arguments,
        json=True,
    )
    return str(line)
