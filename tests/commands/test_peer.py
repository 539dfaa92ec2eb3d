"""lisa peer: requests and answers as lines, waits that end with their reader."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lisa_py import dispatch
from lisa_py.contract.errors import LisaError
from lisa_py.contract.peer import PeerMessage, PeerRequest
from lisa_py.core.context import Context
from lisa_py.host.cancellation import Cancellation
from lisa_py.peer import protocol
from lisa_py.peer.request_run import RequestRun
from tests.lisa_host import PROGRAM, LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


class Peer:
    """A peer that this test talks to."""

    def __init__(self, machine: LisaHost) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, "peer"], cwd=machine.project, env=machine.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def write(self, **request: Any) -> None:
        self.write_line(json.dumps(request).encode())

    def write_line(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def call(self, command: str, **args: Any) -> dict[str, Any]:
        self.write(command=command, args=args)
        return self.read()

    def close(self) -> None:
        self.process.kill()
        with self.process:
            pass


@pytest.fixture
def peer(machine: LisaHost) -> Iterator[Peer]:
    found = Peer(machine)
    yield found
    found.close()


def test_answers_are_those_of_the_command_line(machine: LisaHost, peer: Peer) -> None:
    stage = SessionHarness(machine).spawn("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")
    for command, form in (("session exists", "json"), ("session history", "json"), ("session status", "json-min")):
        words = (*command.split(), "--session", stage.name, f"--{form}")
        printed = {key: value for key, value in machine.lisa(*words).json.items() if key != "stderrPolicy"}
        peer.write(command=command, args={"session": stage.name}, format=form)
        message = peer.read()
        assert message == {"id": message["id"], "answer": printed, "exitCode": 0}


def test_ended_waits_leave_no_handles(machine: LisaHost, peer: Peer) -> None:
    SessionHarness(machine).spawn("[say hello]").wait_for_text("● hello")
    handles = Path(f"/proc/{peer.process.pid}/fd")
    wait = {"session": "lisa-stage-1", "timeoutSeconds": 60}
    assert peer.call("session monitor", **wait)["exitCode"] == 0
    before = len(list(handles.iterdir()))
    for _ in range(10):
        assert peer.call("session monitor", **wait)["exitCode"] == 0
    wait_until(lambda: len(list(handles.iterdir())) <= before, what="the handles of ended waits are closed")


def test_request_leaves_no_garbage(machine: LisaHost) -> None:
    """An object that only the collector frees stays for minutes in a process that lives on."""
    SessionHarness(machine).spawn("[say hello]").wait_for_text("● hello")

    def run(command: str, **args: Any) -> None:
        request = PeerRequest(command=command, args=args)
        settings, cancellation = machine.context().settings, Cancellation()
        RequestRun(
            settings, request, 1, cwd=str(machine.project), cancellation=cancellation, write=lambda _: True
        ).run()

    for command, name in (
        ("session status", "lisa-stage-1"),
        ("session monitor", "lisa-stage-1"),
        ("session status", "!"),
    ):
        run(command, session=name)  # what is kept for the next request is no garbage
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            run(command, session=name)
            gc.collect()
            assert [each for each in gc.garbage if isinstance(each, Context | RequestRun | Cancellation)] == []
        finally:
            gc.set_debug(0)
            gc.garbage.clear()


def test_failures_are_error_objects(peer: Peer) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"command": "session capture", "args": {"session": "lisa-none"}}, "session_not_found"),
        ({"command": "no such"}, "unknown_command"),
        ({"command": "peer"}, "unknown_command"),
        ({"command": "session list", "args": {"wrong": 1}}, "unknown_flag"),
        ({"command": "session status", "args": {}}, "missing_required_flag"),
        ({"command": "session monitor", "args": {"session": "lisa-x", "maxPolls": "no"}}, "invalid_max_polls"),
        ({"args": {}}, "invalid_request"),
        ({"command": "version", "format": "xml"}, "invalid_request"),
        ({"command": 5}, "invalid_request"),
    ]
    for request, code in cases:
        peer.write(id="x", **request)
        message = peer.read()
        assert (message["id"], message["error"]["errorCode"], message["exitCode"]) == ("x", code, 1), request
        assert message["error"]["ok"] is False and message["error"]["error"]
    for line in (b"{", b"[]", b"\xff", b"[" * 100_000, b"x" * (2 << 20)):
        peer.write_line(line)
        assert peer.read()["error"]["errorCode"] in ("invalid_request", "request_too_large")
    assert peer.call("version")["exitCode"] == 0


def test_refused_request_gets_its_id(peer: Peer) -> None:
    cases: list[tuple[bytes, Any]] = [
        (b'{"id":6}', 6),
        (b'{"id":5,"command":"session list","args":[1]}', 5),
        (b'{"command":"version","format":"jsn","id":"seven"}', "seven"),
        (b'{"id":8,"command":"version","fromat":"json"}', 8),
        (b'{"id":"a\\"b","command":', 'a"b'),
        (b'{"id":9,"stdin":"' + b"x" * (2 << 20) + b'"}', 9),
        (b'{"id":[1],"command":"version"}', None),
        (b'{"id":1.5,"command":"version"}', None),
        (b'{"id":true,"command":"version"}', None),
        (b'{"id":12', None),
        (b"{}", None),
    ]
    for line, request_id in cases:
        peer.write_line(line)
        message = peer.read()
        assert (message["id"], message["exitCode"]) == (request_id, 1), line[:80]
        assert message["error"]["errorCode"] in ("invalid_request", "request_too_large")


def test_unknown_key_is_refused_with_a_similar_one() -> None:
    for line, reason in (
        (b'{"id":1,"command":"version","fromat":"json"}', "unknown key fromat; did you mean format?"),
        (b'{"id":1,"comand":"version","args":5}', "unknown key comand; did you mean command?"),
        (b'{"jsonrpc":"2.0","id":1}', "unknown key jsonrpc; known are id, command, args, format, cwd, stdin, cancel"),
    ):
        with pytest.raises(LisaError) as refused:
            protocol.parse_request(line)
        assert refused.value.code == "invalid_request" and reason in refused.value.message
    with pytest.raises(LisaError, match=r"unknown argument of session list: projectRoots; did you mean project_root\?"):
        dispatch.build_call("session list", {"projectRoots": "/tmp"})


def test_wait_delays_no_other_request(machine: LisaHost, peer: Peer) -> None:
    stage = SessionHarness(machine).spawn()
    peer.write(id="wait", command="session monitor", args={"session": stage.name, "stop_on_waiting": False})
    peer.write(id="quick", command="session exists", args={"session": stage.name})
    assert peer.read()["id"] == "quick"
    peer.write(id="again", cancel="wait")
    message = peer.read()
    assert (message["id"], message["error"]["errorCode"], message["exitCode"]) == ("wait", "interrupted", 130)


def test_events_are_streamed_before_the_answer(machine: LisaHost, peer: Peer) -> None:
    stage = SessionHarness(machine).spawn("[say hello]")
    peer.write(id=1, command="session attach", args={"session": stage.name})
    kinds = []
    while "idle" not in str(message := peer.read()):
        kinds.append(message["event"]["type"])
    assert kinds[0] == "user" and "assistant" in kinds
    peer.write(cancel=1)
    while "event" in (message := peer.read()):
        pass
    assert (message["id"], message["exitCode"], message["answer"]["ended"]) == (1, 0, False)


def test_end_of_input_completes_running_requests(machine: LisaHost) -> None:
    lines = [{"id": number, "command": "session list"} for number in range(5)]
    run = machine.lisa("peer", stdin="\n".join(map(json.dumps, lines)), check_schema=False)
    found = [json.loads(line) for line in run.out.splitlines()]
    assert sorted(message["id"] for message in found) == [0, 1, 2, 3, 4] and run.code == 0
    assert all(message["exitCode"] == 0 for message in found)


def test_closed_reader_ends_the_waits(machine: LisaHost, peer: Peer) -> None:
    stage = SessionHarness(machine).spawn()
    peer.write(command="session monitor", args={"session": stage.name, "stop_on_waiting": False})
    peer.call("version")
    assert peer.process.stdout is not None
    peer.process.stdout.close()
    assert peer.process.wait(timeout=20) == 0
    assert stage.status().session_state == "waiting_input"


@pytest.mark.parametrize("number", [2, 15])
def test_signal_ends_the_waits(machine: LisaHost, peer: Peer, number: int) -> None:
    stage = SessionHarness(machine).spawn()
    peer.write(command="session monitor", args={"session": stage.name, "stop_on_waiting": False})
    peer.call("version")
    os.kill(peer.process.pid, number)
    assert peer.process.wait(timeout=20) == 128 + number


def test_signal_ends_requests_with_unread_answers(machine: LisaHost, peer: Peer) -> None:
    peer.call("version")
    process = psutil.Process(peer.process.pid)
    for number in range(12):
        peer.write(id=number, command="capabilities")
    wait_until(lambda: process.num_threads() > 12 and not process.cpu_percent(0.2), what="all wait for the reader")
    os.kill(peer.process.pid, 15)
    assert peer.process.wait(timeout=20) == 128 + 15


def test_cursor_moves_only_with_the_answer(machine: LisaHost, peer: Peer) -> None:
    stage = SessionHarness(machine).spawn("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")
    args = {"session": stage.name, "raw": True, "cursor_file": str(machine.folder / "cursor")}
    assert "hello" in peer.call("session capture", **args)["answer"]["capture"]
    assert "hello" not in peer.call("session capture", **args)["answer"]["capture"]


def test_positions_are_kept_before_the_next_request_begins(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    delivering, held = threading.Lock(), []
    monkeypatch.setattr(Context, "commit_cursors", lambda ctx: held.append(("kept", delivering.locked())))

    def write(message: PeerMessage) -> bool:
        held.append(("written", delivering.locked()))
        return True

    RequestRun(
        machine.context().settings, PeerRequest(command="version"), 1,
        cwd=str(machine.project), cancellation=Cancellation(), write=write, delivery=delivering,
    ).run()  # fmt: skip
    assert held == [("written", True), ("kept", True)] and not delivering.locked()


def test_folder_of_a_request_selects_the_project(machine: LisaHost, peer: Peer) -> None:
    SessionHarness(machine, "lisa-here").spawn()
    assert peer.call("session list")["answer"]["sessions"] == ["lisa-here"]
    elsewhere = machine.folder / "elsewhere"
    elsewhere.mkdir()
    peer.write(command="session list", cwd=str(elsewhere))
    assert peer.read()["answer"]["sessions"] == []


def test_folder_of_a_request_is_checked_as_a_project_root(machine: LisaHost, peer: Peer) -> None:
    nowhere, file = str(machine.folder / "nowhere"), machine.folder / "file"
    file.touch()
    refused = machine.lisa("session", "list", "--project-root", nowhere, "--json").json["errorCode"]
    for cwd, shown in (
        (nowhere, nowhere),
        (str(file), str(file)),
        ("nowhere", str(machine.project / "nowhere")),
        ("a\0b", "a\\0b"),
    ):
        peer.write(id=9, command="session list", cwd=cwd)
        message = peer.read()
        assert (message["id"], message["error"]["errorCode"], message["exitCode"]) == (9, refused, 1), cwd
        assert f"invalid cwd: {shown} is not a folder" in message["error"]["error"]
    assert refused == "invalid_project_root"
    (machine.project / "part").mkdir()
    peer.write(command="session list", cwd="part")
    assert peer.read()["answer"]["projectRoot"] == str(machine.project / "part")


def test_64_concurrent_requests_get_their_answers(machine: LisaHost, peer: Peer) -> None:
    stage = SessionHarness(machine, "lisa-here").run("sleep 600")
    wait_until(lambda: stage.status().session_state == "in_progress")
    names = [stage.name if number % 4 == 0 else f"lisa-none-{number}" for number in range(64)]
    commands = ("session status", "session exists")
    for turn in range(3):
        asked = {number: (commands[(number + turn) % 2], name) for number, name in enumerate(names)}
        lines = [json.dumps({"id": number, "command": command, "args": {"session": name}})
                 for number, (command, name) in asked.items()]  # fmt: skip
        peer.write_line("\n".join(lines).encode())
        messages = {message["id"]: message for message in (peer.read() for _ in asked)}
        assert set(messages) == set(asked)
        for number, (command, name) in asked.items():
            answer = messages[number]["answer"]
            assert answer["session"] == name
            if command == "session status":
                assert answer["sessionState"] == ("in_progress" if name == stage.name else "not_found")
            else:
                assert answer["exists"] == (name == stage.name)


def test_many_requests_leave_nothing_open(machine: LisaHost, peer: Peer) -> None:
    peer.call("version")
    process = psutil.Process(peer.process.pid)
    before = process.num_fds()
    for _ in range(300):
        peer.call("session exists", session="lisa-none")
    assert process.num_fds() <= before + 2 and process.num_threads() <= 4
