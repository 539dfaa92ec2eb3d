"""The core of both clients: calls as generators that yield requests and pauses, and get their outcome.

A flow does no input or output itself: `rest.py` runs it with blocking calls or with awaits.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from lisa_py import __version__
from lisa_py.client import calls
from lisa_py.client.calls import ApiCall, Family
from lisa_py.client.errors import (
    AuthenticationError,
    ClientError,
    ConnectionLostError,
    InvalidAnswerError,
    RequestTimeoutError,
    ServerUnreachableError,
    build_error,
)
from lisa_py.client.retry import Failure, HttpReply, Retry, read_retry_after
from lisa_py.contract.client_answers import SessionsResult
from lisa_py.contract.session_object import SessionObject

T = TypeVar("T")
UNIX = "unix:"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
RENEWAL_SECONDS = 60.0
"""A token is renewed so long before its end, or at half of a shorter life."""


class Send(Struct, frozen=True, kw_only=True):
    """A request to make."""

    method: str
    path: str
    """With the query, below the server's address."""
    headers: Mapping[str, str] = {}
    content: bytes | Iterable[bytes] = b""
    sink: Callable[[bytes, int], None] | None = None
    """Takes each part of a successful answer, and the length of all; the reply then has no body."""


class Pause(Struct, frozen=True):
    """A time to wait."""

    seconds: float


Outcome = HttpReply | Failure | None
Flow = Generator[Send | Pause, Outcome, T]


class ServerPlace(Struct, frozen=True, kw_only=True):
    """The address of a server."""

    url: str
    """http://HOST:PORT; of a Unix socket http://localhost."""
    socket: str = ""
    """Path of a Unix socket."""

    @property
    def is_local(self) -> bool:
        """Return True if no proxy may be between: the server is on this machine."""
        return bool(self.socket) or urlsplit(self.url).hostname in LOOPBACK

    @property
    def socket_url(self) -> str:
        """Return the address of its WebSockets."""
        return "ws" + self.url.removeprefix("http")


def parse_place(base_url: str) -> ServerPlace:
    """Return the place of `http://...`, `https://...` or `unix:/path`. Raise ValueError."""
    if base_url.startswith(UNIX):
        path = base_url.removeprefix(UNIX)
        path = path.removeprefix("//") if path.startswith("///") else path
        if path.startswith("/") and len(path) > 1:
            return ServerPlace(url="http://localhost", socket=path)
    elif urlsplit(base_url).scheme in ("http", "https") and urlsplit(base_url).hostname:
        return ServerPlace(url=base_url.rstrip("/"))
    raise ValueError(f"invalid base_url: {base_url} (expected http://HOST:PORT, https://HOST or unix:/PATH)")


class Token(Struct, frozen=True):
    """A token and the time at which it is renewed."""

    text: str
    renew_at: float
    """Unix time; infinite if its end is not known."""


def read_renewal(token: str, now: float) -> float:
    """Return the time at which a token is renewed; infinite if it does not say when it ends."""
    parts = token.split(".")
    try:
        middle = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        end = float(msgspec.json.decode(middle)["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error, msgspec.DecodeError):
        return float("inf")
    return end - min(RENEWAL_SECONDS, max(0.0, end - now) / 2)


class ClientCore:
    """Address, token and rules of one client."""

    def __init__(
        self,
        find_place: Callable[[], ServerPlace],
        *,
        token: str = "",
        find_api_key: Callable[[], str] = str,
        oid: str = "",
        uid: str = "",
        retry: Retry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._find_place = find_place
        self.place = find_place()
        self._token = Token(token, float("inf")) if token else None
        self._find_api_key = find_api_key
        self._oid = oid
        self._uid = uid
        self._retry = retry
        self._clock = clock

    @property
    def can_renew(self) -> bool:
        """Return True if an API key gives new tokens."""
        return bool(self._find_api_key())

    def perform(self, call: ApiCall[T]) -> Flow[T]:
        """Make a call, with retries and at most one renewal of the token. Raise ClientError."""
        retries, is_renewed = 0, False
        while True:
            token = (yield from self.provide_token()) if call.needs_token else ""
            outcome = yield self._build_request(call, token)
            assert outcome is not None
            if isinstance(outcome, HttpReply):
                if 200 <= outcome.status < 300:
                    return call.decode(outcome.body)
                if outcome.status == 401 and call.needs_token and self.can_renew and not is_renewed:
                    is_renewed = True
                    self.drop_token(token)
                    continue
            elif outcome.kind == "unreachable":
                self.find_place_again()
            now = self._clock()
            delay = self._retry.choose_delay(retries, outcome, is_repeatable=call.is_repeatable, now=now)
            if delay is None:
                raise _describe(outcome, now, self.place)
            retries += 1
            yield Pause(delay)

    def provide_token(self) -> Flow[str]:
        """Return a token that is valid for a while; empty without a token or key. Raise ClientError."""
        api_key = self._find_api_key()
        if api_key and (self._token is None or self._clock() >= self._token.renew_at):
            text = yield from self.perform(calls.mint_token(api_key, oid=self._oid, uid=self._uid))
            if not text:
                raise AuthenticationError("unauthorized", "the server gave no token for the API key", status=401)
            self._token = Token(text, read_renewal(text, self._clock()))
        return self._token.text if self._token is not None else ""

    def drop_token(self, text: str) -> None:
        """Forget a token that the server has refused, unless another one has replaced it."""
        if self.can_renew and self._token is not None and self._token.text == text:
            self._token = None

    def find_place_again(self) -> None:
        """Look for the server once more: one that was started again may have another address."""
        try:
            self.place = self._find_place()
        except ClientError:
            pass  # none runs at the moment

    def _build_request(self, call: ApiCall[Any], token: str) -> Send:
        headers = {"Accept": "application/json", "User-Agent": f"lisa-py/{__version__}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if call.content_type:
            headers["Content-Type"] = call.content_type
        if self._oid:
            headers["X-LC-OID"] = self._oid
        path = f"{call.path}?{urlencode(call.query)}" if call.query else call.path
        return Send(method=call.method, path=path, headers=headers, content=call.body)


def _describe(outcome: HttpReply | Failure, now: float, place: ServerPlace) -> ClientError:
    if isinstance(outcome, HttpReply):
        return build_error(outcome.status, outcome.body, retry_after=read_retry_after(outcome.headers, now))
    where = place.socket or place.url
    if outcome.kind == "unreachable":
        return ServerUnreachableError(f"no connection to {where}: {outcome.message} (is lisa serve running?)")
    if outcome.kind == "timeout":
        return RequestTimeoutError(f"{where} did not answer in time: {outcome.message}")
    return ConnectionLostError(f"the connection to {where} ended before the answer: {outcome.message}")


def describe_failure(outcome: Outcome, place: ServerPlace) -> ClientError:
    """Return the error of a request that is not made again."""
    assert outcome is not None
    return _describe(outcome, time.time(), place)


class SessionPages:
    """The calls that read all pages of a list, one after the other."""

    def __init__(self, *, status: str | None = None, page_size: int | None = None, family: Family = "user") -> None:
        self._status = status
        self._page_size = page_size
        self._family = family
        self._cursor: str | None = ""

    def next_call(self) -> ApiCall[SessionsResult] | None:
        """Return the call of the next page; None after the last one."""
        if self._cursor is None:
            return None
        return calls.list_sessions(status=self._status, limit=self._page_size, cursor=self._cursor, family=self._family)

    def take(self, page: SessionsResult) -> tuple[SessionObject, ...]:
        """Return the sessions of a page. Raise InvalidAnswerError if its cursor does not advance."""
        following = page.next_cursor or None
        if following is not None and following == self._cursor:
            raise InvalidAnswerError(f"the cursor of the list does not advance: {following}")
        self._cursor = following
        return page.sessions
