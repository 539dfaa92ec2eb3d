"""Sockets of real sessions on a real server: conversation, dialogs, restarts of the server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lisa_py.client import (
    AsyncSessionsClient,
    ForbiddenError,
    NotFoundError,
    SessionsClient,
    SessionSocket,
    SocketHandlers,
    SocketOptions,
)
from lisa_py.contract.live import (
    ApprovalPayload,
    AssistantPayload,
    ErrorPayload,
    LiveFrame,
    QuestionPayload,
    ToolResultPayload,
    UserPayload,
)
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.server_kit import RunningServer, serving

FAST = SocketOptions(reconnect_delay=0.05, max_reconnect_attempts=40, max_reconnect_delay=0.2)


@pytest.fixture
def blocking(server: RunningServer) -> Iterator[SessionsClient]:
    with SessionsClient(server.url, api_key=server.key) as client:
        yield client


def read_until(frames: Iterator[LiveFrame], text: str) -> list[LiveFrame]:
    """Return the frames up to an answer that ends with a text."""
    found = []
    for frame in frames:
        found.append(frame)
        if isinstance(frame.payload, AssistantPayload) and str(frame.payload.content).endswith(text):
            return found
    raise AssertionError(f"no answer {text!r}: {found}")


def test_conversation_over_a_socket(blocking: SessionsClient) -> None:
    chat = blocking.create_session(prompt="[say one]")
    with blocking.open_socket(chat.id) as socket:
        frames = iter(socket)
        first = read_until(frames, "one")
        socket.send_prompt("[say two]", prompt_id="p-1")
        second = read_until(frames, "two")
        prompts = [each.payload for each in (*first, *second) if isinstance(each.payload, UserPayload)]
        assert [each.content for each in prompts] == ["[say one]", "[say two]"] and prompts[1].prompt_id == "p-1"
        socket.send_prompt("[think 60] [say never]")
        wait_until(lambda: blocking.get_session(chat.id).lisa_state == "in_progress", what="it works")
        socket.send_interrupt()
        assert any(each.type == "system" and each.payload.subtype == "interrupted" for each in frames)  # type: ignore[union-attr]
        blocking.terminate_session(chat.id)
        assert [each.type for each in frames][-1] == "session_end" and socket.has_ended
    with blocking.open_socket(chat.id, since=second[-1].cursor) as later:
        assert not {each.cursor for each in later} & {each.cursor for each in (*first, *second)}


def test_dialogs_are_answered_over_a_socket(blocking: SessionsClient) -> None:
    script = "[ask touch a.txt] [ask touch b.txt] [choose Which one? | Red | Blue] [say done]"
    chat = blocking.create_session(prompt=script, permission_mode="acceptEdits")
    asked: list[LiveFrame] = []
    with blocking.open_socket(chat.id) as socket:
        for frame in socket:
            if isinstance(frame.payload, ApprovalPayload):
                asked.append(frame)
                if len(asked) == 1:
                    socket.approve(frame)
                else:
                    socket.deny(frame, "not this one")
            elif isinstance(frame.payload, QuestionPayload):
                asked.append(frame)
                socket.answer(frame, "Blue")
            elif isinstance(frame.payload, AssistantPayload) and frame.payload.content == "done":
                break
            assert not isinstance(frame.payload, ErrorPayload), frame
    assert [each.type for each in asked] == ["tool_approval_request"] * 2 + ["ask_user_question"]
    results = [
        each.payload for each in blocking.get_history(chat.id).messages if isinstance(each.payload, ToolResultPayload)
    ]
    assert [bool(each.is_error) for each in results[:2]] == [False, True]
    blocking.terminate_session(chat.id)


def test_killed_server_loses_and_repeats_no_frame(machine: LisaHost) -> None:
    """The server is killed twice in mid-stream and started on the same port; both sockets follow."""
    server = RunningServer(machine, "--agent", "scripted")
    server.register()
    with SessionsClient(server.url, api_key=server.key) as client:
        chat = client.create_session(prompt=" ".join(f"[say line {n}] [wait 0.02]" for n in range(60)) + " [say end]")
        seen: list[str] = []
        states: list[str] = []
        socket = client.open_socket(
            chat.id,
            SocketHandlers(
                on_assistant=lambda frame: seen.append(frame.payload.content),  # type: ignore[union-attr, arg-type]
                on_connection_change=states.append,
            ),
            FAST,
        )
        awaited: list[str] = []

        async def follow() -> None:
            async with (
                AsyncSessionsClient(server.url, api_key=server.key) as awaiting,
                awaiting.open_socket(chat.id, options=FAST) as other,
            ):
                async for frame in other:
                    if isinstance(frame.payload, AssistantPayload):
                        awaited.append(str(frame.payload.content))
                        if awaited[-1] == "after":
                            return

        reader, follower = threading.Thread(target=socket.run), threading.Thread(target=lambda: asyncio.run(follow()))
        reader.start()
        follower.start()
        wait_until(lambda: awaited, what="the other socket is open")  # only an open one connects again
        for goal in (5, 25):
            wait_until(lambda goal=goal: len(seen) >= goal, what="frames arrive")  # type: ignore[misc]
            server.kill()
            wait_until(lambda: socket.state == "reconnecting", what="the loss is seen")
            server = RunningServer(machine, "--agent", "scripted", port=server.port)
            wait_until(lambda: socket.state == "connected", what="the socket is connected again")
        wait_until(lambda: seen[-1:] == ["end"], what="the conversation is whole")
        assert seen == [*(f"line {n}" for n in range(60)), "end"]
        socket.send_prompt("[say after]")
        wait_until(lambda: seen[-1] == "after", what="prompts arrive again")
        socket.disconnect()
        reader.join(10)
        follower.join(10)
        assert awaited == seen
        assert states == ["connecting", "connected", *["reconnecting", "connected"] * 2, "disconnected"]
        client.terminate_session(chat.id)
    server.end()


def test_restart_at_an_open_dialog_asks_once(machine: LisaHost) -> None:
    server = RunningServer(machine, "--agent", "scripted")
    server.register()
    with SessionsClient(server.url, api_key=server.key) as client:
        chat = client.create_session(prompt="[ask touch a.txt] [say done]", permission_mode="acceptEdits")
        socket = client.open_socket(chat.id, options=FAST)
        frames = iter(socket)
        asked = next(frame for frame in frames if isinstance(frame.payload, ApprovalPayload))
        assert server.end() == 0
        server = RunningServer(machine, "--agent", "scripted", port=server.port)
        wait_until(lambda: socket.state == "connected", what="the socket is connected again")
        socket.approve(asked)
        rest = read_until(frames, "done")
        assert not [frame for frame in rest if isinstance(frame.payload, ApprovalPayload)]
        socket.disconnect()
        client.terminate_session(chat.id)
    server.end()


def test_async_socket_with_coroutine_handlers(server: RunningServer) -> None:
    async def talk() -> list[str]:
        texts: list[str] = []

        async def note(frame: LiveFrame) -> None:
            assert isinstance(frame.payload, AssistantPayload)
            texts.append(str(frame.payload.content))
            if len(texts) == 1:
                await socket.send_prompt("[say second]")
            else:
                await client.terminate_session(chat.id)

        async with AsyncSessionsClient(server.url, api_key=server.key) as client:
            chat = await client.create_session(prompt="[say first]")
            async with client.open_socket(chat.id, SocketHandlers(on_assistant=note)) as socket:
                await socket.run()
                assert socket.has_ended
        return texts

    assert asyncio.run(talk()) == ["first", "second"]


def test_disconnect_right_after_a_prompt_still_sends_it(blocking: SessionsClient) -> None:
    chat = blocking.create_session(prompt="[say one]")
    socket = SessionSocket(blocking.get_websocket_url(chat.id)).connect()
    read_until(iter(socket), "one")
    socket.send_prompt("[say two]")
    socket.disconnect()

    def texts() -> list[Any]:
        messages = blocking.get_history(chat.id).messages
        return [each.payload.content for each in messages if isinstance(each.payload, AssistantPayload)]

    wait_until(lambda: texts() == ["one", "two"], what="the prompt is answered")
    blocking.terminate_session(chat.id)


def test_refused_sockets_have_the_errors_of_the_api(blocking: SessionsClient) -> None:
    started = blocking.start_session(prompt="[say x]", profile={"one_shot": False})
    assert started.session_id is not None
    with pytest.raises(NotFoundError):
        blocking.open_socket("00000000-0000-5000-8000-000000000000").connect()
    with pytest.raises(ForbiddenError):
        blocking.open_socket(started.session_id).connect()
    with blocking.open_socket(started.session_id, family="org") as socket:
        frames = iter(socket)
        read_until(frames, "x")
        socket.send_prompt("no")
        refused = next(frame.payload for frame in frames if isinstance(frame.payload, ErrorPayload))
        assert refused.code == "read_only"
    blocking.terminate_session(started.session_id, family="org")


def test_expired_token_is_renewed(blocking: SessionsClient, server: RunningServer) -> None:
    """After a refused handshake the client mints another token and continues, for calls and sockets."""
    chat = blocking.create_session(prompt="[say one]")
    expired = server.call("POST", "/jwt", raw=f"secret={server.key}&oid=-&expiry=1000".encode(), token="").body["jwt"]
    for use in (lambda: blocking.get_session(chat.id), lambda: blocking.open_socket(chat.id).connect().disconnect()):
        blocking.core._token = type(blocking.core._token)(expired, float("inf"))  # type: ignore[call-arg, misc, arg-type]
        use()
        assert blocking.core._token is not None and blocking.core._token.text != expired
    blocking.terminate_session(chat.id)


def test_unix_socket_carries_calls_and_the_conversation(machine: LisaHost) -> None:
    path = str(machine.folder / "api.sock")
    flags = ("--agent", "scripted", "--socket", path)
    with serving(machine, *flags) as server, SessionsClient(f"unix:{path}", api_key=server.key) as client:
        client.register()
        chat = client.create_session(prompt="[say over unix]")
        with client.open_socket(chat.id) as socket:
            read_until(iter(socket), "over unix")

        async def end() -> bool:
            async with AsyncSessionsClient(f"unix:{path}", api_key=server.key) as awaiting:
                async with awaiting.open_socket(chat.id) as awaited:
                    assert (await anext(aiter(awaited))).type == "user"
                return (await awaiting.terminate_session(chat.id)).terminated

        assert asyncio.run(end())
