"""A full disk: a clear error per failed write, nothing lost or partial, and recovery once there is space."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lisa_py.store import dialogs
from tests.lisa_host import PROGRAM, LisaHost
from tests.server.test_fuzzing import list_panes
from tests.server.test_sockets import identify
from tests.server_kit import RunningServer, SocketReader, serving
from tests.session_harness import SessionHarness, make_chat

FULL_WHILE_MARKED = """
import errno, os, sys
from lisa_py.host import files
marker = sys.argv.pop(1)
write_all = files._write_all

def write_until_full(handle, data):
    if not os.path.exists(marker):
        return write_all(handle, data)
    os.write(handle, bytes(data)[: len(data) // 2])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

files._write_all = write_until_full
from lisa_py.cli.main import entry
entry()
"""
TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}")
FULL = "No space left on device"


class MarkedDisk:
    """A disk that is full for the server while a file exists: half of each write succeeds."""

    def __init__(self, machine: LisaHost) -> None:
        self._marker = machine.folder / "full"
        self.program = (sys.executable, "-P", "-c", FULL_WHILE_MARKED, str(self._marker))

    def fill(self) -> None:
        self._marker.touch()

    def free(self) -> None:
        self._marker.unlink()

    def close(self) -> None:
        pass


class MountedDisk:
    """A small disk for the state of lisa."""

    program = PROGRAM

    def __init__(self, machine: LisaHost) -> None:
        """Skip the test where nothing can be mounted."""
        self._folder = machine.context().settings.state_dir
        self._filler = os.path.join(self._folder, "filler")
        os.makedirs(self._folder, mode=0o700)
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", self._folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("a disk can be mounted by root only")

    def fill(self) -> None:
        handle = os.open(self._filler, os.O_WRONLY | os.O_CREAT)
        try:
            for size in (1 << 16, 1 << 9, 1):
                try:
                    while True:
                        os.write(handle, b"x" * size)
                except OSError:
                    pass
        finally:
            os.close(handle)

    def free(self) -> None:
        os.unlink(self._filler)

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", self._folder], check=True)


@pytest.fixture(params=[MarkedDisk, pytest.param(MountedDisk, marks=pytest.mark.agents)])
def disk(machine: LisaHost, request: pytest.FixtureRequest) -> Iterator[MarkedDisk | MountedDisk]:
    made = request.param(machine)
    yield made
    made.close()


def write_note(server: RunningServer, text: str) -> tuple[int, str]:
    """Write a record; return the status of the answer, and the text that the record has then."""
    path = f"/v1/hive/sop/{server.project_id}/note/data"
    written = server.call("POST", path, raw=b"data=" + json.dumps({"text": text}).encode())
    return written.status, server.call("GET", path).body["data"]["text"]


def check_refusals(server: RunningServer, chat: SessionHarness) -> None:
    """Check that a write is refused with its reason and starts nothing, and that a read is answered."""
    for path, body in (
        ("/v1/sessions", {"prompt": "[say x]"}),
        ("/v1/api/sessions", {"prompt": "[say x]"}),
        ("/commands/session/spawn", {"agent": "scripted", "prompt": "[say x]"}),
        ("/v1/profiles", {"name": "x"}),
    ):
        reply = server.call("POST", path, body)
        assert reply.status == 409 and FULL in reply.body["message"], (path, reply)
    assert write_note(server, "second") == (409, "first")
    assert list_panes(server.machine) == {chat.name}
    for path in ("/v1/who", "/v1/sessions", "/v1/org/sessions", f"/v1/sessions/{identify(chat)}/history"):
        assert server.call("GET", path).status == 200, path
    assert server.mint()


def read_error(reader: SocketReader) -> dict[str, object]:
    found: dict[str, object] = reader.read_until("error")["payload"]
    assert FULL in str(found["message"])
    return found


def test_full_disk_loses_nothing_and_decides_nothing(machine: LisaHost, disk: MarkedDisk | MountedDisk) -> None:
    made = machine.project / "made"
    with serving(machine, "--agent", "scripted", program=disk.program) as server:
        chat = SessionHarness(machine, "lisa-full-1").spawn()
        found = make_chat(chat.ref)
        assert server.call("POST", "/v1/register").status == 200 and write_note(server, "first") == (200, "first")
        with server.connect(found) as owner, server.connect(found, family="org") as other:
            disk.fill()
            prompt = {"text": f"[ask echo run >> {made}] [say end]", "prompt_id": "p1"}
            owner.send("prompt", **prompt)
            refused = read_error(owner)
            assert (refused["code"], refused["reason"]) == ("prompt_rejected", "store_unwritable")
            check_refusals(server, chat)
            disk.free()
            owner.send("prompt", **prompt)
            asked = owner.read_until("tool_approval_request")["payload"]["tool_use_id"]
            disk.fill()
            owner.send("tool_approval_response", tool_use_id=asked, approved=True)
            assert read_error(owner)["tool_use_id"] == asked
            assert not made.exists() and not dialogs.list_decided_keys(chat.ref)
            disk.free()
            owner.send("tool_approval_response", tool_use_id=asked, approved=True)
            for reader in (owner, other):
                reader.read_until("result")
        assert owner.cursors == other.cursors and len(set(owner.cursors)) == len(owner.cursors)
        assert made.read_text() == "run\n" and chat.prompts() == [prompt["text"]]
        assert write_note(server, "second") == (200, "second")
    for path in Path(machine.context().settings.state_dir).rglob("*"):
        assert not TEMPORARY.fullmatch(path.name), f"left behind: {path}"
        assert path.suffix != ".json" or json.loads(path.read_bytes())
