"""Start a chat and talk to it at once."""

from __future__ import annotations

from typing import NamedTuple

from lisa_py.core.context import Context
from lisa_py.core.lifecycle import chat
from lisa_py.core.lifecycle.chat import ChatRequest
from lisa_py.core.live.attach_session import AttachRequest, AttachResult, attach_session


class AttachedChat(NamedTuple):
    """A chat and the end of the attach to it."""

    id: str
    result: AttachResult


def start_chat(ctx: Context, request: ChatRequest, *, raw: bool, verbose: bool, by_name: bool) -> AttachedChat:
    """Start a chat, or find the active one of its key, and attach to it until the person leaves or it ends.

    `by_name`: notices have the name of the session, not its id. Raise LisaError as chat.start_chat does.
    """
    started = chat.start_chat(ctx, request)
    for warning in (*(started.notes if by_name else ()), *started.warnings):
        ctx.warn(f"chat warning: {warning}")
    if not raw:
        ctx.warn(f"Started session {started.id}")
    attaching = AttachRequest(
        shown_id=started.session if by_name else started.id,
        raw=raw,
        verbose=verbose,
        history=not started.deduplicated,
        banners=False,
        interactive=True,
        prompt=request.prompt if started.deduplicated else "",
    )
    return AttachedChat(started.id, attach_session(ctx, ctx.ref(started.session, request.project_root), attaching))
