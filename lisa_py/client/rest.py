"""Clients of the sessions API, blocking and with awaits; both run the same flows."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from lisa_py.client import calls, transfer
from lisa_py.client.calls import ApiCall, Family
from lisa_py.client.discovery import KeyScope, LocalServer
from lisa_py.client.flow import ClientCore, Flow, SessionPages, parse_place
from lisa_py.client.retry import Retry
from lisa_py.client.runners import DEFAULT_TIMEOUT, AsyncRunner, SyncRunner
from lisa_py.client.socket_core import SocketHandlers, SocketOptions
from lisa_py.client.sockets import AsyncSessionSocket, SocketAddress
from lisa_py.client.sync_socket import SessionSocket
from lisa_py.contract.session_object import SessionObject

P = ParamSpec("P")
T = TypeVar("T")


class _Method(Generic[P, T]):
    """A method that runs a flow: it returns the answer, or of an AsyncSessionsClient an awaitable of it."""

    def __init__(self, build: Callable[Concatenate[ClientCore, P], Flow[T]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: SessionsClient, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncSessionsClient, owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(
        self, client: SessionsClient | AsyncSessionsClient | None, owner: type
    ) -> Self | Callable[P, T] | Callable[P, Awaitable[T]]:
        if client is None:
            return self

        @functools.wraps(self.build)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.run(self.build(client.core, *args, **kwargs))

        return method


def _flow(describe: Callable[P, ApiCall[T]]) -> Callable[Concatenate[ClientCore, P], Flow[T]]:
    """Return the flow that makes a described call."""

    @functools.wraps(describe)
    def build(core: ClientCore, /, *args: P.args, **kwargs: P.kwargs) -> Flow[T]:
        return core.perform(describe(*args, **kwargs))

    return build


class ClientBase:
    """Settings and calls of a client; see SessionsClient."""

    register = _Method(_flow(calls.register))
    deregister = _Method(_flow(calls.deregister))
    list_sessions = _Method(_flow(calls.list_sessions))
    create_session = _Method(_flow(calls.create_session))
    start_session = _Method(_flow(calls.start_session))
    get_session = _Method(_flow(calls.get_session))
    terminate_session = _Method(_flow(calls.terminate_session))
    delete_session_record = _Method(_flow(calls.delete_session_record))
    get_history = _Method(_flow(calls.get_history))
    fork_preflight = _Method(_flow(calls.fork_preflight))
    fork_session = _Method(_flow(calls.fork_session))
    get_credential_status = _Method(_flow(calls.get_credential_status))
    store_api_key = _Method(_flow(calls.store_api_key))
    delete_credentials = _Method(_flow(calls.delete_credentials))
    start_oauth = _Method(_flow(calls.start_oauth))
    poll_oauth_url = _Method(_flow(calls.poll_oauth_url))
    submit_oauth_code = _Method(_flow(calls.submit_oauth_code))
    get_credentials = _Method(_flow(calls.get_credentials))
    store_provider_credential = _Method(_flow(calls.store_provider_credential))
    delete_provider_credential = _Method(_flow(calls.delete_provider_credential))
    list_profiles = _Method(_flow(calls.list_profiles))
    create_profile = _Method(_flow(calls.create_profile))
    get_profile = _Method(_flow(calls.get_profile))
    update_profile = _Method(_flow(calls.update_profile))
    delete_profile = _Method(_flow(calls.delete_profile))
    set_default_profile = _Method(_flow(calls.set_default_profile))
    capture_profile = _Method(_flow(calls.capture_profile))
    request_upload_url = _Method(_flow(calls.request_upload_url))
    notify_upload_complete = _Method(_flow(calls.notify_upload_complete))
    request_download_url = _Method(_flow(calls.request_download_url))
    list_usage_identities = _Method(_flow(calls.list_usage_identities))
    get_usage = _Method(_flow(calls.get_usage))
    run_command = _Method(_flow(calls.run_command))
    upload_file = _Method(transfer.upload_file)
    download_file = _Method(transfer.download_file)
    download_from_url = _Method(transfer.download_from_url)
    save_file = _Method(transfer.save_file)
    get_websocket_url = _Method(transfer.get_websocket_url)

    def __init__(
        self,
        base_url: str,
        *,
        token: str = "",
        api_key: str = "",
        oid: str = "",
        uid: str = "",
        timeout: float | None = DEFAULT_TIMEOUT,
        retry: Retry | None = None,
    ) -> None:
        if token and api_key:
            raise ValueError("give a token or an api_key, not both")
        place = parse_place(base_url)
        self._begin(
            ClientCore(
                lambda: place, token=token, find_api_key=lambda: api_key, oid=oid, uid=uid, retry=retry or Retry()
            ),
            timeout,
        )

    def _begin(self, core: ClientCore, timeout: float | None) -> None:
        self.core = core
        self.timeout = timeout

    @classmethod
    def local(
        cls,
        *,
        scope: KeyScope = "control",
        state_dir: str = "",
        oid: str = "",
        timeout: float | None = DEFAULT_TIMEOUT,
        retry: Retry | None = None,
    ) -> Self:
        """Return a client of the server that runs on this machine. Raise ServerNotRunningError.

        Address and key are found in lisa's state folder, again after each restart of the server. A client of scope
        read can only read.
        """
        server = LocalServer(state_dir, scope)
        core = ClientCore(server.find_place, find_api_key=server.read_key, oid=oid, retry=retry or Retry())
        client = cls.__new__(cls)
        client._begin(core, timeout)
        return client


class SessionsClient(ClientBase):
    """Client of the sessions API whose methods block; threads may share it.

    `base_url` is `http://HOST:PORT` or `unix:/PATH`. With an `api_key` it gets tokens by itself and renews them before
    they end; a `token` is used as it is. `oid` selects a project. `timeout` holds for each step of a call (connect,
    send, wait for the next bytes), `retry` for calls that failed.
    """

    def _begin(self, core: ClientCore, timeout: float | None) -> None:
        super()._begin(core, timeout)
        self._runner = SyncRunner(core, timeout)

    def run(self, flow: Flow[T]) -> T:
        """Return the answer of a flow. Raise ClientError."""
        return self._runner.run(flow)

    def iter_sessions(
        self, *, status: str | None = None, page_size: int | None = None, family: Family = "user"
    ) -> Iterator[SessionObject]:
        """Yield all sessions, newest first; pages are read as they are needed."""
        pages = SessionPages(status=status, page_size=page_size, family=family)
        while (call := pages.next_call()) is not None:
            yield from pages.take(self.run(self.core.perform(call)))

    def open_socket(
        self,
        session_id: str,
        handlers: SocketHandlers | None = None,
        options: SocketOptions | None = None,
        *,
        since: str = "",
        family: Family = "user",
    ) -> SessionSocket:
        """Return the socket of a session; it connects when it is entered, read or connected."""
        return SessionSocket(_SyncSource(self, session_id, family), handlers, options, since=since)

    def close(self) -> None:
        """Close the connections."""
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncSessionsClient(ClientBase):
    """Client of the sessions API whose methods are awaited; otherwise as SessionsClient."""

    def _begin(self, core: ClientCore, timeout: float | None) -> None:
        super()._begin(core, timeout)
        self._runner = AsyncRunner(core, timeout)

    async def run(self, flow: Flow[T]) -> T:
        """Return the answer of a flow. Raise ClientError."""
        return await self._runner.run(flow)

    async def iter_sessions(
        self, *, status: str | None = None, page_size: int | None = None, family: Family = "user"
    ) -> AsyncIterator[SessionObject]:
        """Yield all sessions, newest first; pages are read as they are needed."""
        pages = SessionPages(status=status, page_size=page_size, family=family)
        while (call := pages.next_call()) is not None:
            for session in pages.take(await self.run(self.core.perform(call))):
                yield session

    def open_socket(
        self,
        session_id: str,
        handlers: SocketHandlers | None = None,
        options: SocketOptions | None = None,
        *,
        since: str = "",
        family: Family = "user",
    ) -> AsyncSessionSocket:
        """Return the socket of a session; it connects when it is entered, read or connected."""
        return AsyncSessionSocket(_AsyncSource(self, session_id, family), handlers, options, since=since)

    async def close(self) -> None:
        """Close the connections."""
        await self._runner.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


# -- sockets of a client -------------------------------------------------------------------------------------------


class _AsyncSource:
    """A session of an AsyncSessionsClient."""

    def __init__(self, client: AsyncSessionsClient, session_id: str, family: Family) -> None:
        self.core = client.core
        self._client = client
        self._path = transfer.socket_path(session_id, family)
        self._token = ""

    async def find_address(self) -> SocketAddress:
        self._token = await self.run_flow(self.core.provide_token())
        place = self.core.place
        return SocketAddress(
            url=place.socket_url + self._path,
            headers={"Authorization": f"Bearer {self._token}"} if self._token else {},
            path=place.socket,
            is_local=place.is_local,
        )

    def refuse_token(self) -> None:
        self.core.drop_token(self._token)

    async def run_flow(self, flow: Flow[T]) -> T:
        return await self._client.run(flow)


class _SyncSource(_AsyncSource):
    """A session of a SessionsClient, whose calls run in threads."""

    def __init__(self, client: SessionsClient, session_id: str, family: Family) -> None:
        self.core = client.core
        self._blocking = client
        self._path = transfer.socket_path(session_id, family)
        self._token = ""

    async def run_flow(self, flow: Flow[T]) -> T:
        return await asyncio.to_thread(self._blocking.run, flow)
