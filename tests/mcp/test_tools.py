"""The tools of `lisa mcp`, called by the client of the official SDK."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from mcp.shared.exceptions import MCPError

from tests.lisa_host import PROGRAM, LisaHost
from tests.mcp.mcp_client import McpClient, ToolReply
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture(scope="module")
def host() -> Iterator[LisaHost]:
    made = LisaHost()
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(host: LisaHost) -> Iterator[McpClient]:
    made = McpClient(host.env, host.project)
    yield made
    made.close()


def test_an_agent_is_started_read_answered_and_ended(host: LisaHost, client: McpClient) -> None:
    spawned = client.call("session_spawn", prompt="[ask touch made]", agent="scripted", name="lisa-child")
    assert spawned.answer == {"session": "lisa-child"}, spawned
    waited = client.call("session_wait", timeout=20).answer
    assert waited["sessions"][0]["waitingFor"] == "permission"
    assert waited["sessions"][0]["next"] == "session_status"
    asked = client.call("session_status", session="lisa-child").answer
    assert asked["dialogs"][0]["kind"] == "permission"
    assert [choice["number"] for choice in asked["choices"]] == [1, 2, 3]
    assert client.call("session_send", session="lisa-child", answer="yes").answer["delivered"] is True
    wait_until(lambda: (host.project / "made").exists(), what="the permitted command ran")
    assert (
        client.call("session_wait", sessions=["lisa-child"], timeout=20).answer["sessions"][0]["next"] == "session_send"
    )
    first = client.call("session_read", session="lisa-child").answer
    assert "touch made" in first["text"]
    sent = client.call("session_send", session="lisa-child", text="[say the last words]").answer
    assert sent["delivered"] is True
    client.call("session_wait", sessions=["lisa-child"], timeout=20)
    second = client.call("session_read", session="lisa-child", since=first["next"]).answer
    assert "the last words" in second["text"]
    assert "touch made" not in second["text"]
    listed = client.call("session_list", state="waiting_input").answer
    assert [row["session"] for row in listed["sessions"]] == ["lisa-child"]
    assert client.call("session_list", state="crashed").answer["count"] == 0
    ended = client.call("session_kill", session="lisa-child").answer
    assert (ended["found"], bool(ended["archive"])) == (True, True)


def test_failures_carry_the_error_code(client: McpClient) -> None:
    for tool, args, code in (
        ("session_status", {"session": "lisa-none"}, "session_not_found"),
        ("session_read", {"session": "lisa-none"}, "session_not_found"),
        ("session_send", {"session": "lisa-none", "text": "x"}, "session_not_found"),
        ("session_kill", {"session": "lisa-none"}, "session_not_found"),
        ("session_spawn", {"prompt": "x", "agent": "nobody"}, "invalid_agent"),
        ("session_spawn", {}, "invalid_arguments"),
        ("session_spawn", {"prompt": "x", "shell": "y"}, "invalid_arguments"),
        ("session_wait", {"timeout": 0}, "invalid_arguments"),
        ("session_wait", {}, "no_sessions"),
        ("session_send", {"session": "lisa-none"}, "missing_send_payload"),
        ("session_read", {"session": "../x"}, "invalid_session_name"),
    ):
        reply = client.call(tool, **args)
        assert reply.failed, (tool, args, reply)
        assert (reply.answer["errorCode"], reply.answer["ok"]) == (code, False), (tool, args, reply)
        assert reply.answer["error"]


def test_wait_timeout_asks_for_another_call(host: LisaHost, client: McpClient) -> None:
    stage = SessionHarness(host, "lisa-busy").spawn("[think 600]")
    waited = client.call("session_wait", sessions=[stage.name], timeout=1)
    assert not waited.failed
    assert (waited.answer["timedOut"], waited.answer["pending"]) == (True, [stage.name])
    assert waited.answer["next"].startswith("session_wait")
    client.call("session_kill", session=stage.name)


def test_a_wait_reports_changes_as_progress(host: LisaHost, client: McpClient) -> None:
    stage = SessionHarness(host, "lisa-changing").spawn("[think 600]")
    said: list[str] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        said.append(message or "")

    waiting = client.start(
        lambda session: session.call_tool(
            "session_wait", {"sessions": [stage.name], "timeout": 60}, progress_callback=note
        )
    )
    wait_until(lambda: f"{stage.name}: in_progress" in said, what="the first state is reported")
    client.call("session_send", session=stage.name, keys="Escape")
    assert "waiting_input" in str(waiting.result(20).content)
    client.call("session_kill", session=stage.name)


def read_command(process: psutil.Process) -> list[str]:
    """Return the command line; an ended process has none."""
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def test_sixty_calls_wait_at_the_same_time(host: LisaHost, client: McpClient) -> None:
    """The usual pool of forty threads would let the others wait for their turn."""
    stage = SessionHarness(host, "lisa-awaited").spawn("[think 600]")
    args = {"sessions": [stage.name], "timeout": 60}
    waiting = [client.start(lambda session: session.call_tool("session_wait", args)) for _ in range(60)]
    (server,) = [each for each in psutil.Process().children(recursive=True) if "mcp" in read_command(each)]
    wait_until(lambda: server.num_threads() > len(waiting), what="every call has a thread")
    assert not any(each.done() for each in waiting)
    assert client.call("session_status", session=stage.name).answer["session"] == stage.name
    assert client.call("session_kill", session=stage.name).answer["found"] is True
    for each in waiting:
        assert ToolReply(each.result(30)).answer["sessions"][0]["session"] == stage.name


@pytest.mark.parametrize("in_call", [False, True], ids=["at rest", "in a call"])
def test_server_ends_when_its_output_is_closed(host: LisaHost, in_call: bool) -> None:
    stage = SessionHarness(host, f"lisa-left-{in_call}".lower()).spawn("[think 600]")
    begin = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    call = {"name": "session_wait", "arguments": {"sessions": [stage.name], "timeout": 60}}
    messages: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": begin},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list"},
        *([{"id": 3, "method": "tools/call", "params": call}] if in_call else []),
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*PROGRAM, "mcp"], env=host.env, cwd=host.project, stdin=pipe, stdout=pipe, stderr=pipe
    ) as server:
        assert server.stdin is not None and server.stdout is not None and server.stderr is not None
        for message in messages:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            server.stdin.flush()
        assert b'"id":1' in server.stdout.readline()
        assert b'"id":2' in server.stdout.readline()
        process = psutil.Process(server.pid)
        wait_until(lambda: process.num_threads() > 1 or not in_call, what="the call waits")
        server.stdout.close()
        assert server.wait(5) == 0
        assert server.stderr.read() == b""
    assert stage.lisa("kill").code == 0


def test_resources_show_states_and_output(host: LisaHost, client: McpClient) -> None:
    stage = SessionHarness(host, "lisa-shown").spawn("[say shown words]")
    stage.wait_for_text("● shown words")
    listed = client.run(lambda session: session.list_resources()).resources
    assert [str(each.uri) for each in listed] == ["lisa://sessions", f"lisa://session/{stage.name}"]
    read = client.run(lambda session: session.read_resource(f"lisa://session/{stage.name}")).contents[0]
    found = json.loads(read.text)  # type: ignore[union-attr]
    assert (found["session"], "shown words" in found["output"]["text"]) == (stage.name, True)
    fleet = client.run(lambda session: session.read_resource("lisa://sessions")).contents[0]
    assert json.loads(fleet.text)["count"] == 1  # type: ignore[union-attr]
    templates = client.run(lambda session: session.list_resource_templates()).resource_templates
    assert [each.uri_template for each in templates] == ["lisa://session/{name}"]
    for uri in ("lisa://other", "lisa://session/lisa-none"):
        with pytest.raises(MCPError, match=r"unknown resource|session not found"):
            client.run(lambda session, uri=uri: session.read_resource(uri))  # type: ignore[misc]
    client.call("session_kill", session=stage.name)


def test_a_long_conversation_is_read_in_parts(host: LisaHost, client: McpClient) -> None:
    words = "[say " + "a" * 6000 + "]"
    stage = SessionHarness(host, "lisa-long").spawn(words)
    for _ in range(5):
        stage.wait_for_state("idle")
        assert client.call("session_send", session=stage.name, text=words).answer["delivered"] is True
    stage.wait_for_state("idle")
    newest = client.call("session_read", session=stage.name).answer
    assert newest["omitted"] is True
    whole, since, parts = "", "start", 0
    while True:
        part = client.call("session_read", session=stage.name, since=since).answer
        whole, since, parts = whole + part["text"], part["next"], parts + 1
        if not part.get("more"):
            break
    assert parts > 1
    assert whole.count("assistant:") == 6
    assert client.call("session_read", session=stage.name, since=since).answer["text"] == ""
    client.call("session_kill", session=stage.name)


def test_every_tool_has_schemas_and_search_words(client: McpClient) -> None:
    tools = {tool.name: tool for tool in client.run(lambda session: session.list_tools()).tools}
    assert list(tools) == [
        "session_spawn",
        "session_list",
        "session_wait",
        "session_status",
        "session_read",
        "session_send",
        "session_kill",
    ]
    for tool in tools.values():
        assert tool.input_schema["type"] == "object"
        assert tool.input_schema["additionalProperties"] is False
        assert all("description" in each for each in tool.input_schema["properties"].values())
        assert tool.output_schema is not None
    words = " ".join(tool.description or "" for tool in tools.values()).lower()
    for word in ("spawn", "start", "agent", "claude", "codex", "session", "wait", "tmux", "permission", "delegate"):
        assert word in words
