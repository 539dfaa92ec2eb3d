"""One server for a module, and the client in both forms."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from lisa_py.client import AsyncSessionsClient, SessionsClient
from tests.lisa_host import LisaHost
from tests.server_kit import RunningServer, serving


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """Yield a server on a free port whose sessions are of the scripted agent."""
    machine = LisaHost()
    try:
        with serving(machine, "--agent", "scripted") as running:
            running.register()
            yield running
    finally:
        machine.close()


class AwaitingClient:
    """An AsyncSessionsClient whose methods are awaited in a loop of its own."""

    def __init__(self, *words: Any, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.inner = AsyncSessionsClient(*words, **options)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return functools.partial(self._run, found) if callable(found) else found

    def _run(self, method: Any, *words: Any, **options: Any) -> Any:
        outcome = method(*words, **options)
        if hasattr(outcome, "__aiter__"):
            return self.loop.run_until_complete(_collect(outcome))
        return self.loop.run_until_complete(outcome) if inspect.isawaitable(outcome) else outcome

    def close(self) -> None:
        self.loop.run_until_complete(self.inner.close())
        self.loop.close()


async def _collect(items: Any) -> list[Any]:
    return [each async for each in items]


@pytest.fixture(params=[SessionsClient, AwaitingClient], ids=["blocking", "awaiting"], scope="module")
def client(request: pytest.FixtureRequest, server: RunningServer) -> Iterator[Any]:
    made = request.param(server.url, api_key=server.key, oid=server.project_id)
    try:
        yield made
    finally:
        made.close()
