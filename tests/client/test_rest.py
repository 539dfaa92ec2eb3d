"""Every method of both clients against a real server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lisa_py.client import (
    NO_RETRY,
    APIError,
    AsyncSessionsClient,
    AuthenticationError,
    ConflictError,
    ForbiddenError,
    InvalidFieldsError,
    NotFoundError,
    RateLimitError,
    Retry,
    ServerUnreachableError,
    SessionsClient,
    read_extra,
)
from lisa_py.contract.live import AssistantPayload
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.server_kit import RunningServer, serving
from tests.session_harness import SessionHarness


def read_texts(client: Any, session_id: str, family: str = "user") -> list[str]:
    frames = client.get_history(session_id, family=family).messages
    return [str(frame.payload.content) for frame in frames if isinstance(frame.payload, AssistantPayload)]


def test_chat_lifecycle(client: Any) -> None:
    assert client.register().registered_at == client.register().registered_at
    made = client.create_session(prompt="[say hello there]", name="Chat", max_turns=9, novelty=1)
    assert (made.status, made.name, made.max_turns, made.session_type) == ("running", "Chat", 9, "user")
    assert "unknown key: novelty" in made.warnings
    wait_until(lambda: read_texts(client, made.id) == ["hello there"], what="the answer is recorded")
    assert client.get_session(made.id).initial_prompt == "[say hello there]"
    assert made.id in [each.id for each in client.list_sessions(status="running").sessions]
    with pytest.raises(ConflictError) as caught:
        client.delete_session_record(made.id)
    assert (caught.value.error, caught.value.status) == ("session_not_ended", 409)
    assert client.terminate_session(made.id).terminated
    ended = client.get_session(made.id)
    assert (ended.status, ended.end_reason) == ("ended", "user_requested")
    assert read_texts(client, made.id) == ["hello there"]
    assert client.delete_session_record(made.id).deleted
    with pytest.raises(NotFoundError) as gone:
        client.get_session(made.id)
    assert gone.value.error == "session_not_found" and made.id in gone.value.message


def test_start_of_a_project_session_once_per_key(client: Any) -> None:
    key = f"key-{type(client).__name__}"
    first = client.start_session(prompt="[say one]", idempotent_key=key, profile={"one_shot": False})
    again = client.start_session(prompt="[say one]", idempotent_key=key)
    assert (first.session_id, first.deduplicated or False) == (again.session_id, False)
    assert again.deduplicated is True
    wait_until(lambda: read_texts(client, first.session_id, "org") == ["one"], what="the answer is recorded")
    found = client.get_session(first.session_id, family="org")
    assert (found.session_type, found.idempotent_key) == ("api", key)
    with pytest.raises(NotFoundError):
        client.get_session(first.session_id)
    frames = client.get_history(first.session_id, family="org").messages
    newer = client.get_history(first.session_id, since=frames[0].cursor, family="org")
    assert [each.cursor for each in newer.messages] == [each.cursor for each in frames[1:]]
    older = client.get_history(first.session_id, before=frames[-1].cursor, family="org")
    assert [each.cursor for each in older.messages] == [each.cursor for each in frames[:-1]]
    assert client.terminate_session(first.session_id, family="org").terminated


def test_refusals_have_types(client: Any, server: RunningServer) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        client.create_session(max_turns=0)
    assert (caught.value.status, caught.value.details["fields"]) == (422, ["max_turns"])
    with pytest.raises(NotFoundError):
        client.get_history("none")
    chat = client.create_session(prompt="[say x]")
    for ask in (
        lambda: client.list_sessions(cursor="broken"),
        lambda: client.get_history(chat.id, since="broken"),
        lambda: client.get_history(chat.id, before="broken"),
    ):
        with pytest.raises(APIError) as cursor:
            ask()
        assert (cursor.value.status, cursor.value.error) == (400, "invalid_cursor")
    client.terminate_session(chat.id)
    with pytest.raises(NotFoundError) as command:
        client.run_command("session none")
    assert command.value.error == "unknown_command"
    with SessionsClient(server.url, api_key=server.read_key, retry=NO_RETRY) as reader:
        assert reader.list_sessions().sessions is not None
        with pytest.raises(ForbiddenError) as forbidden:
            reader.create_session()
    assert forbidden.value.error == "forbidden"
    for options in ({"api_key": "wrong"}, {"token": "wrong"}, {}):
        with SessionsClient(server.url, **options) as stranger, pytest.raises(AuthenticationError):
            stranger.list_sessions()


def test_commands_run_by_their_name(client: Any, server: RunningServer) -> None:
    SessionHarness(server.machine, "lisa-by-name").spawn("[say x]")
    found = client.run_command("session status", session="lisa-by-name", project_root=str(server.machine.project))
    assert (found["session"], found["agent"]) == ("lisa-by-name", "scripted")
    assert client.run_command("session kill", session="lisa-by-name")["ok"] is True


def test_pages_neither_repeat_nor_miss_while_sessions_start(machine: LisaHost) -> None:
    with serving(machine, "--agent", "scripted") as server, SessionsClient(server.url, api_key=server.key) as client:
        known = [client.start_session(prompt="[say x]", name=f"n{n}").session_id for n in range(5)]
        wait_until(lambda: len(client.list_sessions(family="org").sessions) == 5, what="all are listed")
        found = client.iter_sessions(page_size=2, family="org")
        first = [next(found).id for _ in range(2)]
        added = client.start_session(prompt="[say x]", name="later").session_id
        rest = [each.id for each in found]
        assert sorted({*first, *rest} - {added}) == sorted(known)  # a session of the same second may come behind
        assert len({*first, *rest}) == len([*first, *rest])

        async def collect() -> list[str]:
            async with AsyncSessionsClient(server.url, api_key=server.key) as awaiting:
                return [each.id async for each in awaiting.iter_sessions(page_size=4, family="org")]

        assert sorted(asyncio.run(collect())) == sorted([*known, str(added)])


def test_flood_of_starts_is_a_rate_limit(machine: LisaHost) -> None:
    flags = ("--agent", "scripted", "--max-creations", "1")
    with serving(machine, *flags) as server, SessionsClient(server.url, api_key=server.key) as client:
        client.register()
        assert client.create_session(prompt="[say x]").status == "running"
        with pytest.raises(RateLimitError) as caught:
            client.create_session(prompt="[say x]")
    assert caught.value.error == "rate_limited" and 0 < (caught.value.retry_after or 0) <= 60


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_moved_server_is_followed(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of the local server finds it by the state folder: on a Unix socket, then on a port.

    httpcore 1.0.9 does not close the socket of a refused connection itself.
    """
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    path = str(machine.folder / "api.sock")
    with serving(machine, "--socket", path), SessionsClient.local(retry=Retry(retry_delay=0.01)) as client:
        assert client.core.place.socket == path
        assert client.list_sessions().sessions == ()
        kept = client
    with serving(machine) as server:
        assert kept.list_sessions().sessions == ()
        assert kept.core.place.url == server.url and not kept.core.place.socket
        with SessionsClient.local(scope="read") as reader, pytest.raises(ForbiddenError):
            reader.create_session()
        kept.close()


def test_missing_server_has_its_own_error() -> None:
    client = SessionsClient("http://127.0.0.1:1", token="t", retry=NO_RETRY)
    with pytest.raises(ServerUnreachableError, match="is lisa serve running"):
        client.list_sessions()
    client.close()
    with pytest.raises(ValueError, match="not both"):
        SessionsClient("http://127.0.0.1:1", token="t", api_key="k")


def test_answers_keep_unknown_fields(client: Any) -> None:
    made = client.create_session(prompt="[say x]", idempotent_key=f"k-{type(client).__name__}")
    again = client.create_session(prompt="[say x]", idempotent_key=f"k-{type(client).__name__}")
    assert read_extra(made) == {} and read_extra(again) == {"deduplicated": True}
    client.terminate_session(made.id)
