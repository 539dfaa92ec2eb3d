"""Attach to a session and send what is typed: prompts, commands, answers to dialogs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.contract.live import LiveFrame
from lisa_py.core.context import Context
from lisa_py.core.live import session_input
from lisa_py.core.live.attach import AttachSummary
from lisa_py.core.live.frame_view import FrameView
from lisa_py.core.live.typed_lines import Typed, TypedAnswer, TypedCommand, TypedLines, TypedPrompt
from lisa_py.store.paths import SessionRef
from lisa_py.terminal import frame_lines

HELD_PROMPTS = 20
"""Prompts that wait for the agent to take them or for the end of a dialog."""
RETRY_SECONDS = 0.5
"""Pause before a prompt is tried again that met a dialog which the feed has not reported yet."""
JOIN_SECONDS = 5.0


class InteractiveAttach:
    """One reader of the typed lines, one sender, and the frames of a session."""

    def __init__(
        self,
        ctx: Context,
        ref: SessionRef,
        view: FrameView,
        show: Callable[[LiveFrame], None],
        *,
        asks: bool = True,
        prompt: str = "",
    ) -> None:
        """`show` writes a frame; `prompt` is sent first.

        `asks`: dialogs are asked; else a line answers one only if it is a plain answer.
        """
        self._ctx = ctx
        self._ref = ref
        self._view = view
        self._show = show
        self._asks = asks
        self._is_live = False
        self._lines = TypedLines(asks=asks)
        self._input = ctx.open_input(asks)
        self._changed = threading.Condition()
        self._queue: deque[Typed] = deque([TypedPrompt(prompt)] if prompt.strip() else ())
        self._is_closed = False
        """True once no further line is read."""
        self._undelivered: list[str] = []
        self._summary: AttachSummary | None = None
        self._problem: BaseException | None = None

    def run(
        self, follow: Callable[[Callable[[LiveFrame], None]], AttachSummary]
    ) -> tuple[AttachSummary, tuple[str, ...]]:
        """Follow the session and read lines until it ends, the input ends, or the person leaves.

        Return the outcome and the prompts that the agent did not take.
        `follow` emits the frames with its argument. Raise what it raises.
        """
        feed = threading.Thread(target=self._follow, args=(follow,), daemon=True)
        sender = threading.Thread(target=self._send_all, daemon=True)
        feed.start()
        sender.start()
        try:
            self._input.read(self._read_line)
            self._close()
            self._wait_for_sender(sender)
        except CancellationError:
            pass  # the person leaves; the session continues
        self._close()
        self._ctx.cancellation.cancel()
        for thread in (sender, feed):
            thread.join(JOIN_SECONDS)
        self._report_rest()
        if self._problem is not None:
            raise self._problem
        if self._summary is None:
            raise CancellationError
        return self._summary, tuple(self._undelivered)

    # -- frames ------------------------------------------------------------------------------------------------

    def _follow(self, follow: Callable[[Callable[[LiveFrame], None]], AttachSummary]) -> None:
        try:
            self._summary = follow(self._emit)
        except BaseException as problem:  # of the other thread, raised in `run`
            self._problem = problem
        self._input.stop()

    def begin_live(self) -> None:
        """Note that all further frames are live: a recorded dialog is not asked again."""
        self._is_live = True

    def _emit(self, frame: LiveFrame) -> None:
        """Show a frame; ask about a dialog that a live one opens."""
        if not self._is_live:
            self._show(frame)
            return
        message = frame_lines.read_message(frame)
        with self._changed:
            before = self._lines.pending
            is_asked = self._lines.see(message)
            after = self._lines.pending
            self._changed.notify_all()
        if not is_asked:
            self._show(frame)
        if after is not before:
            self._ask()

    def _ask(self) -> None:
        """Ask what the next line is to answer, if anything."""
        dialog = self._lines.pending
        if dialog is None:
            self._input.ask("")
        elif self._asks:
            self._view.ask(dialog)
            self._input.ask(dialog.call_to_answer)

    # -- lines -------------------------------------------------------------------------------------------------

    def _read_line(self, line: str) -> bool:
        """Act on a typed line; return False to leave."""
        with self._changed:
            was_asked = self._asks and self._lines.pending is not None
            typed = self._lines.read(line)
            if isinstance(typed, TypedCommand) and typed.name == "quit":
                return False
            if isinstance(typed, TypedPrompt) and self._count_prompts() >= HELD_PROMPTS:
                self._undelivered.append(typed.text)
                self._view.warn(f"not sent, {HELD_PROMPTS} prompts are waiting already: {typed.text}")
            elif typed is not None:
                self._queue.append(typed)
                self._changed.notify_all()
        if was_asked:
            self._ask()
        return True

    def _count_prompts(self) -> int:
        return sum(isinstance(typed, TypedPrompt) for typed in self._queue)

    # -- sender ------------------------------------------------------------------------------------------------

    def _send_all(self) -> None:
        while (typed := self._take_next()) is not None:
            try:
                self._send(typed)
            except CancellationError:
                self._note_failure(typed, "left before the agent took it")
                return
            except LisaError as problem:
                self._note_failure(typed, problem.message)
                self._reopen(typed)
            except Exception as problem:  # of this thread, raised in `run`
                self._problem = problem
                self._input.stop()
                return

    def _take_next(self) -> Typed | None:
        """Wait for the next thing to send: answers and interrupts first, prompts only while no dialog is open."""
        with self._changed:
            while True:
                typed = next((each for each in self._queue if self._may_send(each)), None)
                if typed is not None and not self._ctx.cancellation.is_set:
                    self._queue.remove(typed)
                    return typed
                if self._is_closed:
                    return None
                self._changed.wait()

    def _may_send(self, typed: Typed) -> bool:
        return not isinstance(typed, TypedPrompt) or self._lines.pending is None

    def _send(self, typed: Typed) -> None:
        if isinstance(typed, TypedPrompt):
            self._send_prompt(typed)
        elif isinstance(typed, TypedAnswer):
            for notice in session_input.answer_dialog(self._ctx, self._ref, typed):
                self._view.note(notice)
        else:
            self._view.note(session_input.interrupt_turn(self._ctx, self._ref))

    def _send_prompt(self, typed: TypedPrompt) -> None:
        try:
            failure = session_input.send_prompt(self._ctx, self._ref, typed.text)
        except LisaError as problem:
            if problem.code != "agent_waiting_dialog" or self._is_closed:
                raise
            with self._changed:  # it is sent after the dialog
                self._queue.appendleft(typed)
                self._changed.wait(RETRY_SECONDS)
            return
        if failure:
            self._note_failure(typed, failure)

    def _note_failure(self, typed: Typed, reason: str) -> None:
        if isinstance(typed, TypedPrompt):
            self._undelivered.append(typed.text)
            self._view.warn(f"failed to send prompt: {reason}: {typed.text}")
        else:
            what = "answer" if isinstance(typed, TypedAnswer) else "interrupt"
            self._view.warn(f"failed to send {what}: {reason}")

    def _reopen(self, typed: Typed) -> None:
        """Ask again about a dialog whose answer failed."""
        if not isinstance(typed, TypedAnswer):
            return
        with self._changed:
            before = self._lines.pending
            self._lines.reopen(typed.dialog)
            is_reopened = self._lines.pending is not before
        if is_reopened:
            self._ask()

    # -- end ---------------------------------------------------------------------------------------------------

    def _close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _wait_for_sender(self, sender: threading.Thread) -> None:
        """Wait until all is sent that can be sent. Raise CancellationError."""
        while sender.is_alive():
            self._ctx.pause(0.02)

    def _report_rest(self) -> None:
        """Show the prompts that were held to the end, so that none is lost."""
        for typed in self._queue:
            if isinstance(typed, TypedPrompt):
                self._note_failure(typed, "left while it was held")
