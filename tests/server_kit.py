"""A running `lisa serve` for tests, and calls of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from lisa_py.store import live_records
from tests.lisa_host import PROGRAM, LisaHost
from tests.polling import wait_until


class HttpReply(NamedTuple):
    """Status and body of an answer."""

    status: int
    body: Any
    headers: dict[str, str]


class SocketReader:
    """A client of one WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[dict[str, Any]] = []

    def read(self, timeout: float = 20) -> dict[str, Any]:
        """Return the next frame."""
        frame: dict[str, Any] = json.loads(self.connection.recv(timeout))
        self.frames.append(frame)
        return frame

    def read_until(self, kind: str, **expected: Any) -> dict[str, Any]:
        """Return the next frame of a type with these values in its payload."""
        while True:
            frame = self.read()
            if frame["type"] == kind and expected.items() <= frame["payload"].items():
                return frame

    def read_close(self) -> int:
        """Read all messages; return the close code."""
        try:
            while True:
                self.read()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 1006

    def send(self, kind: str, **payload: Any) -> None:
        self.connection.send(json.dumps({"type": kind, **({"payload": payload} if payload else {})}))

    @property
    def cursors(self) -> list[str]:
        """Return the cursors of all frames of the conversation so far, recorded ones first."""
        recorded = [each["cursor"] for frame in self.frames if frame["type"] == "history" for each in _list(frame)]
        return recorded + [frame["cursor"] for frame in self.frames if frame["type"] in CONVERSATION]


CONVERSATION = ("user", "assistant", "tool_use", "tool_result", "result")


def _list(history: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in history["payload"]["messages"] if each["type"] in CONVERSATION]


class RunningServer:
    """One `lisa serve` process of a host."""

    def __init__(self, machine: LisaHost, *flags: str, port: int | None = 0, program: Sequence[str] = PROGRAM) -> None:
        self.machine = machine
        self.ready_file = Path(machine.home) / f"ready-{os.urandom(4).hex()}.json"
        self.error_file = self.ready_file.with_suffix(".err")
        where = ["--port", str(port)] if port is not None else []
        with self.error_file.open("wb") as errors:
            self.process = subprocess.Popen(
                [*program, "serve", *where, "--ready-file", str(self.ready_file), *flags],
                env=machine.env, cwd=machine.project, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
            )  # fmt: skip
        wait_until(lambda: self.ready_file.exists() or self.process.poll() is not None, what="the server listens")
        assert self.ready_file.exists(), self.error_file.read_text()
        address = json.loads(self.ready_file.read_text())
        self.url: str = address["url"]
        digits = self.url.rpartition(":")[2]
        self.port = int(digits) if digits.isdigit() else 0
        self.project_id = live_records.project_id(machine.context().project())
        keys = json.loads((Path(machine.context().settings.state_dir) / "server" / "keys.json").read_text())
        self.key: str = keys["control"]
        self.read_key: str = keys["read"]

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> HttpReply:
        """Send one request with the control key, or with another token; empty: without one."""
        sent = {"X-LC-OID": self.project_id, **(headers or {})}
        used = self.key if token is None else token
        if used:
            sent.setdefault("Authorization", f"Bearer {used}")
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            text = answer.read()
        try:
            decoded = json.loads(text) if text else None
        except ValueError:
            decoded = text.decode()
        return HttpReply(answer.status, decoded, {name.lower(): value for name, value in answer.getheaders()})

    def register(self) -> None:
        """Register the user, as each client does before its first chat."""
        assert self.call("POST", "/v1/register", raw=b"").status == 200

    def mint(self, *, scope: str = "control", oid: str | None = None) -> str:
        """Return a token."""
        secret = self.key if scope == "control" else self.read_key
        form = f"secret={secret}&oid={self.project_id if oid is None else oid}"
        return str(self.call("POST", "/jwt", raw=form.encode(), token="").body["jwt"])

    @contextlib.contextmanager
    def connect(
        self,
        identity: str,
        *,
        family: str = "user",
        token: str | None = None,
        query: str = "",
        path: str = "",
        **options: Any,
    ) -> Iterator[SocketReader]:
        """Open the WebSocket of a session with a control token in the header, or another; empty: without one."""
        path = path or ("/v1/ws/sessions/{id}" if family == "user" else "/v1/ws/org/sessions/{id}")
        used = self.mint() if token is None else token
        headers = {"Authorization": f"Bearer {used}"} if used else {}
        address = f"ws://127.0.0.1:{self.port}{path.format(id=identity)}{query}"
        options = {"max_size": 10 << 20, "proxy": None, "open_timeout": 20, "close_timeout": 2, **options}
        with connect(address, additional_headers=headers, **options) as connection:
            yield SocketReader(connection)

    def end(self) -> int:
        """End the server by TERM; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=15)


@contextlib.contextmanager
def serving(
    machine: LisaHost, *flags: str, port: int | None = 0, program: Sequence[str] = PROGRAM
) -> Iterator[RunningServer]:
    """Run a server for the sessions of a host, or another program that does the same."""
    server = RunningServer(machine, *flags, port=port, program=program)
    try:
        yield server
    finally:
        server.end()
