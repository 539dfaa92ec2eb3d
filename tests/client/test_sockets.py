"""Sockets of sessions against a server that follows a script: ends of every kind, order, messages."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from lisa_py.client import (
    APIError,
    AsyncSessionSocket,
    AuthenticationError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    ServerUnreachableError,
    SessionSocket,
    SocketClosedError,
    SocketHandlers,
    SocketOptions,
    TransferError,
)
from lisa_py.contract.live import AssistantPayload, LiveFrame
from tests.client.socket_server import Connection, TestSource, frame, history, serving
from tests.polling import wait_until

FAST = SocketOptions(reconnect_delay=0.01, open_timeout=5)
END = {"type": "session_end", "payload": {"reason": "completed"}, "cursor": "t.x.99.0"}


def words(frames: list[LiveFrame]) -> list[str]:
    return [each.payload.content if isinstance(each.payload, AssistantPayload) else each.type for each in frames]


def finish(connection: Connection) -> None:
    connection.send(history(), END)
    connection.close()


def test_frames_of_all_connections_are_unique_and_ordered() -> None:
    def killed(connection: Connection) -> None:
        connection.send(history(1, 2), frame(3))
        connection.cut()

    def restarted(connection: Connection) -> None:
        connection.send(history(4), frame(5))
        connection.close(1012)

    def slow(connection: Connection) -> None:
        connection.send(history(), frame(6), "no JSON", "[]", {"type": "new"})
        connection.close(1013)

    with serving(killed, restarted, 503, slow, finish) as server:
        socket = SessionSocket(server.url, options=FAST)
        frames = list(socket)
        assert words(frames) == [f"text {n}" for n in range(1, 7)] + ["new", "session_end"]
        assert (socket.has_ended, socket.cursor, socket.state) == (True, "t.x.99.0", "disconnected")
        since = [None, "t.x.3.0", "t.x.5.0", "t.x.5.0", "t.x.6.0"]
        assert server.paths == ["/v1/ws/sessions/s" + (f"?since={cursor}" if cursor else "") for cursor in since]
        socket.disconnect()


def test_socket_continues_after_a_cursor() -> None:
    with serving(finish) as server, SessionSocket(server.url + "?token=a%2Bb", since="t.x.3.0") as socket:
        assert words(list(socket)) == ["session_end"]
        assert server.paths == ["/v1/ws/sessions/s?token=a%2Bb&since=t.x.3.0"]


@pytest.mark.parametrize("code", [4003, 4004, 4009, 1009, 1002])
def test_final_close_is_an_error_after_the_frames(code: int) -> None:
    def close(connection: Connection) -> None:
        connection.send(history(1))
        connection.close(code)

    with serving(close) as server, SessionSocket(server.url, options=FAST) as socket:
        reading = iter(socket)
        assert words([next(reading)]) == ["text 1"]
        with pytest.raises(SocketClosedError) as caught:
            next(reading)
        assert caught.value.code == code and len(server.requests) == 1


def test_normal_close_ends_without_an_error() -> None:
    with serving(lambda connection: connection.send(history(1)) or connection.close(1000)) as server:  # type: ignore[func-returns-value]
        socket = SessionSocket(server.url, options=FAST)
        assert words(list(socket)) == ["text 1"] and not socket.has_ended
        socket.disconnect()


@pytest.mark.parametrize(("status", "kind"), [(403, ForbiddenError), (404, NotFoundError), (409, ConflictError)])
def test_refused_handshake_is_the_error_of_the_api(status: int, kind: type[Exception]) -> None:
    with serving(status) as server:
        socket = SessionSocket(server.url, options=FAST)
        with pytest.raises(kind, match=f"refused {status}"):
            socket.connect()
        assert socket.state == "disconnected"
        socket.disconnect()


def test_missing_server_is_an_immediate_error() -> None:
    with serving() as server:
        url = server.url
    socket = SessionSocket(url)
    with pytest.raises(ServerUnreachableError):
        socket.connect()
    socket.disconnect()


def test_attempts_are_limited() -> None:
    with serving(lambda connection: connection.cut(), *[503] * 3) as server:
        socket = SessionSocket(server.url, options=SocketOptions(reconnect_delay=0.01, max_reconnect_attempts=3))
        with pytest.raises(APIError, match="refused 503"):
            list(socket)
        assert len(server.requests) == 4
        socket.disconnect()


def test_token_is_renewed_at_its_end_and_once_in_a_row() -> None:
    def expire(connection: Connection) -> None:
        connection.send(history(1))
        connection.close(4001)

    with serving(401, expire, finish) as server:
        socket = SessionSocket(TestSource(server.url), options=FAST)
        assert words(list(socket)) == ["text 1", "session_end"]
        assert [request.headers["Authorization"] for request in server.requests] == [
            "Bearer t0",
            "Bearer t1",
            "Bearer t2",
        ]
        socket.disconnect()
    with serving(401, 401) as server:
        source = TestSource(server.url)
        socket = SessionSocket(source, options=FAST)
        with pytest.raises(AuthenticationError, match="refused 401"):
            socket.connect()
        assert (source.tokens, len(server.requests)) == (1, 2)
        socket.disconnect()
    with serving(expire) as server, pytest.raises(SocketClosedError, match="4001"):
        list(SessionSocket(TestSource(server.url, can_renew=False), options=FAST))


def test_messages_reach_the_server_in_order() -> None:
    got: list[dict[str, Any]] = []

    def take(connection: Connection) -> None:
        connection.send(history())
        got.extend(connection.read() for _ in range(6))
        finish(connection)

    with serving(take) as server, SessionSocket(server.url) as socket:
        socket.send_prompt("one", prompt_id="p1")
        socket.send_interrupt()
        socket.approve("t1", scope="session", pattern="Bash(git:*)")
        socket.deny("t2", "not now")
        socket.answer("q1", {"Kind": "A"})
        socket.request_download(request_id="r", path="out.txt")
        list(socket)
    assert [each["type"] for each in got] == [
        "prompt", "interrupt", "tool_approval_response", "tool_approval_response", "ask_user_question_response",
        "download_request",
    ]  # fmt: skip
    assert got[0]["payload"] == {"text": "one", "prompt_id": "p1"} and "payload" not in got[1]
    assert got[3]["payload"]["message"] == "not now"


def test_disconnect_right_after_a_prompt_delivers_it() -> None:
    with serving(lambda connection: connection.send(history())) as server:
        for number in range(3):
            server._scripts[:] = [lambda connection: connection.send(history())]
            socket = SessionSocket(server.url).connect()
            socket.send_prompt("x" * 200_000 + str(number))
            socket.disconnect()
            socket.disconnect()
    sent = [json.loads(each)["payload"]["text"][-1] for each in server.leftovers]
    assert sent == ["0", "1", "2"]


def test_lost_answer_is_requested_again() -> None:
    payload = {"tool_use_id": "t", "tool_name": "Bash", "tool_input": {}}
    asked = {"type": "tool_approval_request", "payload": payload, "cursor": "t.x.1.0"}

    def lose(connection: Connection) -> None:
        connection.send(history(1), asked)
        connection.read()
        connection.cut()

    def repeat(connection: Connection) -> None:
        connection.send(history(), asked)
        assert connection.read()["payload"]["approved"] is True
        finish(connection)

    with serving(lose, repeat) as server, SessionSocket(server.url, options=FAST) as socket:
        seen = []
        for each in socket:
            seen.append(each.type)
            if each.type == "tool_approval_request":
                socket.approve(each)
    assert seen == ["assistant", "tool_approval_request", "tool_approval_request", "session_end"]


def test_too_long_message_is_not_sent() -> None:
    def take(connection: Connection) -> None:
        connection.send(history())
        assert connection.read()["payload"] == {"text": "short"}
        finish(connection)

    with serving(take) as server, SessionSocket(server.url) as socket:
        with pytest.raises(APIError, match="at most 1048576 bytes") as caught:
            socket.send_prompt("ä" * 600_000)
        assert (caught.value.error, caught.value.status) == ("too_large", 413)
        socket.send_prompt("short")
        assert words(list(socket)) == ["session_end"]


def test_nothing_is_sent_without_a_connection() -> None:
    socket = SessionSocket("ws://localhost:1/")
    with pytest.raises(SocketClosedError, match="disconnected"):
        socket.send_prompt("lost")


def test_prompts_may_wait_for_the_next_connection() -> None:
    gate = threading.Event()
    got: list[dict[str, Any]] = []

    def take(connection: Connection) -> None:
        got.extend(connection.read() for _ in range(2))
        finish(connection)

    states: list[str] = []
    with serving(lambda connection: connection.cut(), 503, take) as server:
        options = SocketOptions(reconnect_delay=0.2, queue_while_disconnected=True)
        socket = SessionSocket(server.url, SocketHandlers(on_connection_change=states.append), options)
        socket.connect()
        while socket.state == "connected":
            gate.wait(0.01)
        socket.send_prompt("one")
        socket.send_prompt("two")
        socket.run()
        socket.disconnect()
    assert [each["payload"]["text"] for each in got] == ["one", "two"]
    assert states == ["connecting", "connected", "reconnecting", "connected", "disconnected"]


def test_prompts_that_could_not_be_sent_are_reported() -> None:
    with serving(lambda connection: connection.cut()) as server:
        options = SocketOptions(reconnect_delay=30, open_timeout=1, queue_while_disconnected=True)
        socket = SessionSocket(server.url, options=options).connect()
        wait_until(lambda: socket.state == "reconnecting")
        socket.send_prompt("one")
        with pytest.raises(SocketClosedError, match="1 messages were not sent"):
            socket.disconnect()


def test_heartbeats_are_sent_automatically() -> None:
    beats: list[str] = []

    def count(connection: Connection) -> None:
        connection.send(history())
        while len(beats) < 3:
            beats.append(str(connection.inner.recv(timeout=10)))
        finish(connection)

    with serving(count) as server, SessionSocket(server.url, options=SocketOptions(heartbeat_interval=0.02)) as socket:
        list(socket)
    assert beats == ['{"type":"heartbeat"}'] * 3


def test_handlers_run_in_the_calling_thread() -> None:
    seen: list[tuple[str, int]] = []

    def talk(connection: Connection) -> None:
        connection.send(history(1), frame(2, "user"))
        finish(connection)

    handlers = SocketHandlers(
        on_message=lambda each: seen.append((each.type, threading.get_ident())),
        on_assistant=lambda each: seen.append(("handler", threading.get_ident())),
    )
    with serving(talk) as server:
        socket = SessionSocket(server.url, handlers)
        socket.run()
        socket.disconnect()
    assert [kind for kind, _ in seen] == ["assistant", "handler", "user", "session_end"]
    assert {thread for _, thread in seen} == {threading.get_ident()}


def test_coroutine_handlers_need_the_async_socket() -> None:
    seen: list[str] = []

    async def note(each: LiveFrame) -> None:
        await asyncio.sleep(0)
        seen.append(each.type)

    async def run(url: str) -> None:
        async with AsyncSessionSocket(url, SocketHandlers(on_message=note)) as socket:
            await socket.run()

    with serving(finish, finish) as server:
        asyncio.run(run(server.url))
        with SessionSocket(server.url, SocketHandlers(on_message=note)) as socket, pytest.raises(TypeError):
            socket.run()
    assert seen == ["session_end"]


def test_reader_of_another_thread_ends_at_disconnect() -> None:
    with serving(lambda connection: connection.send(history(1))) as server:
        socket = SessionSocket(server.url).connect()
        found: list[str] = []
        first = threading.Event()

        def read() -> None:
            for each in socket:
                found.append(each.type)
                first.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert first.wait(10)
        socket.disconnect()
        reader.join(10)
        assert not reader.is_alive() and found == ["assistant"]


def test_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s.sock")
    with serving(finish, path=path) as server:
        with SessionSocket(TestSource(server.url, path=path)) as socket:
            assert words(list(socket)) == ["session_end"]
        assert server.requests[0].headers["Authorization"] == "Bearer t0"


def test_refused_transfer_is_an_error() -> None:
    def refuse(connection: Connection) -> None:
        request = connection.read()["payload"]["request_id"]
        other = {"code": "file_error", "message": "other", "request_id": "other"}
        connection.send(history(1), {"type": "error", "payload": other})
        connection.send({"type": "error", "payload": {**other, "message": "no such file", "request_id": request}})
        finish(connection)

    with serving(refuse, lambda connection: connection.read() and connection.cut()) as server:
        with SessionSocket(server.url) as socket:
            with pytest.raises(TransferError, match="no such file"):
                socket.download_file("none.txt")
            assert words(list(socket)) == ["text 1", "error", "error", "session_end"]
        socket = SessionSocket(server.url, options=SocketOptions(auto_reconnect=False)).connect()
        with pytest.raises(SocketClosedError, match="ended before the answer"):
            socket.upload_file(b"text", "name.txt")
        socket.disconnect()


def test_address_of_a_socket_is_checked() -> None:
    with pytest.raises(ValueError, match="expected ws"):
        SessionSocket("http://127.0.0.1/")
