"""Errors of the client; those of the server carry its code, text and HTTP status."""

from __future__ import annotations

from typing import Any

import msgspec


class ClientError(Exception):
    """A failure of the client or of the server."""


class ServerUnreachableError(ClientError, ConnectionError):
    """No connection was made; nothing was sent."""


class ConnectionLostError(ClientError, ConnectionError):
    """The connection ended before the answer; the server may have done the call."""


class RequestTimeoutError(ClientError, TimeoutError):
    """The server did not answer in time; it may have done the call."""


class InvalidAnswerError(ClientError, ValueError):
    """The server answered something else than the API describes."""


class ServerNotRunningError(ClientError):
    """No server runs on this machine for this user."""


class SocketClosedError(ClientError, ConnectionError):
    """The socket is closed and is not connected again."""

    def __init__(self, message: str, *, code: int = 1006) -> None:
        super().__init__(message)
        self.code = code
        """Close code; 1006 for an end without one."""


class TransferError(ClientError):
    """A file was not transferred."""


class APIError(ClientError):
    """The server refused the call."""

    def __init__(
        self, error: str, message: str, *, status: int, details: Any = None, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{message} ({error}, status {status})")
        self.error = error
        """The code: not_found, max_sessions_reached, ..."""
        self.message = message
        self.status = status
        self.details = details
        """Further facts as the server gave them; None if it gave none."""
        self.retry_after = retry_after
        """Seconds that the server asks to wait; None if it does not ask."""


class AuthenticationError(APIError):
    """401: the token or key is missing, wrong or expired."""


class ForbiddenError(APIError):
    """403: the caller may not do this, is not registered, or has no credentials."""


class NotFoundError(APIError):
    """404: no such session, profile, identity or route."""


class ConflictError(APIError):
    """409: the state of the session or the number of sessions does not allow it."""


class InvalidFieldsError(APIError):
    """422: fields have a wrong type or range; `details` names them."""


class RateLimitError(APIError):
    """429: too many calls; `retry_after` has the seconds to wait."""


_BY_STATUS: dict[int, type[APIError]] = {
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidFieldsError,
    429: RateLimitError,
}


def build_error(status: int, body: bytes, *, retry_after: float | None = None) -> APIError:
    """Return the error of an answer; its text is the body where that is no object of the API."""
    try:
        given = msgspec.json.decode(body)
    except msgspec.DecodeError:
        given = None
    document = given if isinstance(given, dict) else {}
    text = document.get("message") or body.decode("utf-8", "replace").strip() or f"the server answered {status}"
    return _BY_STATUS.get(status, APIError)(
        str(document.get("error") or "unknown"),
        str(text),
        status=status,
        details=document.get("details"),
        retry_after=retry_after,
    )
