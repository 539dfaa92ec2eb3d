"""Run flows over HTTP, with blocking calls or with awaits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import httpx

from lisa_py.client.flow import ClientCore, Flow, Outcome, Pause, Send, ServerPlace
from lisa_py.client.retry import Failure, HttpReply

T = TypeVar("T")
C = TypeVar("C")
DEFAULT_TIMEOUT = 30.0


class _Connections(Generic[C]):
    """The connections of one client, by the place of the server."""

    def __init__(
        self,
        core: ClientCore,
        timeout: float | None,
        make: Callable[..., C],
        make_transport: Callable[..., httpx.BaseTransport | httpx.AsyncBaseTransport],
    ) -> None:
        self._core = core
        self._timeout = httpx.Timeout(timeout)
        self._make = make
        self._make_transport = make_transport
        self._clients: dict[ServerPlace, C] = {}

    def find(self) -> C:
        """Return the connections to the present place."""
        place = self._core.place
        if place not in self._clients:
            self._clients[place] = self._make(
                base_url=place.url,
                timeout=self._timeout,
                transport=self._make_transport(uds=place.socket) if place.socket else None,
                trust_env=not place.is_local,
            )
        return self._clients[place]

    def take_all(self) -> Iterator[C]:
        """Yield and forget the connections to all places."""
        while self._clients:
            yield self._clients.popitem()[1]


class SyncRunner:
    """Runs the flows of one client in the thread that calls."""

    def __init__(self, core: ClientCore, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        self._connections = _Connections(core, timeout, httpx.Client, httpx.HTTPTransport)

    def run(self, flow: Flow[T]) -> T:
        """Return the answer of a flow. Raise ClientError."""
        outcome: Outcome = None
        try:
            while True:
                step = flow.send(outcome)
                outcome = None
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                else:
                    outcome = self._send(step)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            flow.close()

    def _send(self, request: Send) -> Outcome:
        try:
            with self._connections.find().stream(
                request.method, request.path, headers=request.headers, content=request.content
            ) as response:
                if request.sink is None or response.is_error:
                    response.read()
                else:
                    for part in response.iter_bytes():
                        request.sink(part, _read_length(response))
                return _build_reply(response, has_body=request.sink is None or response.is_error)
        except httpx.TransportError as problem:
            return _name_failure(problem)

    def close(self) -> None:
        """Close the connections."""
        for client in self._connections.take_all():
            client.close()


class AsyncRunner:
    """Runs the flows of one client in the event loop that awaits."""

    def __init__(self, core: ClientCore, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        self._connections = _Connections(core, timeout, httpx.AsyncClient, httpx.AsyncHTTPTransport)

    async def run(self, flow: Flow[T]) -> T:
        """Return the answer of a flow. Raise ClientError."""
        outcome: Outcome = None
        try:
            while True:
                step = flow.send(outcome)
                outcome = None
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                else:
                    outcome = await self._send(step)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            flow.close()

    async def _send(self, request: Send) -> Outcome:
        content = request.content if isinstance(request.content, bytes) else _read_in_threads(request.content)
        try:
            async with self._connections.find().stream(
                request.method, request.path, headers=request.headers, content=content
            ) as response:
                if request.sink is None or response.is_error:
                    await response.aread()
                else:
                    async for part in response.aiter_bytes():
                        request.sink(part, _read_length(response))
                return _build_reply(response, has_body=request.sink is None or response.is_error)
        except httpx.TransportError as problem:
            return _name_failure(problem)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._connections.take_all():
            await client.aclose()


async def _read_in_threads(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield the parts of a file; each is read in a thread, so that the loop continues."""
    reading = iter(parts)
    while (part := await asyncio.to_thread(next, reading, None)) is not None:
        yield part


def _build_reply(response: httpx.Response, *, has_body: bool) -> HttpReply:
    headers: dict[str, Any] = dict(response.headers)
    return HttpReply(response.status_code, headers, response.content if has_body else b"")


def _name_failure(problem: httpx.TransportError) -> Failure:
    if isinstance(problem, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return Failure("unreachable", str(problem) or type(problem).__name__)
    is_late = isinstance(problem, httpx.TimeoutException)
    return Failure("timeout" if is_late else "lost", str(problem) or type(problem).__name__)


def _read_length(response: httpx.Response) -> int:
    text = response.headers.get("content-length", "")
    return int(text) if text.isdigit() else 0
