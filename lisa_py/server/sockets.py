"""Serve WebSockets: the recorded frames, then every further one; messages of the client become input of the session."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import anyio
import msgspec
from starlette.types import Message, Receive, Scope, Send

from lisa_py import crash_report
from lisa_py.contract.errors import LisaError
from lisa_py.contract.live import HistoryFrame, NoticeFrame, NoticePayload, TransferPayload
from lisa_py.core.live import attach
from lisa_py.core.live.broadcast import FeedBroadcast, PublishedFrame, Subscription
from lisa_py.core.live.shared_sessions import SharedSessions
from lisa_py.host import limits
from lisa_py.host.clock import format_rfc3339
from lisa_py.server import client_messages, failures, gate, socket_files, socket_tickets, tokens
from lisa_py.server.client_input import ClientInput
from lisa_py.server.client_messages import FileMessage, Heartbeat
from lisa_py.server.options import FileNotice, ServerState
from lisa_py.server.socket_files import NoticeKind
from lisa_py.server.socket_tickets import SocketRequest, SocketTicket
from lisa_py.store import session_records
from lisa_py.store.paths import SessionRef
from lisa_py.terminal import frame_lines

T = TypeVar("T")
MESSAGES_PER_SECOND = 100
REST_BYTES = 1 << 20
"""Recorded frames after a cursor that are read at once after the first 4 MiB."""
SLOW_READER, TOKEN_EXPIRED, NORMAL = 1013, 4001, 1000
CLOSE_BY_END = {
    "session_ended": (NORMAL, "the session has ended"),
    "slow_reader": (SLOW_READER, "the frames were read too slowly; connect again with ?since=CURSOR"),
    "session_not_found": (4004, "the session was deleted"),
}
"""Close code and reason by the end of a subscription."""


class SocketFace:
    """All WebSockets of a server."""

    def __init__(self, server: ServerState, limiter: anyio.CapacityLimiter) -> None:
        self.server = server
        self.sessions = SharedSessions(lambda: server.make_context(cancellation=server.sending))
        self._limiter = limiter
        self._connections: set[SocketConnection] = set()

    def announce_file(self, ref: SessionRef, notice: FileNotice) -> None:
        """Notify all clients of a session that a file has arrived; called by a thread."""
        shown = NoticePayload(subtype="file_uploaded", message=f"uploaded {notice.path}", path=notice.path)
        named = msgspec.structs.replace(shown, request_id=notice.request_id)
        for connection in list(self._connections):
            if connection.ref == ref:
                connection.announce(named if connection is notice.client else shown)

    async def run(self, call: Callable[..., T], *words: Any) -> T:
        """Call a function of core in a thread."""
        return await anyio.to_thread.run_sync(functools.partial(call, *words), limiter=self._limiter)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection until its end. Raise LisaError, before the handshake, for a refusal with a status."""
        request = socket_tickets.read_request(scope["path"], gate.read_headers(scope), scope["query_string"])
        try:
            opened = await self.run(_open, self, request)
        except LisaError as problem:
            if request.carrier == "header":
                raise
            await _refuse_late(receive, send, request, problem)
            return
        except Exception as problem:
            known = limits.find_shortage(problem) or crash_report.write_crash_report(problem, ["GET", "websocket"])
            self.server.log(f"websocket: {known.message}")
            raise known from problem
        connection = SocketConnection(self, scope, receive, send, request, opened)
        self._connections.add(connection)
        try:
            await connection.serve()
        except OSError:  # the client has left
            pass
        finally:
            self._connections.discard(connection)
            await self.run(opened.close)


class SocketSubscription:
    """A ticket with its subscription."""

    def __init__(self, sessions: SharedSessions, ticket: SocketTicket, since: str) -> None:
        """Raise LisaError: session_not_found, invalid_cursor; TmuxUnavailable."""
        self.ticket = ticket
        self._since = since
        self._rest: Iterator[PublishedFrame] = iter(())
        self._wake: Callable[[], None] = lambda: None
        self.feed: FeedBroadcast = sessions.join(ticket.ref, ticket.id)
        with contextlib.ExitStack() as opened:
            opened.callback(sessions.leave, ticket.id, self.feed)
            self.subscription: Subscription = self.feed.subscribe(since, on_change=lambda: self._wake())
            opened.callback(self.subscription.close)
            if ticket.may_send and not ticket.ref.archive:
                opened.enter_context(session_records.attend(ticket.ref))
            self._opened = opened.pop_all()

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Call a function when there is something to read."""
        self._wake = wake

    def has_ended(self) -> bool:
        """Return True if no further frame comes but those that are recorded."""
        return bool(self.ticket.ref.archive) or self.feed.end_reason == "session_ended"

    def close(self) -> None:
        self._wake = lambda: None
        self._opened.close()

    def encode_history(self) -> bytes:
        """Return the first frame. Raise LisaError: session_not_found, archive_unreadable; TmuxUnavailable."""
        recorded = self.subscription.recorded
        published = (each for each in recorded if attach.is_message(each.frame))
        first = list(itertools.islice(published, 1))
        sized = ((each, len(each.encoded)) for each in itertools.chain(first, published))
        if self._since:  # nothing behind the cursor is left out: the rest follows the first frame
            kept, dropped = attach.take_size(sized), 0
            self._rest = published
        else:
            kept, dropped = attach.limit_size(sized)
        messages: Any = tuple(msgspec.Raw(each.encoded) for each in kept)
        return msgspec.json.encode(
            HistoryFrame(
                payload=attach.build_payload(
                    messages,
                    dropped=dropped,
                    omitted=recorded.count_omitted(first[0].frame.cursor) if first else 0,
                    is_omitted=recorded.omitted_bytes > 0,
                    reset=recorded.reset,
                ),
                timestamp=kept[-1].frame.timestamp if kept else format_rfc3339(time.time(), fraction=True),
                session_id=self.ticket.id,
                cursor=kept[-1].frame.cursor if self._since and kept else recorded.cursor,
            )
        )

    def read_rest(self) -> tuple[PublishedFrame, ...]:
        """Return the next recorded frames that the first frame did not hold; none at their end."""
        sized = ((each, len(each.encoded)) for each in self._rest)
        return attach.take_size(sized, REST_BYTES)


def _open(face: SocketFace, request: SocketRequest) -> SocketSubscription:
    return SocketSubscription(face.sessions, socket_tickets.issue_ticket(face.server, request), request.since)


async def _refuse_late(receive: Receive, send: Send, request: SocketRequest, problem: LisaError) -> None:
    """Accept and close: a browser does not show the status of a refused handshake to its page."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": request.subprotocol})
    code = socket_tickets.CLOSE_CODES.get(problem.code)
    if code is None:
        is_client_error = failures.choose_status(problem) < 500
        code = socket_tickets.REFUSED_CLOSE if is_client_error else socket_tickets.INTERNAL_CLOSE
    await send({"type": "websocket.close", "code": code, "reason": _limit_reason(problem.message)})


def _limit_reason(text: str) -> str:
    """Return a reason that a close frame can hold."""
    return text.encode()[:120].decode("utf-8", "ignore")


class SocketConnection:
    """One accepted connection."""

    def __init__(
        self,
        face: SocketFace,
        scope: Scope,
        receive: Receive,
        send: Send,
        request: SocketRequest,
        opened: SocketSubscription,
    ) -> None:
        self._face = face
        self._protocol = scope.get("state", {}).get("connection")
        self._receive = receive
        self._send = send
        self._request = request
        self._opened = opened
        self.ref = opened.ticket.ref
        self._loop = asyncio.get_running_loop()
        self._notice: asyncio.Task[None] | None = None
        self._readable = asyncio.Event()
        self._is_closed = False
        self._second = 0
        self._messages = 0
        self._input = None
        if opened.ticket.may_send:
            self._input = ClientInput(face, opened.ticket, self.send_notice, opened.has_ended)
        opened.wake_by(self._wake)

    def _wake(self) -> None:
        """Let the sender look for frames; called by the follower's thread."""
        with contextlib.suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._note_change)

    def _note_change(self) -> None:
        self._readable.set()
        if self._opened.subscription.end_reason == "slow_reader":
            self._drop(*CLOSE_BY_END["slow_reader"])  # the sender waits for the peer

    async def serve(self) -> None:
        await self._receive()  # websocket.connect
        await self._send({"type": "websocket.accept", "subprotocol": self._request.subprotocol})
        sender = asyncio.create_task(self._send_frames())
        expiry = asyncio.create_task(self._await_expiry())
        try:
            while (message := await self._receive())["type"] != "websocket.disconnect":
                await self._take(message)
        finally:
            self._is_closed = True
            for task in (sender, expiry):
                task.cancel()
            await asyncio.gather(sender, expiry, return_exceptions=True)

    # -- to the client -------------------------------------------------------------------------------------------

    async def _send_frames(self) -> None:
        try:
            await self._send_text(await self._face.run(self._opened.encode_history))
            while rest := await self._face.run(self._opened.read_rest):
                for published in rest:
                    await self._send_text(published.encoded)
            for published in self._opened.subscription.present:
                self._note(published.frame)
                await self._send_text(published.encoded)
            reason = await self._send_live()
            code, text = CLOSE_BY_END.get(reason, (socket_tickets.INTERNAL_CLOSE, reason))
            await self.close(code, text)
        except LisaError as problem:
            code = socket_tickets.CLOSE_CODES.get(problem.code, socket_tickets.INTERNAL_CLOSE)
            if code == socket_tickets.INTERNAL_CLOSE:
                self._face.server.log(f"websocket: {problem.message}")
            await self.close(code, problem.message)
        except (OSError, RuntimeError):  # the client has left
            pass

    async def _send_live(self) -> str:
        """Send frames until the last one; return why there is none after it."""
        while True:
            self._readable.clear()
            while (published := self._opened.subscription.read(0)) is not None:
                self._note(published.frame)
                await self._send_text(published.encoded)
            if self._opened.subscription.end_reason and not self._readable.is_set():
                return self._opened.subscription.end_reason
            await self._readable.wait()

    def _note(self, frame: Any) -> None:
        if self._input is not None:
            self._input.see(frame_lines.read_message(frame))

    async def _send_text(self, encoded: bytes) -> None:
        await self._send({"type": "websocket.send", "text": encoded.decode()})
        self._opened.subscription.note_progress()

    async def send_notice(self, kind: NoticeKind, payload: NoticePayload | TransferPayload) -> None:
        """Send a frame that only this client gets."""
        if self._is_closed:
            return
        made = NoticeFrame(
            type=kind,
            payload=payload,
            timestamp=format_rfc3339(time.time(), fraction=True),
            session_id=self._opened.ticket.id,
        )
        with contextlib.suppress(OSError, RuntimeError):  # the client has left
            await self._send_text(msgspec.json.encode(made))

    async def close(self, code: int, reason: str) -> None:
        if not self._is_closed:
            self._is_closed = True
            await self._send({"type": "websocket.close", "code": code, "reason": _limit_reason(reason)})

    def _drop(self, code: int, reason: str) -> None:
        """Close without waiting for the peer."""
        self._is_closed = True
        if self._protocol is not None:
            self._protocol.drop(code, _limit_reason(reason))

    async def _await_expiry(self) -> None:
        """Close when the token is not valid any more."""
        while expires_at := self._opened.ticket.caller.expires_at:
            await asyncio.sleep(max(1.0, expires_at - time.time()))
            try:
                tokens.identify(self._face.server.keys, self._request.token)
            except LisaError:
                self._drop(TOKEN_EXPIRED, "the token has expired; POST /jwt gives a new one")
                return

    # -- from the client -----------------------------------------------------------------------------------------

    async def _take(self, message: Message) -> None:
        """Act on one message; report one that is refused."""
        self._count()
        raw = message.get("text") or message.get("bytes") or b""
        if self._messages > MESSAGES_PER_SECOND:
            text = f"over {MESSAGES_PER_SECOND} messages in a second; this one was not read"
            await self.send_notice("error", NoticePayload(code="rate_limited", message=text))
            return
        try:
            parsed = client_messages.parse_message(raw)
        except LisaError as problem:
            await self.send_notice("error", NoticePayload(code=problem.code, message=problem.message))
            return
        if isinstance(parsed, Heartbeat):
            return
        if self._input is None:
            text = "this connection only reads: use the socket of the owner with a token of scope control"
            await self.send_notice("error", NoticePayload(code="read_only", message=text))
            return
        if isinstance(parsed, FileMessage):
            await self._transfer(parsed)
        else:
            await self._input.take(parsed)

    async def _transfer(self, message: FileMessage) -> None:
        """Answer a request about a file; the address is a frame for this client."""
        try:
            found = await self._face.run(socket_files.answer, self._face.server, self.ref, message, self)
        except LisaError as problem:
            notice = NoticePayload(
                code="file_error", reason=problem.code, message=problem.message, request_id=message.request_id
            )
            await self.send_notice("error", notice)
            return
        if found is not None:
            await self.send_notice(*found)

    def announce(self, payload: NoticePayload) -> None:
        """Send a notice; called by any thread."""
        self._loop.call_soon_threadsafe(self._start_notice, payload)

    def _start_notice(self, payload: NoticePayload) -> None:
        self._notice = asyncio.ensure_future(self.send_notice("system", payload))

    def _count(self) -> None:
        second = int(self._loop.time())
        self._messages = self._messages + 1 if second == self._second else 1
        self._second = second
