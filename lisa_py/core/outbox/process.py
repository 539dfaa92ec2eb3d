"""The delivering process of one session: started by the first text of its outbox, ended after the last."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Sequence

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.outbox.delivery import OutboxDelivery
from lisa_py.host import files, processes, user_terminal
from lisa_py.host.env import read_settings
from lisa_py.store import outbox_records, session_records
from lisa_py.store.paths import SessionRef, resolve_project


def run(words: Sequence[str]) -> None:
    """Deliver the texts of the session of a project; return at once if another process does so already."""
    root, name = words
    user_terminal.lead_own_session()
    ctx = Context(read_settings(), cwd="/")
    ref = SessionRef(resolve_project(root, ctx.settings), name)
    try:
        while _deliver(ctx, ref) and outbox_records.registry(ref).read().open:
            continue  # a text was queued at the end, and its own process has met the lock
    except LisaError:
        return  # another process holds the lock, or the store cannot be written: the supervisor starts a new one
    except Exception:
        _write_file(ref, outbox_records.ERROR_FILE, traceback.format_exc())
        raise


def _deliver(ctx: Context, ref: SessionRef) -> bool:
    """Deliver under the lock; return False once the session has ended."""
    with session_records.session_lock(ref, ctx.settings, outbox_records.LOCK, timeout_ms=1):
        _write_file(ref, outbox_records.PID_FILE, f"{processes.own_pid()}\n")
        return OutboxDelivery(ctx, ref).run()


def _write_file(ref: SessionRef, name: str, text: str) -> None:
    """Write a file into the folder of a session that exists."""
    if files.exists(ref.meta):
        with contextlib.suppress(LisaError):
            files.write(ref.file(name), text)
