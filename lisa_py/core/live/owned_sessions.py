"""Find sessions by their owner family: those of the project (org) and chats of this user (user)."""

from __future__ import annotations

from lisa_py.contract.errors import LisaError, session_not_found
from lisa_py.core.context import Context
from lisa_py.store import live_records
from lisa_py.store.paths import SessionRef

EVERY_PROJECT = "00000000-0000-0000-0000-000000000000"
"""The id that means all projects."""


def find_root(ctx: Context, identity: str, root: str) -> str:
    """Return the folder of a project by its id, else the given folder; empty: the session's, else the current one.

    Raise LisaError(project_not_found).
    """
    if not identity or identity == EVERY_PROJECT:
        return root
    if live_records.project_id(ctx.project()) == identity.lower():
        return ctx.project().root
    found = live_records.find_project(identity, ctx.settings)
    if not found:
        text = f"project not found: {identity} (lisa ai session list prints owner_oid, the id of the project)"
        raise LisaError("project_not_found", text)
    return found


def find_session(ctx: Context, identity: str, root: str, family: str = "") -> SessionRef:
    """Return the session of an id or name, or its archive; of a family, if one is given.

    Raise LisaError(session_not_found), also for a session of the other family.
    """
    try:
        ref = ctx.record_ref(identity, root)
    except LisaError as problem:
        if problem.code != "invalid_session_name":
            raise
        raise session_not_found(identity, root) from None
    record = live_records.read_readable(ref)
    if record is None or (family and record.family != family):
        raise session_not_found(identity, ref.project.root)
    return ref
