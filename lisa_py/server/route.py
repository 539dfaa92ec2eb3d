"""Description of a route: method, path, rights, typed body and answer; routes and OpenAPI are made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.live.owned_sessions import EVERY_PROJECT
from lisa_py.server import bodies
from lisa_py.server.options import ServerState
from lisa_py.server.tokens import Caller
from lisa_py.store import project_places
from lisa_py.store.paths import Project

T = TypeVar("T")
Access = Literal["open", "token", "key"]
"""open: no token; token: a token (or our own key); key: the API key or a token."""


class RestCall:
    """One request of a route, with what its handler needs."""

    def __init__(
        self,
        server: ServerState,
        caller: Caller | None,
        *,
        path: Mapping[str, str],
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: Any = None,
        raw: bytes = b"",
        unknown_keys: tuple[str, ...] = (),
        chunks: Iterable[bytes] = (),
    ) -> None:
        self.server = server
        self.caller = caller or Caller(scope="read")
        self.path = path
        """Values of the names in the path."""
        self.query = query
        self.headers = headers
        """Names in lower case."""
        self.body = body
        """The struct of the route, or None."""
        self.raw = raw
        """Bytes of the body."""
        self.chunks = chunks
        """The pieces of the body, for a route that streams it."""
        self.unknown_keys = unknown_keys
        """Keys of the body that the API does not have: ignored, and named in `warnings`."""
        self.ctx: Context = server.make_context(cancellation=server.sending)  # what has begun is finished at TERM

    @property
    def oid(self) -> str:
        """Return the id of the project that the caller names; empty for none."""
        named = self.path.get("oid") or self.headers.get("x-lc-oid") or self.caller.oid
        return "" if named in ("-", EVERY_PROJECT) else named

    @property
    def root(self) -> str:
        """Return the folder of the caller's project, empty for every one. Raise LisaError(project_not_found)."""
        return find_root(self.server, self.oid) if self.oid else ""

    @property
    def project(self) -> Project | None:
        """Return the caller's project, None for every one. Raise LisaError(project_not_found)."""
        return self.ctx.project(self.root) if self.oid else None

    @property
    def folder(self) -> str:
        """Return the folder of new sessions: that of the caller's project, else the server's.

        Raise LisaError(project_not_found).
        """
        return self.root or self.server.cwd

    @property
    def body_warnings(self) -> tuple[str, ...]:
        """Return a warning for each unknown key of the body."""
        return tuple(f"unknown key: {key}" for key in self.unknown_keys)

    def read_body(self, kind: type[T]) -> T:
        assert isinstance(self.body, kind)
        return self.body


def read_number(call: RestCall, name: str, default: int) -> int:
    """Return a whole number of the query, its size limited; the default for none, or for another text."""
    digits = call.query.get(name, "")
    is_number = digits.isascii() and digits.removeprefix("-").isdecimal()
    return int(digits[:10]) if is_number else default


def find_root(server: ServerState, oid: str) -> str:
    """Return the folder of a project. Raise LisaError(project_not_found)."""
    found = project_places.find_place(oid, server.settings)
    if not found:
        raise LisaError(
            "project_not_found", f"project not found: {oid} (lisa serve --client-env prints the current one)"
        )
    return found


class Route(Struct, frozen=True, kw_only=True):
    """One route."""

    method: str
    path: str
    """With names in braces; a name followed by `:path` takes slashes too."""
    summary: str
    run: Callable[[RestCall], Any]
    """Return the answer, or a starlette response; called in a thread."""
    answer: Any
    """Type of the answer."""
    access: Access = "token"
    scope: Literal["read", "control"] = "read"
    body: type[Struct] | None = None
    """Type of a JSON body; a body is ignored without one."""
    query: tuple[str, ...] = ()
    """Names of the query that the handler reads."""
    streams: bool = False
    """The handler reads the body itself, piece by piece (`chunks`)."""
    takes_form: bool = False
    """The handler reads a form body itself."""
    max_bytes: int = bodies.MAX_BYTES
    """Size of the body."""
    status: int = 200
    other_statuses: Mapping[int, str] = {}
    """Further statuses with the same type of answer, and when they come."""
    errors: tuple[str, ...] = ()
    tag: str = "sessions"
    pool: Literal["core", "commands"] = "core"
    """Threads that run it: core for short calls, commands for those that may wait."""


class ApiReply(Struct, frozen=True):
    """An answer with a status of its own."""

    status: int
    body: Any


def encode(answer: Any) -> bytes:
    return msgspec.json.encode(answer)
