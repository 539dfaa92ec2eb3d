"""The socket of a session with blocking calls: an AsyncSessionSocket in its own thread."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from lisa_py.client.errors import SocketClosedError
from lisa_py.client.socket_core import ConnectionState, SocketHandlers, SocketOptions
from lisa_py.client.sockets import AsyncSessionSocket, SocketSource
from lisa_py.contract.live import LiveFrame

P = ParamSpec("P")
T = TypeVar("T")
CLOSE_SECONDS = 5.0


class _Blocking(Generic[P, T]):
    """A method that runs one of AsyncSessionSocket in the thread and returns its answer."""

    def __init__(self, method: Callable[Concatenate[AsyncSessionSocket, P], Coroutine[Any, Any, T]]) -> None:
        self.method = method
        self.__doc__ = method.__doc__

    @overload
    def __get__(self, socket: None, owner: type) -> Self: ...
    @overload
    def __get__(self, socket: SessionSocket, owner: type) -> Callable[P, T]: ...
    def __get__(self, socket: SessionSocket | None, owner: type) -> Self | Callable[P, T]:
        if socket is None:
            return self

        @functools.wraps(self.method)
        def blocking(*args: P.args, **kwargs: P.kwargs) -> T:
            return socket.call(self.method(socket.inner, *args, **kwargs))

        return blocking


class SessionSocket:
    """A connection to one session that survives restarts of the server; see AsyncSessionSocket.

    `for frame in socket` yields each frame once and in order; `run` calls handlers instead, in the thread that calls
    it. Every thread may send.
    """

    def __init__(
        self,
        source: SocketSource | str,
        handlers: SocketHandlers | None = None,
        options: SocketOptions | None = None,
        *,
        since: str = "",
    ) -> None:
        self._handlers = handlers or SocketHandlers()
        self.inner = AsyncSessionSocket(source, options=options, since=since)
        """The socket in the thread."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    # -- the thread ------------------------------------------------------------------------------------------------

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the answer of a coroutine that runs in the thread. Raise SocketClosedError without a thread."""
        with self._lock:
            loop = self._loop
            running = asyncio.run_coroutine_threadsafe(work, loop) if loop is not None else None
        if running is None:
            work.close()
            raise SocketClosedError(f"the socket is {self.state}")
        try:
            return running.result()
        except BaseException:
            running.cancel()
            raise

    def _start(self) -> None:
        with self._lock:
            if self._loop is None and self._thread is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._serve, args=(self._loop,), name="lisa-socket", daemon=True)
                self._thread.start()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_forever()
        loop.run_until_complete(_end_tasks())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    def _stop(self) -> None:
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    # -- connection ------------------------------------------------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """Return connecting, connected, reconnecting or disconnected."""
        return self.inner.state

    @property
    def cursor(self) -> str:
        """Return the position after the newest frame that has arrived, for `since` of a later socket."""
        return self.inner.cursor

    @property
    def reset(self) -> str:
        """Return the reason why the server started from the beginning instead of at the cursor; empty if it did not."""
        return self.inner.reset

    @property
    def has_ended(self) -> bool:
        """Return True if the session has ended."""
        return self.inner.has_ended

    def connect(self) -> Self:
        """Connect; frames are read from now on. Raise ClientError if the server refuses or is not there."""
        self._start()
        if self._loop is not None:
            self.call(self.inner.connect())
        return self

    def disconnect(self) -> None:
        """Leave the session, which continues. What was sent before arrives.

        Raise SocketClosedError if prompts that wait for a connection could not be sent in time.
        """
        if self._loop is None:
            return
        try:
            self.call(self.inner.disconnect())
        finally:
            self._stop()

    def __enter__(self) -> Self:
        return self.connect()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.disconnect()
        except SocketClosedError:
            if problem is None:
                raise

    # -- reading ---------------------------------------------------------------------------------------------------

    def _read_item(self) -> LiveFrame | ConnectionState | None:
        if self._loop is not None:
            try:
                return self.call(self.inner.read_item())
            except SocketClosedError:
                if self._loop is not None:
                    raise
        return self.inner.pop_item()  # another thread has disconnected

    def __iter__(self) -> Iterator[LiveFrame]:
        self.connect()
        while (item := self._read_item()) is not None:
            if isinstance(item, LiveFrame):
                yield item

    def run(self, handlers: SocketHandlers | None = None) -> None:
        """Call the handlers until the session ends or the socket is disconnected. Raise ClientError for a failure."""
        self.connect()
        while (item := self._read_item()) is not None:
            for handler in (handlers or self._handlers).choose(item):
                outcome = handler()
                if inspect.iscoroutine(outcome):
                    outcome.close()
                    raise TypeError("the handlers of a SessionSocket are plain functions; AsyncSessionSocket awaits")

    # -- sending ---------------------------------------------------------------------------------------------------

    send_prompt = _Blocking(AsyncSessionSocket.send_prompt)
    send_interrupt = _Blocking(AsyncSessionSocket.send_interrupt)
    send_heartbeat = _Blocking(AsyncSessionSocket.send_heartbeat)
    approve = _Blocking(AsyncSessionSocket.approve)
    deny = _Blocking(AsyncSessionSocket.deny)
    answer = _Blocking(AsyncSessionSocket.answer)
    request_upload = _Blocking(AsyncSessionSocket.request_upload)
    notify_upload_complete = _Blocking(AsyncSessionSocket.notify_upload_complete)
    request_download = _Blocking(AsyncSessionSocket.request_download)
    upload_file = _Blocking(AsyncSessionSocket.upload_file)
    download_file = _Blocking(AsyncSessionSocket.download_file)


async def _end_tasks() -> None:
    """Let the tasks of other threads end: a reader gets what has arrived."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        _, open_tasks = await asyncio.wait(others, timeout=CLOSE_SECONDS / 2)
        for task in open_tasks:
            task.cancel()
