"""Many clients of WebSockets in one loop, in its own thread."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any, Self

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.server_kit import CONVERSATION, RunningServer


class Listeners:
    """Clients of the read-only sockets of sessions, one for each identity."""

    def __init__(self, server: RunningServer, identities: list[str]) -> None:
        self._server = server
        self._identities = identities
        self.texts: list[list[str]] = [[] for _ in identities]
        self.close_codes: list[int | None] = [None for _ in identities]
        """Close code of each client; None while it is connected."""
        self._ready = threading.Semaphore(0)
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)

    def __enter__(self) -> Self:
        """Connect; return once each has its history and the status of its session."""
        self._thread.start()
        for _ in range(self.expected):
            assert self._ready.acquire(timeout=60)
        return self

    def __exit__(self, *problem: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)
        self._loop.close()

    @property
    def expected(self) -> int:
        """Return the number of clients."""
        return len(self._identities)

    async def _run(self) -> None:
        tasks = [asyncio.create_task(each) for each in self.make_clients()]
        await self._end.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def make_clients(self) -> list[Any]:
        """Return the coroutines of all clients."""
        return [self._read(number) for number in range(len(self._identities))]

    def open_socket(self, identity: str, **options: Any) -> connect:
        headers = {"Authorization": f"Bearer {self._server.key}"}
        address = f"ws://127.0.0.1:{self._server.port}/v1/ws/org/sessions/{identity}"
        return connect(
            address, additional_headers=headers, proxy=None, compression=None, max_size=None, open_timeout=60, **options
        )

    def note_ready(self) -> None:
        self._ready.release()

    async def _read(self, number: int) -> None:
        async with self.open_socket(self._identities[number]) as connection:
            is_ready = False
            try:
                while True:
                    text = str(await connection.recv())
                    self.take(number, text)
                    if not is_ready and '"session_status"' in text:
                        is_ready = True
                        self.note_ready()
            except ConnectionClosed as closed:
                self.close_codes[number] = closed.rcvd.code if closed.rcvd is not None else 1006

    def take(self, number: int, text: str) -> None:
        """Keep a frame of a client."""
        self.texts[number].append(text)

    def has_all(self, word: str) -> bool:
        """Return True if every client has a frame with this text."""
        return all(any(word in text for text in texts) for texts in self.texts)

    def count(self, word: str) -> set[int]:
        """Return how many frames with this text a client has; one number if they agree."""
        return {sum(word in text for text in texts) for texts in self.texts}

    def list_cursors(self) -> set[tuple[str, ...]]:
        """Return the cursors of the conversation that each client has; one tuple if they agree."""
        return {tuple(_list_cursors(texts)) for texts in self.texts}


def _list_cursors(texts: list[str]) -> list[str]:
    frames = [json.loads(text) for text in texts]
    shown = [
        each for frame in frames for each in (frame["payload"]["messages"] if frame["type"] == "history" else [frame])
    ]
    return [frame["cursor"] for frame in shown if frame["type"] in CONVERSATION]
