"""Find the server that runs on this machine: its address and key in lisa's state folder."""

from __future__ import annotations

from typing import Literal

import msgspec

from lisa_py.client.errors import ServerNotRunningError
from lisa_py.client.flow import ServerPlace
from lisa_py.host import env
from lisa_py.store import server_files

KeyScope = Literal["control", "read"]
_HINT = "start one with: lisa serve"


class LocalServer:
    """The server of this user, read again from the state folder whenever it is asked for."""

    def __init__(self, state_dir: str = "", scope: KeyScope = "control") -> None:
        settings = env.read_settings()
        self._settings = msgspec.structs.replace(settings, state_dir=state_dir) if state_dir else settings
        self._scope = scope

    def find_place(self) -> ServerPlace:
        """Return the address: the Unix socket where the server has one. Raise ServerNotRunningError."""
        found = server_files.read_address(self._settings)
        if found is None:
            raise ServerNotRunningError(f"no server runs for {self._settings.state_dir}; {_HINT}")
        return ServerPlace(url="http://localhost", socket=found.socket) if found.socket else ServerPlace(url=found.url)

    def read_key(self) -> str:
        """Return the API key. Raise ServerNotRunningError."""
        keys = server_files.read_keys(self._settings)
        if keys is None:
            raise ServerNotRunningError(f"{self._settings.state_dir} has no key of a server; {_HINT}")
        return keys.read if self._scope == "read" else keys.control
