"""Attach to a session and send what is typed: prompts, commands, answers to dialogs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from lisa_py.contract.errors import CancellationError
from lisa_py.contract.live import LiveFrame
from lisa_py.core.context import Context
from lisa_py.core.live.attach import AttachSummary
from lisa_py.core.live.frame_view import FrameView
from lisa_py.core.live.input_queue import HELD_PROMPTS, InputOutcome, InputQueue
from lisa_py.core.live.typed_lines import Typed, TypedAnswer, TypedCommand, TypedLines, TypedPrompt
from lisa_py.store import session_records
from lisa_py.store.paths import SessionRef
from lisa_py.terminal import frame_lines

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
        self._lock = threading.Lock()
        self._prompt = prompt
        self._queue = InputQueue(ctx, ref, lambda: self._lines.pending is not None)
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
        with session_records.attend(self._ref):
            return self._run(follow)

    def _run(
        self, follow: Callable[[Callable[[LiveFrame], None]], AttachSummary]
    ) -> tuple[AttachSummary, tuple[str, ...]]:
        feed = threading.Thread(target=self._follow, args=(follow,), daemon=True)
        feed.start()
        if self._prompt.strip():
            self._send(TypedPrompt(self._prompt))
        try:
            self._input.read(self._read_line)
            self._queue.end()
            while self._queue.is_sending:
                self._ctx.pause(0.02)
        except CancellationError:
            pass  # the person leaves; the session continues
        self._ctx.cancellation.cancel()
        self._queue.close(JOIN_SECONDS)
        feed.join(JOIN_SECONDS)
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
        with self._lock:
            before = self._lines.pending
            is_asked = self._lines.see(message)
            after = self._lines.pending
        self._queue.wake()
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
        with self._lock:
            was_asked = self._asks and self._lines.pending is not None
            typed = self._lines.read(line)
        if isinstance(typed, TypedCommand) and typed.name == "quit":
            return False
        if typed is not None:
            self._send(typed)
        if was_asked:
            self._ask()
        return True

    def _send(self, typed: Typed) -> None:
        if not self._queue.add(typed, lambda outcome: self._report(typed, outcome)) and isinstance(typed, TypedPrompt):
            self._undelivered.append(typed.text)
            self._view.warn(f"not sent, {HELD_PROMPTS} prompts are waiting already: {typed.text}")

    def _report(self, typed: Typed, outcome: InputOutcome) -> None:
        """Show the notices of an input, or why it did not reach the agent."""
        for notice in outcome.notices:
            self._view.note(notice)
        if not outcome.code:
            return
        if outcome.bug is not None:
            self._problem = outcome.bug
            self._input.stop()
        elif isinstance(typed, TypedPrompt):
            self._undelivered.append(typed.text)
            self._view.warn(f"failed to send prompt: {outcome.reason}: {typed.text}")
        else:
            what = "answer" if isinstance(typed, TypedAnswer) else "interrupt"
            self._view.warn(f"failed to send {what}: {outcome.reason}")
            self._reopen(typed)

    def _reopen(self, typed: Typed) -> None:
        """Ask again about a dialog whose answer failed."""
        if not isinstance(typed, TypedAnswer):
            return
        with self._lock:
            before = self._lines.pending
            self._lines.reopen(typed.dialog)
            is_reopened = self._lines.pending is not before
        if is_reopened:
            self._ask()
