"""Options of a running server and what its routes share."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from lisa_py.core.context import Context
from lisa_py.core.lifecycle.login_flows import LoginFlows
from lisa_py.core.live.transfers import Transfers
from lisa_py.host.cancellation import Cancellation
from lisa_py.host.env import Settings
from lisa_py.store.paths import SessionRef
from lisa_py.store.server_files import ServerKeys


class ServerOptions(Struct, frozen=True, kw_only=True):
    """The flags of `lisa serve` that its routes read."""

    agent: str = ""
    max_sessions: int = 10
    max_creations: int = 10
    """New chats per minute."""
    interactive_api_sessions: bool = False
    allowed_origins: tuple[str, ...] = ()


class FileNotice(Struct, frozen=True, kw_only=True):
    """A file that has arrived."""

    path: str
    client: object = None
    """The WebSocket whose client has sent it; None for REST."""
    request_id: str = ""
    """The name that this client gave to its request."""


class ServerState(Struct, frozen=True, kw_only=True):
    """Settings, keys and options of one server."""

    settings: Settings
    keys: ServerKeys
    cwd: str
    url: str
    """The address as clients write it: http://127.0.0.1:PORT."""
    port: int
    """0 for a Unix socket."""
    options: ServerOptions
    cancellation: Cancellation
    """Set when the server ends: it ends every wait."""
    logins: LoginFlows
    sending: Cancellation
    """Of what is sent to sessions, and of starts: the end of the server gives them time to finish."""
    transfers: Transfers
    listeners: list[Callable[[SessionRef, FileNotice], None]] = []
    """Called with the session of each file that has arrived."""
    log: Callable[[str], None]
    """Write one line for the person who runs the server; never a secret, a prompt or a body."""

    def announce_file(self, ref: SessionRef, notice: FileNotice) -> None:
        """Let the clients of a session know that a file has arrived."""
        for listener in self.listeners:
            listener(ref, notice)

    def make_context(self, cwd: str = "", *, cancellation: Cancellation | None = None) -> Context:
        """Return the context of one request in a folder, by default the one that the server was started in."""
        return Context(
            self.settings,
            cwd=cwd or self.cwd,
            output_format="json",
            warn=lambda text: None,
            cancellation=cancellation or self.cancellation,
        )
