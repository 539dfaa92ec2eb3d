"""`lisa serve`: start, one per user, state, end."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path

import pytest

from tests.lisa_host import LisaHost
from tests.server_kit import RunningServer, serving


def test_server_reports_its_address_and_ends_with_success(machine: LisaHost) -> None:
    refused = machine.lisa("serve", "--check", "--json")
    assert (refused.code, refused.json["errorCode"]) == (1, "server_not_running")
    with serving(machine) as server:
        shown = json.loads(machine.lisa("serve", "--check", check_schema=False).out)
        assert (shown["url"], shown["pid"], shown["projectId"]) == (server.url, server.process.pid, server.project_id)
        second = machine.lisa("serve", "--port", "0", "--json")
        assert (second.code, second.json["errorCode"], second.json["url"]) == (1, "server_running", server.url)
        for file in (Path(machine.context().settings.state_dir) / "server").iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert server.end() == 0
    assert machine.lisa("serve", "--check", "--json").json["errorCode"] == "server_not_running"


def test_keys_persist_until_new_ones_are_requested(machine: LisaHost) -> None:
    with serving(machine) as first:
        token = first.mint()
    with serving(machine, port=first.port) as again:
        assert (again.key, again.port) == (first.key, first.port)
        assert again.call("GET", "/v1/who", token=token).status == 200
    with serving(machine, "--new-key") as renewed:
        assert renewed.call("GET", "/v1/who", token=token).status == 401
        assert renewed.call("GET", "/v1/who", token=first.key).status == 401


def test_client_variables_have_a_line_each(machine: LisaHost) -> None:
    with serving(machine) as server:
        for scope, key in (("control", server.key), ("read", server.read_key)):
            lines = machine.lisa("serve", "--client-env", "--scope", scope, check_schema=False).out.splitlines()
            assert dict(line.split("=", 1) for line in lines) == {
                "LC_API_URL": server.url,
                "LC_JWT_URL": f"{server.url}/jwt",
                "LC_OID": server.project_id,
                "LC_API_KEY": key,
                "LC_EPHEMERAL_CREDS": "1",
            }


def test_taken_port_and_bad_flags_are_refused(machine: LisaHost) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert machine.lisa("serve", "--port", port, "--json").json["errorCode"] == "port_unavailable"
    for flags, code in (
        (("--port", "70000"), "invalid_port"),
        (("--agent", "nobody"), "invalid_agent"),
        (("--allow-origin", "example.org"), "invalid_allow_origin"),
    ):
        assert machine.lisa("serve", *flags, "--json").json["errorCode"] == code


def test_unix_socket_is_private(machine: LisaHost, tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with RunningServerOnSocket(machine, path) as address:
        assert address["socket"] == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /v1/orgs/x/url HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert b" 200 OK" in answer.partition(b"\r\n")[0]
    assert not path.exists()
    tmp_path.chmod(0o777)
    assert machine.lisa("serve", "--socket", str(path), "--json").json["errorCode"] == "socket_refused"


class RunningServerOnSocket:
    """A server that listens on a Unix socket and a port."""

    def __init__(self, machine: LisaHost, path: Path) -> None:
        self._server = RunningServer(machine, "--socket", str(path))

    def __enter__(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._server.ready_file.read_text())
        return found

    def __exit__(self, *problem: object) -> None:
        assert self._server.end() == 0


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from lisa_py.server import main

    monkeypatch.setattr(main, "EXTRA_MODULES", (*main.EXTRA_MODULES, "package_that_is_not_there"))
    with pytest.raises(main.LisaError) as caught:
        main._check(main.Args())
    assert caught.value.code == "server_extra_missing"
    assert "package_that_is_not_there" in caught.value.message and "lisa-py[server]" in caught.value.message
