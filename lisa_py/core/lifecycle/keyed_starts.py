"""Keep one active session per key: find the session that holds a key, start one under its keys."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lisa_py.core.context import Context
from lisa_py.core.lifecycle import names, spawn
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.lifecycle.spawn_result import SpawnResult
from lisa_py.core.status import status_reader
from lisa_py.store import start_keys
from lisa_py.store.paths import Project, SessionRef
from lisa_py.store.start_keys import KeyHolder

_ENDED_STATES = ("completed", "crashed", "not_found")


def name_key(kind: str, family: str, key: str) -> str:
    """Return the key as it is stored; empty for no key."""
    return f"{kind}:{family}:{key}" if key else ""


def find_active(ctx: Context, project: Project, key: str) -> SessionRef | None:
    """Return the session that holds the key, if it has not ended. Raise TmuxUnavailable."""
    holder = start_keys.read_holder(project, key) if key else None
    if holder is None:
        return None
    ref = SessionRef(project, holder.session)
    meta = ctx.read_meta(ref)
    if meta is None or (holder.run_id and meta.run_id != holder.run_id):
        return None
    return None if status_reader.read_status(ctx, ref).session_state in _ENDED_STATES else ref


def spawn_keyed(ctx: Context, project: Project, request: SpawnRequest, keys: Sequence[str]) -> SpawnResult:
    """Spawn the session; the caller has the locks of its keys.

    They name it before it exists, so that a crash of this process leaves no second one.
    """
    session = request.session or names.generate_name(ctx, project, request.launch.agent, request.launch.mode)
    former = {key: start_keys.read_holder(project, key) for key in keys}
    for key in keys:
        holder = KeyHolder(key=key, session=session, claimed_at=ctx.clock.now())
        start_keys.write_holder(project, holder, key)
    try:
        spawned = spawn.spawn_session(ctx, msgspec.structs.replace(request, session=session))
    except BaseException:
        for key, earlier in former.items():
            start_keys.write_holder(project, earlier, key)
        raise
    for key in keys:
        holder = KeyHolder(key=key, session=session, run_id=spawned.run_id, claimed_at=ctx.clock.now())
        start_keys.write_holder(project, holder, key)
    return spawned
