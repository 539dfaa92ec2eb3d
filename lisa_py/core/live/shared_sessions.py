"""Share one follower and one sender of each session among all readers and clients of a process."""

from __future__ import annotations

import threading
from collections.abc import Callable

from msgspec import Struct

from lisa_py.core.context import Context
from lisa_py.core.live.archive import open_feed
from lisa_py.core.live.attach import HISTORY_BYTES
from lisa_py.core.live.broadcast import FeedBroadcast
from lisa_py.core.live.input_queue import InputOutcome, InputQueue, SessionInput
from lisa_py.core.live.prompt_ids import PromptIds
from lisa_py.core.live.typed_lines import TypedPrompt
from lisa_py.store.paths import SessionRef


class _Shared(Struct):
    feed: FeedBroadcast
    readers: int = 0


class SharedSessions:
    """The broadcasts and inputs of a process by id of the session.

    Both go when the last reader leaves, an input once everything is sent.
    """

    def __init__(self, make_context: Callable[[], Context]) -> None:
        self._make_context = make_context
        self._lock = threading.Lock()
        self._shared: dict[str, _Shared] = {}
        self._inputs: dict[str, SharedInput] = {}
        self._prompts: dict[str, PromptIds] = {}

    def join(self, ref: SessionRef, identity: str) -> FeedBroadcast:
        """Return the broadcast of a session, begun if it is not followed; `leave` it later.

        Raise LisaError: session_not_found; TmuxUnavailable.
        """
        with self._lock:
            shared = self._shared.get(identity)
            if shared is None or shared.feed.end_reason:  # the readers of an ended one keep it
                ctx = self._make_context()
                prompts = self._prompts.get(identity) or PromptIds(ctx, ref)
                shared = self._shared[identity] = _Shared(FeedBroadcast(ctx, ref, annotate=prompts.name))
                self._prompts[identity] = prompts
            shared.readers += 1
            return shared.feed

    def leave(self, identity: str, feed: FeedBroadcast) -> None:
        """Give a broadcast back."""
        with self._lock:
            shared = self._shared.get(identity)
            if shared is not None and shared.feed is feed:
                shared.readers -= 1
                if shared.readers:
                    return
                del self._shared[identity]
                self._drop_input(identity)
            elif not feed.end_reason:
                return
        feed.close()

    def _drop_input(self, identity: str) -> None:
        """Forget the input of a session without readers if nothing is being sent; the caller has the lock."""
        found = self._inputs.get(identity)
        if identity not in self._shared and not (found is not None and found.is_sending):
            self._inputs.pop(identity, None)
            self._prompts.pop(identity, None)

    def _note_idle(self, identity: str) -> None:
        with self._lock:
            self._drop_input(identity)

    def __len__(self) -> int:
        """Return the number of sessions that are followed."""
        with self._lock:
            return len(self._shared)

    @property
    def inputs(self) -> int:
        """Return the number of inputs."""
        with self._lock:
            return len(self._inputs)

    def open_input(self, ref: SessionRef, identity: str) -> SharedInput:
        """Return the one input of a followed session."""
        with self._lock:
            found = self._inputs.get(identity)
            if found is None:
                ctx = self._make_context()
                found = self._inputs[identity] = SharedInput(
                    ctx,
                    ref,
                    self._prompts[identity],
                    has_dialog=lambda: self.has_dialog(identity),
                    on_idle=lambda: self._note_idle(identity),
                )
            return found

    def has_dialog(self, identity: str) -> bool:
        """Return True if a dialog of a followed session is open."""
        shared = self._shared.get(identity)
        return shared is not None and shared.feed.has_dialog

    def close(self, seconds: float) -> None:
        """Finish what is being sent, and report what is held."""
        for each in list(self._inputs.values()):
            each.close(seconds)


class SharedInput:
    """The one queue of a session for all of its clients."""

    def __init__(
        self,
        ctx: Context,
        ref: SessionRef,
        prompts: PromptIds,
        *,
        has_dialog: Callable[[], bool],
        on_idle: Callable[[], None],
    ) -> None:
        """`on_idle` is called when everything is sent."""
        self._ctx = ctx
        self._ref = ref
        self._prompts = prompts
        self._queue = InputQueue(ctx, ref, has_dialog, on_idle=on_idle)

    @property
    def is_sending(self) -> bool:
        """Return True while an input waits or is being sent."""
        return self._queue.is_sending

    def add_prompt(self, text: str, prompt_id: str, report: Callable[[InputOutcome], None]) -> bool:
        """Send a prompt; one whose id was sent before is not sent again. Return False if too many wait."""
        if not prompt_id:
            return self._queue.add(TypedPrompt(text), report)
        if not self._prompts.add(prompt_id):
            return True

        def finish(outcome: InputOutcome) -> None:
            self._prompts.end(prompt_id, is_delivered=not outcome.code)
            report(outcome)

        if self._queue.add(TypedPrompt(text), finish, begin=lambda: self._begin(prompt_id, text)):
            return True
        self._prompts.end(prompt_id, is_delivered=False)
        return False

    def _begin(self, prompt_id: str, text: str) -> bool:
        """Return False for a prompt that a killed process has delivered. Raise LisaError, TmuxUnavailable."""
        if self._prompts.is_interrupted(prompt_id):
            with open_feed(self._ctx, self._ref) as feed:
                for frame in feed.history(newest_bytes=HISTORY_BYTES):
                    self._prompts.name(frame)
        return self._prompts.begin(prompt_id, text)

    def add(self, given: SessionInput, report: Callable[[InputOutcome], None]) -> bool:
        """Send an answer or an interrupt; return False if the input is closed."""
        return self._queue.add(given, report)

    def wake(self) -> None:
        """Let the sender see whether a dialog is still open."""
        self._queue.wake()

    def close(self, seconds: float) -> None:
        self._queue.close(seconds)
