"""Share one follower and one sender of each session among all readers and clients of a process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from msgspec import UNSET, Struct, structs

from lisa_py.contract.live import LiveFrame, UserPayload
from lisa_py.core.context import Context
from lisa_py.core.live.broadcast import FeedBroadcast
from lisa_py.core.live.input_queue import InputOutcome, InputQueue, SessionInput
from lisa_py.core.live.typed_lines import TypedPrompt
from lisa_py.core.send import input_text
from lisa_py.host.clock import parse_time
from lisa_py.store.paths import SessionRef

PROMPT_IDS = 200
"""Prompts of one session whose ids are kept."""


class _Shared(Struct):
    feed: FeedBroadcast
    readers: int = 0


class SharedSessions:
    """The broadcasts and inputs of a process by id of the session; one is closed when its last reader leaves."""

    def __init__(self, make_context: Callable[[], Context]) -> None:
        self._make_context = make_context
        self._lock = threading.Lock()
        self._shared: dict[str, _Shared] = {}
        self._inputs: dict[str, SharedInput] = {}

    def join(self, ref: SessionRef, identity: str) -> FeedBroadcast:
        """Return the broadcast of a session, begun if it is not followed; `leave` it later.

        Raise LisaError: session_not_found; TmuxUnavailable.
        """
        with self._lock:
            shared = self._shared.get(identity)
            if shared is None or shared.feed.end_reason:  # the readers of an ended one keep it
                feed = FeedBroadcast(self._make_context(), ref, annotate=lambda frame: self._annotate(identity, frame))
                shared = self._shared[identity] = _Shared(feed)
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
            elif not feed.end_reason:
                return
        feed.close()

    def __len__(self) -> int:
        """Return the number of sessions that are followed."""
        with self._lock:
            return len(self._shared)

    def open_input(self, ref: SessionRef, identity: str) -> SharedInput:
        """Return the one input of a session."""
        with self._lock:
            found = self._inputs.get(identity)
            if found is None:
                found = self._inputs[identity] = SharedInput(
                    self._make_context(), ref, lambda: self.has_dialog(identity)
                )
            return found

    def has_dialog(self, identity: str) -> bool:
        """Return True if a dialog of a followed session is open."""
        shared = self._shared.get(identity)
        return shared is not None and shared.feed.has_dialog

    def _annotate(self, identity: str, frame: LiveFrame) -> LiveFrame:
        found = self._inputs.get(identity)
        return found.name_prompt(frame) if found is not None else frame

    def close(self, seconds: float) -> None:
        """Finish what is being sent, and report what is held."""
        for each in list(self._inputs.values()):
            each.close(seconds)


class SharedInput:
    """The one queue of a session for all of its clients, and the ids of their prompts."""

    def __init__(self, ctx: Context, ref: SessionRef, has_dialog: Callable[[], bool]) -> None:
        self._queue = InputQueue(ctx, ref, has_dialog)
        self._lock = threading.Lock()
        self._clock = ctx.clock
        self._expected: OrderedDict[str, tuple[str, float]] = OrderedDict()
        """Text and time by id of the prompts whose frame has not been seen."""
        self._seen: OrderedDict[str, str] = OrderedDict()
        """Id by cursor of the frame."""
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add_prompt(self, text: str, prompt_id: str, report: Callable[[InputOutcome], None]) -> bool:
        """Send a prompt; one whose id was sent before is not sent again. Return False if too many wait."""
        with self._lock:
            if prompt_id and prompt_id in self._ids:
                return True
            if prompt_id:
                self._ids[prompt_id] = None
                self._expected[prompt_id] = _normalize(text), self._clock.now()
                for kept in (self._ids, self._expected, self._seen):
                    while len(kept) > PROMPT_IDS:
                        kept.popitem(last=False)
        if self._queue.add(TypedPrompt(text), lambda outcome: self._finish(prompt_id, outcome, report)):
            return True
        self._forget(prompt_id)
        return False

    def add(self, given: SessionInput, report: Callable[[InputOutcome], None]) -> bool:
        """Send an answer or an interrupt; return False if the input is closed."""
        return self._queue.add(given, report)

    def _finish(self, prompt_id: str, outcome: InputOutcome, report: Callable[[InputOutcome], None]) -> None:
        if outcome.code:
            self._forget(prompt_id)
        report(outcome)

    def _forget(self, prompt_id: str) -> None:
        with self._lock:
            self._ids.pop(prompt_id, None)
            self._expected.pop(prompt_id, None)

    def name_prompt(self, frame: LiveFrame) -> LiveFrame:
        """Return the frame of a prompt with the id that its client gave it."""
        payload = frame.payload
        if not isinstance(payload, UserPayload) or payload.prompt_id is not UNSET:
            return frame
        with self._lock:
            found = self._seen.get(frame.cursor, "")
            if not found:
                found = self._find_expected(frame, payload.content)
                self._expected.pop(found, None)
                if found:
                    self._seen[frame.cursor] = found
        return structs.replace(frame, payload=structs.replace(payload, prompt_id=found)) if found else frame

    def _find_expected(self, frame: LiveFrame, content: str) -> str:
        """Return the id of the first prompt with this text that was sent before the frame; empty for none."""
        shown, at = _normalize(content), parse_time(frame.timestamp) or 0.0
        sent = self._expected.items()
        return next((each for each, (text, since) in sent if at >= since - 1 and shown.startswith(text)), "")

    def wake(self) -> None:
        """Let the sender see whether a dialog is still open."""
        self._queue.wake()

    def close(self, seconds: float) -> None:
        self._queue.close(seconds)


def _normalize(text: str) -> str:
    return " ".join(input_text.clean_text(text).text.split())
