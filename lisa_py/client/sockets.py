"""The socket of a session with awaits: it reads in the background, connects again and keeps its place."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from lisa_py.client import socket_core, transfer
from lisa_py.client.errors import (
    APIError,
    ClientError,
    ServerUnreachableError,
    SocketClosedError,
    TransferError,
    build_error,
)
from lisa_py.client.flow import ClientCore, Flow, ServerPlace
from lisa_py.client.retry import NO_RETRY
from lisa_py.client.runners import AsyncRunner
from lisa_py.client.socket_core import ConnectionState, Loss, SocketCore, SocketHandlers, SocketOptions
from lisa_py.client.transfer import FileSource, Progress
from lisa_py.contract.live import LiveFrame

T = TypeVar("T")
MAX_BYTES = 16 << 20
"""Longest message; a history has at most 4 MiB."""
SENT_BYTES = 1 << 20
"""Longest message that the server takes; a longer one would end the connection."""
HIGH_WATER = 10_000
"""Frames that wait for their reader; with more the socket is not read."""


class SocketAddress(Struct, frozen=True, kw_only=True):
    """The address of a socket at this moment."""

    url: str
    headers: Mapping[str, str] = {}
    path: str = ""
    """Path of a Unix socket."""
    is_local: bool = True


class SocketSource(Protocol):
    """The client behind a socket, and the session."""

    core: ClientCore

    async def find_address(self) -> SocketAddress:
        """Return the address, with a token that is valid. Raise ClientError."""

    def refuse_token(self) -> None:
        """Note that the server has refused the token."""

    async def run_flow(self, flow: Flow[T]) -> T:
        """Run a flow of the client."""


class UrlSource:
    """The address of a socket with its token, as get_websocket_url returns it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss"):
            raise ValueError(f"invalid address of a socket: {parts.scheme}://{parts.netloc} (expected ws:// or wss://)")
        place = ServerPlace(url=f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}")
        self._address = SocketAddress(url=url, is_local=place.is_local)
        self.core = ClientCore(lambda: place, retry=NO_RETRY)
        self._runner = AsyncRunner(self.core)

    async def find_address(self) -> SocketAddress:
        """Return the address."""
        return self._address

    def refuse_token(self) -> None:
        """Do nothing: there is no other token."""

    async def run_flow(self, flow: Flow[T]) -> T:
        """Run a flow with connections of its own."""
        try:
            return await self._runner.run(flow)
        finally:
            await self._runner.close()


class AsyncSessionSocket:
    """A connection to one session that survives restarts of the server.

    `async for frame in socket` yields each frame once and in order, from the whole recorded conversation (or behind the
    cursor `since`) to the end of the session; `run` calls handlers instead. One of the two reads at a time. `source` is
    the address of get_websocket_url; `open_socket` of a client is better, it renews the token.
    """

    def __init__(
        self,
        source: SocketSource | str,
        handlers: SocketHandlers | None = None,
        options: SocketOptions | None = None,
        *,
        since: str = "",
    ) -> None:
        self._source = UrlSource(source) if isinstance(source, str) else source
        self._handlers = handlers or SocketHandlers()
        self._core = SocketCore(options or SocketOptions(), since)
        self._state: ConnectionState = "disconnected"
        self._connection: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._items: deque[LiveFrame | ConnectionState] = deque()
        self._changed = asyncio.Condition()
        self._is_over = False
        self._is_leaving = False
        self._error: ClientError | None = None
        self._outbox: deque[str] = deque()
        self._replies: dict[str, asyncio.Future[LiveFrame]] = {}

    # -- connection ------------------------------------------------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """Return connecting, connected, reconnecting or disconnected."""
        return self._state

    @property
    def cursor(self) -> str:
        """Return the position after the newest frame that has arrived, for `since` of a later socket."""
        return self._core.cursor

    @property
    def reset(self) -> str:
        """Return the reason why the server started from the beginning instead of at the cursor; empty if it did not."""
        return self._core.reset

    @property
    def has_ended(self) -> bool:
        """Return True if the session has ended."""
        return self._core.has_ended

    async def connect(self) -> Self:
        """Connect; frames are read from now on. Raise ClientError if the server refuses or is not there."""
        if self._tasks:
            return self
        await self._change_state("connecting")
        try:
            loss = await self._open()
            if loss is not None and self._core.choose_delay(loss, can_renew=self._source.core.can_renew) == 0.0:
                self._source.refuse_token()
                loss = await self._open()
        except ClientError:
            await self._change_state("disconnected")
            raise
        if loss is not None:
            await self._change_state("disconnected")
            if loss.status:
                raise build_error(loss.status, loss.body)
            raise ServerUnreachableError(f"no connection to the socket: {loss.reason}")
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._beat())]
        return self

    async def disconnect(self) -> None:
        """Leave the session, which continues. What was sent before arrives.

        Raise SocketClosedError if prompts that wait for a connection could not be sent in time.
        """
        if self._outbox and self._state == "reconnecting":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._core.options.open_timeout):
                    await self._wait_until(lambda: not self._outbox or self._is_over)
        self._is_leaving = True
        if self._connection is not None:
            await self._connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._finish(None)
        if self._outbox:
            unsent = len(self._outbox)
            self._outbox.clear()
            raise SocketClosedError(f"{unsent} messages were not sent: there is no connection")

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.disconnect()
        except SocketClosedError:
            if problem is None:
                raise

    async def _open(self) -> Loss | None:
        """Make one connection; return the reason if there is none. Raise ClientError without a token."""
        address = await self._source.find_address()
        options: dict[str, Any] = {
            "additional_headers": dict(address.headers),
            "max_size": MAX_BYTES,
            "open_timeout": self._core.options.open_timeout,
        }
        url = _add_query(address.url, "since", self._core.cursor)
        try:
            if address.path:
                self._connection = await unix_connect(address.path, uri=url, **options)
            else:
                self._connection = await connect(url, proxy=None if address.is_local else True, **options)
        except InvalidStatus as problem:
            response = problem.response
            return Loss(status=response.status_code, body=bytes(response.body or b""))
        except (OSError, InvalidHandshake, InvalidMessage, EOFError, ConnectionClosed) as problem:
            self._source.core.find_place_again()
            return Loss(reason=str(problem) or type(problem).__name__)
        self._core.begin()
        await self._send_outbox()
        await self._change_state("connected")
        return None

    async def _follow(self) -> None:
        """Read until the end, over all connections."""
        try:
            while True:
                loss: Loss | None = await self._read_connection()
                while loss is not None:
                    if self._is_leaving:
                        return
                    delay = self._core.choose_delay(loss, can_renew=self._source.core.can_renew)
                    if delay is None:
                        await self._finish(None if self._core.has_ended else socket_core.describe_loss(loss))
                        return
                    if loss.status in socket_core.RENEWAL_STATUSES or loss.code in socket_core.RENEWAL_CODES:
                        self._source.refuse_token()
                    await self._change_state("reconnecting")
                    await asyncio.sleep(delay)
                    loss = await self._try_open()
        except Exception as problem:  # the reader gets it; a task has no other place for it
            await self._finish(SocketClosedError(f"the socket failed: {problem}"))
            raise

    async def _try_open(self) -> Loss | None:
        try:
            return await self._open()
        except ClientError as problem:
            return Loss(reason=str(problem), status=getattr(problem, "status", 0))

    async def _read_connection(self) -> Loss:
        """Read one connection to its end; return its reason."""
        connection = self._connection
        assert connection is not None
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            while not self._core.has_ended:
                message = await connection.recv()
                await self._take(self._core.read(message))
            await connection.close()
            return Loss(code=1000)
        except ConnectionClosed as problem:
            received = problem.rcvd
            code, reason = (1006, str(problem)) if received is None else (received.code, received.reason)
            if received is None and problem.sent is not None and problem.sent.code != 1011:
                code = problem.sent.code  # a message that we refused: too long, no text; 1011 is a missing pong
            return Loss(code=code, reason=reason, seconds=loop.time() - begun)
        finally:
            self._connection = None
            self._fail_replies(SocketClosedError("the connection ended before the answer"))

    async def _take(self, frames: list[LiveFrame]) -> None:
        for frame in frames:
            waiting = self._replies.get(_find_request(frame))
            if waiting is not None and not waiting.done():
                waiting.set_result(frame)
        async with self._changed:
            self._items.extend(frames)
            self._changed.notify_all()
            await self._changed.wait_for(lambda: len(self._items) < HIGH_WATER or bool(self._replies) or self._is_over)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._core.options.heartbeat_interval)
            if self._connection is not None:
                with contextlib.suppress(ConnectionClosed):
                    await self._connection.send(socket_core.encode("heartbeat"))

    async def _change_state(self, state: ConnectionState) -> None:
        async with self._changed:
            if state != self._state:
                self._state = state
                self._items.append(state)
            self._changed.notify_all()

    async def _finish(self, problem: ClientError | None) -> None:
        """End the reading; the reader gets what has arrived, then the error."""
        self._fail_replies(problem or SocketClosedError("the socket is closed", code=1000))
        if not self._is_over:
            self._error = problem
            self._is_over = True
            await self._change_state("disconnected")

    def _fail_replies(self, problem: ClientError) -> None:
        for waiting in self._replies.values():
            if not waiting.done():
                waiting.set_exception(problem)

    async def _wait_until(self, is_true: Any) -> None:
        async with self._changed:
            await self._changed.wait_for(is_true)

    # -- reading ---------------------------------------------------------------------------------------------------

    async def read_item(self) -> LiveFrame | ConnectionState | None:
        """Return the next frame or change of the state; None at the end. Raise ClientError for an end by failure."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._items) or self._is_over)
            self._changed.notify_all()
            return self.pop_item()

    def pop_item(self) -> LiveFrame | ConnectionState | None:
        """Return an item that has arrived; None without one. Raise ClientError behind the last one of a failure."""
        if self._items:
            return self._items.popleft()
        if self._error is not None:
            raise self._error
        return None

    async def __aiter__(self) -> AsyncIterator[LiveFrame]:
        await self.connect()
        while (item := await self.read_item()) is not None:
            if isinstance(item, LiveFrame):
                yield item

    async def run(self, handlers: SocketHandlers | None = None) -> None:
        """Call the handlers until the session ends or the socket is disconnected. Raise ClientError for a failure."""
        await self.connect()
        while (item := await self.read_item()) is not None:
            for handler in (handlers or self._handlers).choose(item):
                outcome = handler()
                if outcome is not None:
                    await outcome

    # -- sending ---------------------------------------------------------------------------------------------------

    async def _send(self, message: str) -> bool:
        """Return True for a message that is sent, False for one that waits for the next connection.

        Raise SocketClosedError, APIError(too_large).
        """
        if len(message.encode()) > SENT_BYTES:
            raise APIError("too_large", f"a message has at most {SENT_BYTES} bytes", status=413)
        if self._connection is not None and not self._is_leaving:
            try:
                await self._connection.send(message)
                return True
            except ConnectionClosed:
                pass
        if not self._core.options.queue_while_disconnected or self._is_over or self._is_leaving:
            raise SocketClosedError(f"nothing was sent: the socket is {self._state}")
        self._outbox.append(message)
        return False

    async def _send_answer(self, message: str, dialog: LiveFrame | str, field: str) -> None:
        """Send the answer to a dialog, given by its frame or id. Raise SocketClosedError."""
        if await self._send(message):
            self._core.note_answer(socket_core.identify_dialog(dialog, field))

    async def _send_outbox(self) -> None:
        assert self._connection is not None
        with contextlib.suppress(ConnectionClosed):
            while self._outbox:
                await self._connection.send(self._outbox[0])
                self._outbox.popleft()

    async def send_prompt(self, text: str, *, prompt_id: str = "") -> None:
        """Send a prompt. Raise SocketClosedError without a connection."""
        await self._send(socket_core.encode_prompt(text, prompt_id))

    async def send_interrupt(self) -> None:
        """Cancel the current turn; the session continues."""
        await self._send(socket_core.encode("interrupt"))

    async def send_heartbeat(self) -> None:
        """Send a sign of life; the socket does so by itself."""
        await self._send(socket_core.encode("heartbeat"))

    async def approve(
        self,
        dialog: LiveFrame | str,
        *,
        scope: Literal["once", "session"] = "once",
        pattern: str = "",
        updated_input: Mapping[str, Any] | None = None,
    ) -> None:
        """Allow a tool call; `dialog` is its frame or id, `pattern` the calls to allow in scope session."""
        message = socket_core.encode_approval(
            dialog, approved=True, scope=scope, pattern=pattern, updated_input=updated_input
        )
        await self._send_answer(message, dialog, "tool_use_id")

    async def deny(self, dialog: LiveFrame | str, message: str = "") -> None:
        """Refuse a tool call; the agent reads the message."""
        await self._send_answer(
            socket_core.encode_approval(dialog, approved=False, message=message), dialog, "tool_use_id"
        )

    async def answer(self, dialog: LiveFrame | str, answers: Mapping[str, str] | Sequence[str] | str) -> None:
        """Answer questions by header or text, or in their order: a number, label or text each."""
        await self._send_answer(socket_core.encode_answers(dialog, answers), dialog, "question_id")

    async def request_upload(self, *, request_id: str, filename: str, content_type: str, size: int) -> None:
        """Ask for the address of an upload: a frame `upload_url` answers."""
        fields = {"request_id": request_id, "filename": filename, "content_type": content_type, "size": size}
        await self._send(socket_core.encode("upload_request", fields))

    async def notify_upload_complete(self, *, request_id: str, filename: str, path: str) -> None:
        """Report that the whole file is sent: a frame `system` with subtype file_uploaded answers."""
        fields = {"request_id": request_id, "filename": filename, "path": path}
        await self._send(socket_core.encode("upload_complete", fields))

    async def request_download(self, *, request_id: str, path: str) -> None:
        """Ask for the address of a file: a frame `download_url` answers."""
        await self._send(socket_core.encode("download_request", {"request_id": request_id, "path": path}))

    # -- files -----------------------------------------------------------------------------------------------------

    async def upload_file(
        self, source: FileSource, name: str = "", *, content_type: str = "", on_progress: Progress | None = None
    ) -> str:
        """Send a file to the session; return its path there. Raise ClientError."""
        request_id = uuid.uuid4().hex
        with transfer.open_source(source, name, content_type) as outgoing:
            target = await self._request(
                request_id,
                self.request_upload(
                    request_id=request_id,
                    filename=outgoing.name,
                    content_type=outgoing.content_type,
                    size=outgoing.size,
                ),
            )
            url, path = socket_core.read_field(target, "url"), socket_core.read_field(target, "target_path")
            await self._source.run_flow(transfer.send_file(self._source.core, url, outgoing, on_progress))
            await self._request(
                request_id,
                self.notify_upload_complete(request_id=request_id, filename=outgoing.name, path=path),
            )
        return path

    async def download_file(self, path: str, *, on_progress: Progress | None = None) -> bytes:
        """Return a file of the session. Raise ClientError."""
        request_id = uuid.uuid4().hex
        target = await self._request(request_id, self.request_download(request_id=request_id, path=path))
        url = socket_core.read_field(target, "url")
        return await self._source.run_flow(transfer.download_from_url(self._source.core, url, on_progress=on_progress))

    async def _request(self, request_id: str, sending: Coroutine[Any, Any, None]) -> LiveFrame:
        """Send a request; return the frame that answers it. Raise TransferError for an error of the server."""
        waiting: asyncio.Future[LiveFrame] = asyncio.get_running_loop().create_future()
        self._replies[request_id] = waiting
        async with self._changed:
            self._changed.notify_all()  # the socket is read, however many frames wait
        try:
            await sending
            reply = await waiting
        finally:
            del self._replies[request_id]
        if reply.type == "error":
            raise TransferError(socket_core.read_field(reply, "message"))
        return reply


def _find_request(frame: LiveFrame) -> str:
    try:
        return socket_core.read_field(frame, "request_id")
    except ValueError:
        return ""


def _add_query(url: str, name: str, value: str) -> str:
    if not value:
        return url
    parts = urlsplit(url)
    pairs = [(key, each) for key, each in parse_qsl(parts.query, keep_blank_values=True) if key != name]
    return urlunsplit(parts._replace(query=urlencode([*pairs, (name, value)], quote_via=quote)))
