"""The user's data for chats: remove all of it."""

from __future__ import annotations

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.fleet import session_objects
from lisa_py.core.lifecycle import credentials, forget, kill
from lisa_py.core.live import owned_sessions
from lisa_py.store import registration

FAMILY = "user"


def remove_data(ctx: Context) -> None:
    """End every chat, remove its record, the stored keys and the registration.

    Raise LisaError(session_kill_failed | auth_store_write_failed), TmuxUnavailable.
    """
    for record in session_objects.list_records(ctx, FAMILY):
        try:
            ref = owned_sessions.find_session(ctx, record.id, "", FAMILY)
            if not ref.archive:
                kill.terminate_session(ctx, ref, "user_requested")
            forget.forget_session(ctx, record.id)
        except LisaError as problem:
            if problem.code != "session_not_found":
                raise
    credentials.remove_every_key(ctx)
    registration.remove_registration(ctx.settings)
