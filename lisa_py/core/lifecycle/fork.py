"""Fork a session: a new one whose agent continues a copy of the conversation."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Literal

import msgspec
from msgspec import UNSET, Struct

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract import session_settings
from lisa_py.contract.errors import LisaError, session_not_found
from lisa_py.contract.live import AssistantPayload, LiveFrame, UserPayload
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import launch, spawn
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.lifecycle.spawn_result import SpawnResult
from lisa_py.core.live import attach
from lisa_py.core.live.archive import open_feed
from lisa_py.core.send.open_dialog import has_dialog
from lisa_py.core.status import status_reader
from lisa_py.host import files
from lisa_py.store import live_records
from lisa_py.store.live_records import SessionRecord
from lisa_py.store.paths import SessionRef

TRANSCRIPT_CHARACTERS = 60_000
"""Characters of the newest conversation in the first prompt of an agent that cannot fork."""


_KEPT_FIELDS = ("agent", "model", "provider", "credentials", "system_prompt")


class ForkRequest(Struct, frozen=True, kw_only=True):
    """A requested copy of a session."""

    name: str = ""
    """Name of the new session; empty: a name is generated."""
    prompt: str = ""
    skip_permissions: bool = True
    title: str = ""
    family: str = ""
    """Owner family of the copy; empty: that of the source."""
    profile: SessionSettings | None = None
    """Settings of the copy; None: those of the source. Agent, model, provider and credentials stay the source's."""
    trigger_source: str = "lisa"


class ForkReport(Struct, frozen=True, kw_only=True):
    """The new session, and how it got the conversation."""

    spawned: SpawnResult
    source: str
    """Id of the source."""
    method: Literal["agent", "prompt"]
    """agent: the agent itself has copied the conversation; prompt: its text is the first prompt."""


class _Source(Struct, frozen=True, kw_only=True):
    """The conversation to copy."""

    agent: Agent
    conversation: str
    """Id by which the agent knows it; empty if its transcript is gone."""


def fork_session(
    ctx: Context,
    ref: SessionRef,
    request: ForkRequest,
    admit: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> ForkReport:
    """Start the copy; the conversation of the source stays as it is. `ref` may be an archive.

    `admit` is held around the start; it may refuse it. Raise LisaError: session_not_found, session_not_forkable, and
    those of a spawn.
    """
    meta, record = ctx.read_meta(ref), live_records.read_readable(ref)
    if meta is None or record is None:
        raise session_not_found(ref.session, ref.project.root)
    source = _find_source(ctx, ref, meta, record)
    arguments = source.agent.fork_arguments(source.conversation) if source.conversation else ""
    prompt = request.prompt if arguments else _build_prompt(ctx, ref, request.prompt)
    settings, dropped = _choose_settings(record, request)
    planned = SpawnRequest(
        launch=launch.LaunchRequest(
            agent=meta.agent,
            mode="interactive",
            prompt=prompt,
            agent_args=arguments,
            skip_permissions=request.skip_permissions and not record.keeps_permissions,
        ),
        session=request.name,
        project_root=ref.project.root,
        folder=record.launch.folder if files.is_dir(record.launch.folder) else "",
        settings=settings,
        family=request.family or record.family,
        definition=record.definition,
        trigger_source=request.trigger_source,
        forked_from=record.id,
    )
    with admit():
        spawned = spawn.spawn_session(ctx, planned)
    if dropped:
        spawned = msgspec.structs.replace(spawned, warnings=(*dropped, *(spawned.warnings or ())))
    return ForkReport(spawned=spawned, source=record.id, method="agent" if arguments else "prompt")


def _choose_settings(record: SessionRecord, request: ForkRequest) -> tuple[SessionSettings, tuple[str, ...]]:
    """Return the settings of the copy, and a warning for each value of the source that was not stored."""
    source, dropped = session_settings.drop_hidden(record.settings)
    if request.profile is not None:
        kept = SessionSettings(**{field: getattr(source, field) for field in _KEPT_FIELDS})
        source = session_settings.merge(request.profile, kept)
        dropped = tuple(each for each in dropped if each.startswith("credentials "))
    return msgspec.structs.replace(source, name=request.title or UNSET, agent=UNSET), dropped


def find_refusal(ctx: Context, ref: SessionRef) -> str:
    """Return the reason why a session cannot be forked; empty if it can. Raise LisaError(session_not_found)."""
    meta, record = ctx.read_meta(ref), live_records.read_readable(ref)
    if meta is None or record is None:
        raise session_not_found(ref.session, ref.project.root)
    try:
        source = _find_source(ctx, ref, meta, record)
        if not (source.conversation and source.agent.fork_arguments(source.conversation)):
            _build_prompt(ctx, ref, "")
    except LisaError as problem:
        if problem.code != "session_not_forkable":
            raise
        return str(problem.details["reason"])
    return ""


def has_conversation(ctx: Context, ref: SessionRef) -> bool:
    """Return True if the conversation of a session can be read."""
    with open_feed(ctx, ref) as feed:
        return any(True for _ in attach.read_history(feed, _is_text))


def _find_source(ctx: Context, ref: SessionRef, meta: SessionMeta, record: SessionRecord) -> _Source:
    if meta.custom_command or meta.agent not in agents.names():
        raise _make_error(ref, "it runs a command, not an agent")
    agent = agents.get(meta.agent)
    if ref.archive:
        there = files.size(record.transcript) > 0
        return _Source(agent=agent, conversation=record.conversation if there else "")
    evidence, status = status_reader.read_with_evidence(ctx, ref)
    if status.session_state in ("just_started", "in_progress", "degraded", "stuck"):
        raise _make_error(ref, f"its agent is not idle ({status.session_state})")
    if status.session_state == "waiting_input" and has_dialog(status):
        raise _make_error(ref, f"a dialog waits for an answer ({status.waiting_for})")
    binding = evidence.binding
    return _Source(agent=agent, conversation=binding.session_id if files.size(binding.transcript) > 0 else "")


def _make_error(ref: SessionRef, reason: str) -> LisaError:
    return LisaError("session_not_forkable", f"cannot fork {ref.session}: {reason}", session=ref.session, reason=reason)


def _build_prompt(ctx: Context, ref: SessionRef, prompt: str) -> str:
    """Return a first prompt with the newest part of the conversation. Raise LisaError(session_not_forkable)."""
    with open_feed(ctx, ref) as feed:
        parts = [_format(frame) for frame in attach.read_history(feed, _is_text)]
    text = "\n\n".join(parts)[-TRANSCRIPT_CHARACTERS:]
    if not text:
        raise _make_error(ref, "it has no conversation")
    return "\n\n".join(_introduce(text, prompt))


def _introduce(text: str, prompt: str) -> Iterator[str]:
    yield "This is the conversation of an earlier session. Continue it; its tool calls are done and are not repeated."
    yield f"<conversation>\n{text}\n</conversation>"
    yield prompt or "Reply only that you have read it."


def _is_text(frame: LiveFrame) -> bool:
    payload = frame.payload
    return isinstance(payload, UserPayload | AssistantPayload) and isinstance(payload.content, str)


def _format(frame: LiveFrame) -> str:
    assert isinstance(frame.payload, UserPayload | AssistantPayload)
    return f"{frame.type}: {frame.payload.content}"
