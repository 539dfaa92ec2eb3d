"""Send to a session what people give it, in order: prompts wait for the end of a dialog, answers do not."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.core.context import Context
from lisa_py.core.live import ending, session_input
from lisa_py.core.live.session_input import GivenDecision
from lisa_py.core.live.typed_lines import TypedAnswer, TypedCommand, TypedPrompt
from lisa_py.store.paths import SessionRef

HELD_PROMPTS = 20
"""Prompts that wait for the agent to take them or for the end of a dialog."""
RETRY_SECONDS = 0.5
"""Pause before a prompt is tried again that met a dialog which the feed has not reported yet."""
START_SECONDS = 60.0
"""Time for an agent to start, in which its prompts wait."""

SessionInput = TypedPrompt | TypedCommand | TypedAnswer | GivenDecision


class InputOutcome(Struct, frozen=True, kw_only=True):
    """The outcome of one input."""

    notices: tuple[str, ...] = ()
    code: str = ""
    """Error code of an input that did not reach the agent; empty for one that did."""
    reason: str = ""
    bug: Exception | None = None


class _QueuedInput(Struct, kw_only=True):
    given: SessionInput
    report: Callable[[InputOutcome], None]
    begin: Callable[[], bool]
    added_at: float


class InputQueue:
    """The inputs of one session, and one sender for them, in a thread that ends with the last one."""

    def __init__(
        self,
        ctx: Context,
        ref: SessionRef,
        has_dialog: Callable[[], bool],
        *,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        """`has_dialog`: prompts wait while it returns True; call `wake` when that may have changed.

        `on_idle` is called by the sender when nothing is left to send.
        """
        self._ctx = ctx
        self._ref = ref
        self._has_dialog = has_dialog
        self._on_idle = on_idle
        self._changed = threading.Condition()
        self._queue: deque[_QueuedInput] = deque()
        self._sender: threading.Thread | None = None
        self._is_closed = False

    def add(
        self,
        given: SessionInput,
        report: Callable[[InputOutcome], None],
        *,
        begin: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Send an input after those before it; return False if too many prompts wait, or if the queue is closed.

        `report` is called with its outcome by the sender, or by `close` for one that was not sent. `begin` is called
        before each attempt to send a prompt; it returns False for one that the agent has already, or raises LisaError.
        """
        with self._changed:
            is_full = isinstance(given, TypedPrompt) and self._count_prompts() >= HELD_PROMPTS
            if is_full or self._is_closed:
                return False
            self._queue.append(
                _QueuedInput(given=given, report=report, begin=begin, added_at=self._ctx.clock.monotonic())
            )
            self._changed.notify_all()
            if self._sender is None:
                self._sender = threading.Thread(
                    target=self._send_all, name=f"input of {self._ref.session}", daemon=True
                )
                self._sender.start()
        return True

    def _count_prompts(self) -> int:
        return sum(isinstance(each.given, TypedPrompt) for each in self._queue)

    def wake(self) -> None:
        """Let the sender see whether a dialog is still open."""
        with self._changed:
            self._changed.notify_all()

    @property
    def is_sending(self) -> bool:
        """Return True while an input waits or is being sent."""
        return self._sender is not None

    def end(self) -> None:
        """Take no further input; what no dialog holds is still sent."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def close(self, seconds: float) -> None:
        """Take no further input; wait for what is being sent, and report what is held."""
        self.end()
        sender = self._sender
        if sender is not None:
            sender.join(seconds)
        with self._changed:
            rest, self._queue = list(self._queue), deque()
        for each in rest:
            each.report(InputOutcome(code="not_sent", reason="left while it was held"))

    # -- sender ------------------------------------------------------------------------------------------------

    def _send_all(self) -> None:
        while (each := self._take_next()) is not None:
            try:
                notices = self._send(each)
            except CancellationError:
                each.report(InputOutcome(code="not_sent", reason="left before the agent took it"))
                continue
            except LisaError as problem:
                each.report(InputOutcome(code=problem.code, reason=problem.message))
                continue
            except Exception as problem:  # of this thread, reported by the face
                each.report(InputOutcome(code="internal_error", reason=str(problem), bug=problem))
                continue
            if notices is not None:
                each.report(InputOutcome(notices=tuple(notices)))
        self._on_idle()

    def _take_next(self) -> _QueuedInput | None:
        """Wait for the next input to send: answers and interrupts first, prompts only while no dialog is open."""
        with self._changed:
            while self._queue:
                found = next((each for each in self._queue if self._may_send(each)), None)
                if found is not None and not self._ctx.cancellation.is_set:
                    self._queue.remove(found)
                    return found
                if self._is_closed or self._ctx.cancellation.is_set:
                    break
                self._changed.wait(RETRY_SECONDS)
            self._sender = None
            self._changed.notify_all()
            return None

    def _may_send(self, each: _QueuedInput) -> bool:
        return not isinstance(each.given, TypedPrompt) or not self._has_dialog()

    def _send(self, each: _QueuedInput) -> Sequence[str] | None:
        """Send an input; return notices, None if it was put back. Raise LisaError."""
        given = each.given
        if isinstance(given, TypedCommand):
            return (session_input.interrupt_turn(self._ctx, self._ref),)
        if isinstance(given, TypedAnswer | GivenDecision):
            return session_input.answer_dialog(self._ctx, self._ref, given)
        if not each.begin():
            return ()
        try:
            session_input.send_prompt(self._ctx, self._ref, given.text)
        except LisaError as problem:
            if self._is_closed or not self._is_passing(problem, each):
                raise
            with self._changed:
                self._queue.appendleft(each)
                self._changed.wait(RETRY_SECONDS)
            return None
        return ()

    def _is_passing(self, problem: LisaError, each: _QueuedInput) -> bool:
        """Return True for a reason that ends by itself: the prompt is sent after it."""
        if problem.code == "session_not_found":
            return ending.is_opening(self._ctx, self._ref, self._ctx.read_meta(self._ref))
        is_starting = self._ctx.clock.monotonic() - each.added_at < START_SECONDS
        return problem.code == "agent_waiting_dialog" or (problem.code == "agent_not_ready" and is_starting)
