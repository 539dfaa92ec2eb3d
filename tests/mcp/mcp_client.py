"""A client of `lisa mcp`, over the official SDK, for tests that do not run in an event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mcp import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.lisa_host import PROGRAM

T = TypeVar("T")
LIMIT_SECONDS = 60.0


class ToolReply:
    """The result of one call of a tool."""

    def __init__(self, found: Any) -> None:
        self.failed = bool(found.is_error)
        self.answer: dict[str, Any] = json.loads(found.content[0].text)
        assert self.failed or found.structured_content == self.answer

    def __repr__(self) -> str:
        return f"{'failed ' if self.failed else ''}{self.answer}"


class McpClient:
    """A running server and a session with it."""

    def __init__(self, env: Mapping[str, str], folder: Path, words: Sequence[str] = ("mcp",)) -> None:
        self._server = StdioServerParameters(
            command=PROGRAM[0], args=[*PROGRAM[1:], *words], env=dict(env), cwd=str(folder)
        )
        self._ready: concurrent.futures.Future[ClientSession] = concurrent.futures.Future()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        self.session = self._ready.result(LIMIT_SECONDS)

    async def _serve(self) -> None:
        try:
            async with stdio_client(self._server) as streams, ClientSession(*streams) as session:
                await session.initialize()
                self._ready.set_result(session)
                await self._stop.wait()
        except BaseException as problem:
            if not self._ready.done():
                self._ready.set_exception(problem)
            raise

    def run(self, action: Callable[[ClientSession], Awaitable[T]]) -> T:
        async def act() -> T:
            return await action(self.session)

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(LIMIT_SECONDS)

    def start(self, action: Callable[[ClientSession], Awaitable[T]]) -> concurrent.futures.Future[T]:
        """Begin a call; the future's `cancel` cancels it."""

        async def act() -> T:
            return await action(self.session)

        return asyncio.run_coroutine_threadsafe(act(), self._loop)

    def call(self, tool: str, **args: Any) -> ToolReply:
        return ToolReply(self.run(lambda session: session.call_tool(tool, args)))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(LIMIT_SECONDS)
        with contextlib.suppress(RuntimeError):
            self._loop.close()
