"""Hand the records of an ended run over to the next run of the session, and restore them if it does not start."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lisa_py import agents
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.core.status import agent_reports
from lisa_py.core.status.own_hooks import select_own_hooks
from lisa_py.host import files
from lisa_py.store import limit_records, live_records, session_folder, usage_state
from lisa_py.store.paths import SessionRef

_RESTORED = (
    "meta.json",
    "state.json",
    "done.txt",
    "start",
    live_records.FILE,
    usage_state.FILE,
    limit_records.FILE,
    limit_records.PROGRESS_FILE,
)
_HOOK_FIELDS = ("session_id", "transcript_path", "source")


def read_own_hooks(ctx: Context, ref: SessionRef, meta: SessionMeta) -> tuple[Mapping[str, object], ...]:
    """Return all hooks of the session's own conversations, of every run; its agent has ended."""
    view = agent_reports.build_view(ctx, ref, agents.get_or_default(meta.agent), meta)
    view.hooks = agent_reports.read_all_hooks(ref)
    return select_own_hooks(view, 0)


def begin_next_run(ctx: Context, ref: SessionRef, meta: SessionMeta, next_run_id: str) -> dict[str, bytes]:
    """Remove what describes only the ended run, and return the files that `restore` needs.

    The hooks of the ended run are reduced to the conversations they name: their states are not those of the next one.
    Raise LisaError(store_unwritable).
    """
    session_folder.check_not_symlink(ref)
    kept = {name: raw for name in _RESTORED if (raw := files.read(ref.file(name)))}
    _reduce_hooks(ctx, ref, meta)
    usage_state.continue_state(ref, meta.run_id, next_run_id)
    session_folder.remove_run(ref)
    return kept


def restore(ref: SessionRef, kept: Mapping[str, bytes]) -> None:
    """Make the session again what it was before `begin_next_run`. Raise LisaError(store_unwritable)."""
    session_folder.remove_run(ref)
    files.remove(ref.hooks)
    for name, raw in kept.items():
        files.write(ref.file(name), raw)


def _reduce_hooks(ctx: Context, ref: SessionRef, meta: SessionMeta) -> None:
    every = read_own_hooks(ctx, ref, meta)
    lines: dict[tuple[object, ...], bytes] = {}
    for hook in every:
        payload = {name: hook[name] for name in _HOOK_FIELDS if name in hook}
        run_id = hook.get("run", meta.run_id)
        key = (run_id, hook.get("hook"), *payload.values())
        if payload.get("session_id") and (key not in lines or hook is every[-1]):
            lines.pop(key, None)  # the newest hook stays the last one
            record = {"hook": hook.get("hook"), "at": hook.get("at"), "pid": 0, "run": run_id, "payload": payload}
            lines[key] = msgspec.json.encode(record) + b"\n"
    files.write(ref.earlier_hooks, b"".join(lines.values()))
    files.remove(ref.hooks)
