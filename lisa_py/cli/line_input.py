"""Lines of standard input beside live output: edited on a terminal, plain on a pipe."""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import sys
from collections.abc import Callable, Iterator
from typing import Any

from lisa_py.contract.errors import CancellationError
from lisa_py.core.context import LineInput
from lisa_py.host.cancellation import Cancellation

PROMPT = "> "
REDRAW_SECONDS = 0.05
"""Output that arrives within this time is written above the edited line at once."""


def open_input(cancellation: Cancellation, *, edited: bool) -> LineInput:
    """Return the reader of standard input; line editing needs a terminal on both streams."""
    if sys.stdin is None:  # closed: another file may have its number
        return LineInput()
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if edited and is_terminal and os.environ.get("TERM", "dumb") != "dumb":
        with contextlib.suppress(ImportError):  # an installation without it has plain lines
            return EditedInput(cancellation)
    return PlainInput(cancellation)


class PlainInput(LineInput):
    """Lines as they arrive."""

    def __init__(self, cancellation: Cancellation, stream: int = 0) -> None:
        self._cancellation = cancellation
        self._stream = stream
        self._wake, self._waker = os.pipe()

    def read(self, on_line: Callable[[str], bool]) -> None:
        for line in self._lines():
            if not on_line(line):
                return

    def _lines(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text, data = "", b"-"
        while data:
            data = self._receive()
            if data is None:
                return
            text += decoder.decode(data, final=not data)
            *lines, text = text.split("\n")
            yield from lines
        if text:
            yield text

    def _receive(self) -> Any:
        """Return the next bytes; none at the end of the input, None if another thread has stopped it."""
        with self._cancellation.observe():
            handles = [self._stream, self._wake, self._cancellation.fileno()]
            try:
                ready = select.select(handles, [], [])[0]
            except OSError:  # standard input is closed
                return b""
            if self._cancellation.is_set:
                raise CancellationError
            if self._wake in ready:
                return None
            try:
                return os.read(self._stream, 1 << 16)
            except OSError:  # the terminal is gone
                return b""

    def ask(self, prompt: str) -> None:
        sys.stdout.write(prompt)
        sys.stdout.flush()

    def stop(self) -> None:
        os.write(self._waker, b"!")


class _InputStop(Exception):
    """Another thread has stopped the input."""


class EditedInput(LineInput):
    """Lines of a person at a terminal: live output appears above the edited line."""

    def __init__(self, cancellation: Cancellation) -> None:
        from prompt_toolkit import PromptSession  # noqa: PLC0415 - 150 ms, only here

        self._cancellation = cancellation
        self._prompt = PROMPT
        self._draft = ""
        """Text that was being typed when a question came."""
        self._is_stopped = False
        self._session: Any = PromptSession(message=lambda: self._prompt)

    def read(self, on_line: Callable[[str], bool]) -> None:
        with _write_above_prompt():
            while not self._is_stopped:
                try:
                    line = self._session.prompt(pre_run=self._start_line)
                except (EOFError, _InputStop):
                    return
                except KeyboardInterrupt:
                    self._cancellation.cancel()
                    raise CancellationError from None
                if not on_line(line):
                    return

    def _start_line(self) -> None:
        if self._is_stopped:
            self._session.app.exit(exception=_InputStop())
        elif self._prompt == PROMPT and self._draft:
            self._restore_draft()

    def ask(self, prompt: str) -> None:
        self._call(lambda: self._change_prompt(prompt or PROMPT))

    def _change_prompt(self, prompt: str) -> None:
        """Keep a half-typed text apart while a question is asked, so that it does not become the answer."""
        buffer = self._session.default_buffer
        if self._prompt == PROMPT != prompt and buffer.text:
            self._draft = buffer.text
            buffer.reset()
        self._prompt = prompt
        if prompt == PROMPT and self._draft and not buffer.text:
            self._restore_draft()
        self._session.app.invalidate()

    def _restore_draft(self) -> None:
        from prompt_toolkit.document import Document  # noqa: PLC0415 - loaded with the rest

        self._session.default_buffer.document = Document(self._draft)
        self._draft = ""

    def stop(self) -> None:
        self._is_stopped = True
        self._call(lambda: self._session.app.exit(exception=_InputStop()))

    def _call(self, action: Callable[[], None]) -> None:
        """Run an action in the thread of the editor; between two lines it takes effect with the next one."""

        def run() -> None:
            with contextlib.suppress(Exception):  # no line is being edited: `_start_line` looks again
                action()

        loop = self._session.app.loop
        if loop is None or loop.is_closed():
            run()
        else:
            with contextlib.suppress(RuntimeError):  # it has just closed
                loop.call_soon_threadsafe(run)


@contextlib.contextmanager
def _write_above_prompt() -> Iterator[None]:
    """Write what goes to the terminal above the edited line."""
    from prompt_toolkit.patch_stdout import StdoutProxy  # noqa: PLC0415 - only here

    before = sys.stdout, sys.stderr
    proxy: Any
    with StdoutProxy(sleep_between_writes=REDRAW_SECONDS, raw=True) as proxy:
        sys.stdout = proxy
        if before[1].isatty():
            sys.stderr = proxy
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before
