"""`POST /commands/NAME`: answers, refusals, events as lines, rights of a token."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from anyio import CapacityLimiter

from lisa_py import commands
from lisa_py.contract.peer import PeerRequest
from lisa_py.core.context import Context
from lisa_py.host.cancellation import Cancellation
from lisa_py.server import command_response
from lisa_py.server.command_response import CommandResponse
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.repository import Repository
from tests.server_kit import RunningServer
from tests.session_harness import SessionHarness


@pytest.fixture(scope="module")
def idle(server: RunningServer) -> SessionHarness:
    """Return an idle session of the scripted agent with one turn."""
    stage = SessionHarness(server.machine, "lisa-idle-1").spawn("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")
    return stage


@contextlib.contextmanager
def open_stream(server: RunningServer, name: str, args: dict[str, Any]) -> Iterator[http.client.HTTPResponse]:
    """Yield the answer of a command while it runs."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(connection):
        headers = {"Authorization": f"Bearer {server.key}", "X-LC-OID": server.project_id}
        connection.request("POST", f"/commands/{name}", json.dumps(args), headers)
        yield connection.getresponse()


def test_answers_are_those_of_the_command_line(server: RunningServer, idle: SessionHarness) -> None:
    for name, form in (("exists", "json"), ("history", "json"), ("status", "json-min")):
        printed = server.machine.lisa("session", name, "--session", idle.name, f"--{form}").json
        reply = server.call("POST", f"/commands/session/{name}?format={form}", {"session": idle.name})
        assert (reply.status, reply.headers["lisa-exit-code"]) == (200, "0")
        assert reply.body == {key: value for key, value in printed.items() if key != "stderrPolicy"}


def test_worktree_ask_and_resume_over_http(server: RunningServer) -> None:
    main = Repository(server.machine).create()
    name = "lisa-tree-1"

    def call(command: str, **more: Any) -> Any:
        return server.call("POST", f"/commands/session/{command}", {"session": name, **more}).body

    tree = main.at(call("spawn", agent="scripted", worktree=True)["folder"])
    assert call("ask", text="[say six]")["text"] == "six"
    tree.commit("work", b_txt="two\n")
    assert call("diff")["changed"] == 1
    listed = server.call("POST", "/commands/session/list").body["worktrees"]
    assert [(each["session"], each["commits"]) for each in listed] == [(name, 1)]
    assert "session_running" in str(call("resume"))
    assert call("fork", **{"as": "lisa-tree-2"})["session"] == "lisa-tree-2"
    assert server.call("POST", "/commands/session/kill", {"session": "lisa-tree-2"}).body["found"]
    assert not call("kill")["worktrees"][0]["removed"]
    assert call("merge")["worktree"]["removed"]
    assert server.call("POST", "/commands/usage", {"by": "session"}).body["by"] == "session"


def test_a_text_is_queued_and_followed(server: RunningServer, idle: SessionHarness) -> None:
    given = {"session": idle.name, "text": "[say queued]", "when": "idle"}
    queued = server.call("POST", "/commands/session/send", given).body
    assert queued["outboxState"] == "queued"

    def read_state() -> str:
        given = {"session": idle.name, "id": queued["outboxId"]}
        return str(server.call("POST", "/commands/session/outbox/show", given).body["state"])

    wait_until(lambda: read_state() == "answered", what="the text is answered")


def test_exit_code_is_a_header(server: RunningServer) -> None:
    reply = server.call("POST", "/commands/session/budget-enforce", {"tokens": 2, "max-tokens": "1"})
    assert (reply.status, reply.headers["lisa-exit-code"], reply.body["ok"]) == (200, "1", False)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("session/capture", {"session": "lisa-none"}, 404, "session_not_found"),
        ("no/such", {}, 404, "unknown_command"),
        ("serve", {}, 404, "unknown_command"),
        ("session/list", {"wrong": 1}, 422, "unknown_flag"),
        ("session/status", {}, 422, "missing_required_flag"),
        ("session/status", {"session": 5}, 422, "invalid_session"),
        ("session/monitor", {"session": "lisa-x", "maxPolls": "no"}, 422, "invalid_max_polls"),
        ("ai/usage/get", {"identity": "x", "project_root": "\0"}, 422, "invalid_project_root"),
        ("version?format=xml", {}, 400, "invalid_request"),
        ("version", [], 400, "invalid_request"),
    ],
)
def test_refusals_have_status_and_code(server: RunningServer, path: str, body: Any, status: int, code: str) -> None:
    reply = server.call("POST", f"/commands/{path}", body)
    assert (reply.status, reply.body["error"]) == (status, code)
    assert reply.body["message"]


def test_project_is_named_by_header_or_argument(server: RunningServer, idle: SessionHarness) -> None:
    for headers, more in (({}, {}), ({"X-LC-OID": "-"}, {"project_root": str(server.machine.project)})):
        reply = server.call("POST", "/commands/session/list", more, headers=headers)
        assert reply.body["sessions"] == [idle.name]
    reply = server.call("POST", "/commands/session/list", headers={"X-LC-OID": "none"})
    assert (reply.status, reply.body["error"]) == (404, "project_not_found")


def test_stdin_is_a_key_of_the_body(server: RunningServer) -> None:
    reply = server.call("POST", "/commands/secret/set", {"name": "of-the-test", "stdin": "value\n"})
    assert reply.status == 200
    assert server.call("POST", "/commands/secret/get", {"name": "of-the-test"}).body["value"] == "value"
    assert server.call("POST", "/commands/oauth/add", {"stdin": "sk-ant-oat01-of-the-test"}).status == 200


def test_events_are_lines_until_the_client_leaves(server: RunningServer, idle: SessionHarness) -> None:
    with open_stream(server, "session/attach", {"session": idle.name}) as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = []
        while "idle" not in str(lines[-1:]):
            lines.append(json.loads(answer.readline()))
        kinds = [line["event"]["type"] for line in lines]
        assert kinds[0] == "user" and "assistant" in kinds
        wait_until(lambda: _count_running(server) == 1, what="one command runs")
    wait_until(lambda: _count_running(server) == 0, what="the command has ended with its reader")


def test_last_line_is_the_answer(server: RunningServer, idle: SessionHarness) -> None:
    lines = _read_lines(server, "session/wait", {"sessions": idle.name, "any": True, "stream_json": True})
    assert lines[-1]["exitCode"] == 0 and "answer" in lines[-1]
    lines = _read_lines(server, "session/capture", {"session": "lisa-none"})
    assert [line["error"]["errorCode"] for line in lines] == ["session_not_found"]


def respond(machine: LisaHost, request: PeerRequest, send: Any, *, as_lines: bool = True, end: bool = False) -> None:
    """Run the response of a command to a reader that stays; with `end` the server ends meanwhile."""

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def run() -> None:
        cancellation = Cancellation()
        face: Any = SimpleNamespace(settings=machine.context().settings, cancellation=cancellation, log=print)
        scope = {"type": "http", "app": SimpleNamespace(state=SimpleNamespace(command_threads=CapacityLimiter(1)))}
        response = CommandResponse(face, request, cwd=str(machine.project), as_lines=as_lines)
        if end:
            asyncio.get_running_loop().call_later(0.05, cancellation.cancel)
        await response(scope, receive, send)

    asyncio.run(run())


@pytest.mark.parametrize("end", [False, True])
def test_stalled_reader_does_not_block_commands(machine: LisaHost, monkeypatch: pytest.MonkeyPatch, end: bool) -> None:
    monkeypatch.setattr(command_response, "END_SECONDS" if end else "READER_SECONDS", 0.1)
    tried: list[str] = []

    async def send(message: Any) -> None:
        tried.append(message["type"])
        await asyncio.Event().wait()

    began = time.monotonic()
    respond(machine, PeerRequest(command="version"), send, end=end)
    assert tried == ["http.response.start"] and time.monotonic() - began < 5


@pytest.mark.parametrize("as_lines", [False, True])
@pytest.mark.parametrize("name", ["version", "session capture"])
def test_positions_are_kept_before_the_last_byte(
    machine: LisaHost, monkeypatch: pytest.MonkeyPatch, name: str, as_lines: bool
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(Context, "commit_cursors", lambda ctx: sent.append("kept"))

    async def send(message: Any) -> None:
        sent.append(message)

    request = PeerRequest(command=name, args={} if name == "version" else {"session": "lisa-none"})
    respond(machine, request, send, as_lines=as_lines)
    head, body, kept, last = sent[:4]
    assert (head["type"], kept, len(last["body"])) == ("http.response.start", "kept", 1)
    assert body["more_body"] and not last.get("more_body") and json.loads(body["body"] + last["body"])


def _read_lines(server: RunningServer, name: str, args: dict[str, Any]) -> list[dict[str, Any]]:
    reply = server.call("POST", f"/commands/{name}", args, headers={"Accept": "application/x-ndjson"})
    assert (reply.status, reply.headers["content-type"]) == (200, "application/x-ndjson")
    text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
    return [json.loads(line) for line in text.splitlines()]


def _count_running(server: RunningServer) -> int:
    """Return the number of handles that watch the session's files: one per waiting command."""
    folder = Path(f"/proc/{server.process.pid}/fdinfo")
    return sum("inotify wd:" in _read_info(handle) for handle in folder.iterdir())


def _read_info(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # closed meanwhile
        return ""


def test_read_token_runs_what_only_reads(server: RunningServer, idle: SessionHarness) -> None:
    token = server.read_key
    assert server.call("POST", "/commands/session/status", {"session": idle.name}, token=token).status == 200
    written = {"session": idle.name, "raw": True, "cursor_file": "x"}
    reply = server.call("POST", "/commands/session/capture", written, token=token)
    assert (reply.status, reply.body["error"]) == (403, "forbidden")
    for path in commands.paths():
        command = commands.load(path)
        if command is not None and not command.reads and not command.face:
            reply = server.call("POST", "/commands/" + "/".join(path), {}, token=token)
            assert (reply.status, reply.body["error"]) == (403, "forbidden"), path


def test_flags_with_files_are_not_for_read_tokens() -> None:
    for path in commands.paths():
        command = commands.load(path)
        for field in command.fields if command is not None and command.reads else ():
            is_place = field.flag.metavar in ("PATH", "FILE", "TARGET", "URL") and field.name != "project_root"
            assert field.flag.acts or not is_place, (path, field.name)
