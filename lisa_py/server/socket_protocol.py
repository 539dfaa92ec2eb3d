"""WebSocket connections of uvicorn: limits of time and size, and an end that does not wait for a slow reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

PING_SECONDS = 20.0
SILENCE_SECONDS = 60.0
"""A peer that sends nothing so long, not even a pong, is gone."""
END_SECONDS = 5.0
"""Time for a peer to read the close frame."""
SILENT_PEER = 4101


class SocketProtocol(WebSocketsSansIOProtocol):
    """One connection. Everything that is received counts as a sign of life, pongs and heartbeats alike."""

    _received_at = 0.0

    def data_received(self, data: bytes) -> None:
        self._received_at = self.loop.time()
        if self.conn.parser_exc is None:
            super().data_received(data)

    async def run_asgi(self) -> None:
        self.scope["state"]["connection"] = self
        await super().run_asgi()

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message; a refusal that is sent whole completes the handshake (uvicorn 0.54 takes it for an abort)."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True

    def schedule_ping(self) -> None:
        """Send pings at an interval, whatever the peer answers."""
        if self.ping_timer is None:
            self.ping_timer = self.loop.call_later(PING_SECONDS, self._check_peer)

    def _check_peer(self) -> None:
        self.ping_timer = None
        if self.close_sent or self.transport.is_closing():
            return
        if self.loop.time() - self._received_at > SILENCE_SECONDS:
            self.drop(SILENT_PEER, f"nothing was received for {SILENCE_SECONDS:.0f} s")
            return
        self.conn.send_ping(b"lisa")
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.schedule_ping()

    def drop(self, code: int, reason: str) -> None:
        """Close the connection also if its peer does not read."""
        if self.close_sent or self.transport.is_closing():
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self._finish()

    def handle_parser_exception(self) -> None:
        """Send the close frame of a violated limit, and read on: a reset would destroy it on its way."""
        sent = self.conn.close_sent
        self.queue.put_nowait({"type": "websocket.disconnect", "code": sent.code if sent is not None else 1002})
        self._finish()

    def _finish(self) -> None:
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.writable.set()  # a sender that waits for the peer ends
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        if self.close_timer is None:  # the transport stays open for that time, see run_asgi
            self.close_timer = self.loop.call_later(END_SECONDS, self.transport.abort)
        self.transport.write_eof()
