"""The answer of a command: one JSON object, or lines as `lisa peer` writes them from its first event on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import anyio.from_thread
import anyio.to_thread
from msgspec import UNSET
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lisa_py.contract.errors import LisaError
from lisa_py.contract.peer import PeerMessage, PeerRequest
from lisa_py.peer import protocol
from lisa_py.peer.request_run import RequestRun
from lisa_py.server import failures
from lisa_py.server.openapi import LINES
from lisa_py.server.options import ServerState
from lisa_py.server.route import encode

EXIT_CODE = "Lisa-Exit-Code"
"""Header with the exit code that the command line would have."""
READER_SECONDS = 60.0
"""Time for the reader to take one message."""
END_SECONDS = 1.0
"""The same when the server ends."""


class CommandResponse(Response):
    """Runs the command while the reader listens; it is cancelled when the reader leaves or does not read."""

    def __init__(self, server: ServerState, request: PeerRequest, *, cwd: str, as_lines: bool) -> None:
        super().__init__()
        self._server = server
        self._request = request
        self._cwd = cwd
        self._is_stream = as_lines
        self._has_begun = False
        self._is_reader_gone = False
        self._delivery: anyio.CancelScope | None = None
        """Of the message that is being sent."""
        self._last_byte = b""
        """The end of the answer, sent when the positions are kept."""
        self._warnings: list[PeerMessage] = []
        """Diagnostics before the first event; a single object has no place for them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        threads = scope["app"].state.command_threads
        self._send = send
        with self._server.cancellation.open_part() as cancellation:
            self._cancellation = cancellation
            self._run = RequestRun(
                self._server.settings, self._request, None,
                cwd=self._cwd, cancellation=cancellation, write=self._write,
            )  # fmt: skip
            if not threads.available_tokens:
                text = f"{threads.total_tokens:.0f} commands are running; try again when one has ended"
                await self._send_refusal(LisaError("too_many_requests", text))
                await self._send_last()
                return
            async with anyio.create_task_group() as self._group:
                self._group.start_soon(self._watch_reader, receive)
                await anyio.to_thread.run_sync(self._run.run, limiter=threads)
                self._group.cancel_scope.cancel()
            del self._run, self._group  # they refer to this object

    async def _watch_reader(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._leave_reader()

    async def _watch_end(self) -> None:
        """Do not let the end of the server wait for a reader that does not read."""
        await anyio.wait_readable(self._cancellation.fileno())
        await anyio.sleep(END_SECONDS)
        self._leave_reader()

    def _leave_reader(self) -> None:
        self._is_reader_gone = True
        self._cancellation.cancel()
        if self._delivery is not None:
            self._delivery.cancel()

    def _write(self, message: PeerMessage) -> bool:
        """Send a message from the thread of the command; wait while the reader is slow.

        The last byte follows when the positions of the reader are kept: its next request may continue from them.
        """
        if self._last_byte:  # they could not be kept
            self._server.log(f"POST /commands/{self._request.command}: {message.warning}")
            return True
        anyio.from_thread.run(self._send_in_time, self._deliver, message)
        if self._is_reader_gone:
            return False
        if message.exit_code is not UNSET:
            self._run.keep_positions()
            anyio.from_thread.run(self._send_in_time, self._send_last)
        return not self._is_reader_gone

    async def _send_in_time(self, send: Callable[..., Awaitable[None]], *words: PeerMessage) -> None:
        if self._is_reader_gone:
            return
        with anyio.move_on_after(READER_SECONDS) as delivery:
            self._delivery = delivery
            await send(*words)
        if delivery.cancelled_caught:
            self._leave_reader()

    async def _deliver(self, message: PeerMessage) -> None:
        is_last = message.exit_code is not UNSET
        if not self._has_begun and not self._is_stream and message.warning is not UNSET:
            self._warnings.append(message)
            return
        if not self._has_begun and not self._is_stream and is_last:
            await self._send_object(message)
            return
        lines = b"".join(map(protocol.encode_message, [*self._warnings, message]))
        self._warnings = []
        if not self._has_begun:
            self._has_begun = True
            self._group.start_soon(self._watch_end)
            await self._send_start(200, LINES)
        if is_last:
            await self._send_most(lines)
        else:
            await self._send({"type": "http.response.body", "body": lines, "more_body": True})

    async def _send_object(self, message: PeerMessage) -> None:
        if self._run.problem is not None:
            await self._send_refusal(self._run.problem)
            return
        await self._send_start(200, "application/json", (EXIT_CODE, str(message.exit_code)))
        await self._send_most(encode(message.answer))

    async def _send_refusal(self, problem: LisaError) -> None:
        status = failures.choose_status(problem)
        more = [("Retry-After", "1")] if status == 429 else []
        await self._send_start(status, "application/json", (EXIT_CODE, str(problem.exit_code)), *more)
        await self._send_most(encode(failures.build_body(problem)))

    async def _send_most(self, body: bytes) -> None:
        """Send the end of the answer but for its last byte."""
        await self._send({"type": "http.response.body", "body": body[:-1], "more_body": True})
        self._last_byte = body[-1:]

    async def _send_last(self) -> None:
        await self._send({"type": "http.response.body", "body": self._last_byte})

    async def _send_start(self, status: int, media_type: str, *headers: tuple[str, str]) -> None:
        named = [("Content-Type", media_type), *headers]
        raw = [(name.lower().encode(), value.encode()) for name, value in named]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})
