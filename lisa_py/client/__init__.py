"""Client of the sessions API that `lisa serve` offers, blocking and with awaits (extra `client`).

Tests: tests/client.
"""

from __future__ import annotations

try:
    import httpx as _httpx  # noqa: F401
    import websockets as _websockets  # noqa: F401
except ModuleNotFoundError as problem:
    raise ModuleNotFoundError(
        f"lisa_py.client needs {problem.name}; install it with: pip install 'lisa-py[client]'", name=problem.name
    ) from None

from lisa_py.client.decoding import OtherFrame, read_extra
from lisa_py.client.errors import (
    APIError,
    AuthenticationError,
    ClientError,
    ConflictError,
    ConnectionLostError,
    ForbiddenError,
    InvalidAnswerError,
    InvalidFieldsError,
    NotFoundError,
    RateLimitError,
    RequestTimeoutError,
    ServerNotRunningError,
    ServerUnreachableError,
    SocketClosedError,
    TransferError,
)
from lisa_py.client.rest import AsyncSessionsClient, SessionsClient
from lisa_py.client.retry import NO_RETRY, Retry
from lisa_py.client.socket_core import ConnectionState, SocketHandlers, SocketOptions
from lisa_py.client.sockets import AsyncSessionSocket
from lisa_py.client.sync_socket import SessionSocket

__all__ = [
    "NO_RETRY",
    "APIError",
    "AsyncSessionSocket",
    "AsyncSessionsClient",
    "AuthenticationError",
    "ClientError",
    "ConflictError",
    "ConnectionLostError",
    "ConnectionState",
    "ForbiddenError",
    "InvalidAnswerError",
    "InvalidFieldsError",
    "NotFoundError",
    "OtherFrame",
    "RateLimitError",
    "RequestTimeoutError",
    "Retry",
    "ServerNotRunningError",
    "ServerUnreachableError",
    "SessionSocket",
    "SessionsClient",
    "SocketClosedError",
    "SocketHandlers",
    "SocketOptions",
    "TransferError",
    "read_extra",
]
