"""The limit process of one session: started by its supervisor, ended with it."""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Sequence

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.core.limits.limit_watch import LimitWatch
from lisa_py.host import files, processes, user_terminal
from lisa_py.host.env import read_settings
from lisa_py.store import limit_records, session_records
from lisa_py.store.json_records import load_readable
from lisa_py.store.paths import SessionRef, resolve_project


def run(words: Sequence[str]) -> None:
    """Enforce the limits of the session in a folder; return at once if another process does so already."""
    folder, run_id = words
    user_terminal.lead_own_session()
    settings = read_settings()
    ctx = Context(settings, cwd="/")
    ref = _find_session(ctx, folder)
    limits = limit_records.read_limits(ref, run_id) if ref is not None else None
    if ref is None or limits is None:
        return
    try:
        with session_records.session_lock(ref, settings, limit_records.LOCK, timeout_ms=1):
            with contextlib.suppress(LisaError):  # a full disk: the supervisor's next one ends at the lock
                files.write(ref.file(limit_records.PID_FILE), f"{processes.own_pid()}\n")
            LimitWatch(ctx, ref, limits).run()
    except LisaError:
        return  # another process holds the lock, or the folder cannot be written: the supervisor starts a new one
    except Exception:
        with contextlib.suppress(LisaError):
            files.write(ref.file(limit_records.ERROR_FILE), traceback.format_exc())
        raise


def _find_session(ctx: Context, folder: str) -> SessionRef | None:
    meta = load_readable(os.path.join(folder, "meta.json"), SessionMeta)
    if meta is None:
        return None
    ref = SessionRef(resolve_project(meta.project_root, ctx.settings), meta.session)
    return ref if ref.folder == folder else None
