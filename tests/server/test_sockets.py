"""WebSockets of sessions: who may open one, what is sent, and how it ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from lisa_py.store import live_records
from tests.core.live.test_feed import fill_transcript
from tests.server_kit import RunningServer
from tests.session_harness import SessionHarness, make_chat

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def identify(stage: SessionHarness) -> str:
    record = live_records.read_readable(stage.ref)
    assert record is not None
    return record.id


@pytest.fixture(scope="module")
def chat(server: RunningServer) -> SessionHarness:
    """Return an idle chat with one turn."""
    stage = SessionHarness(server.machine, "lisa-chat-1").spawn()
    make_chat(stage.ref)
    stage.send("[say one]")
    stage.wait_for_text("● one")
    stage.wait_for_state("idle")
    return stage


@pytest.fixture(scope="module")
def job(server: RunningServer) -> SessionHarness:
    """Return an idle session of the project."""
    return SessionHarness(server.machine, "lisa-job-1").spawn()


@pytest.fixture
def own(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[SessionHarness]:
    """Yield an idle chat of one test."""
    stage = SessionHarness(server.machine, f"lisa-own-{abs(hash(request.node.name)) % 10**6}").spawn()
    make_chat(stage.ref)
    yield stage
    stage.lisa("kill")


def refuse(server: RunningServer, identity: str, **more: Any) -> tuple[int, str]:
    """Return status and error code of a refused handshake."""
    with pytest.raises(InvalidStatus) as refused, server.connect(identity, **more):
        pass
    body = json.loads(refused.value.response.body)
    assert refused.value.response.headers["content-type"] == "application/json"
    return refused.value.response.status_code, body["error"]


# -- handshake ------------------------------------------------------------------------------------------------------


def test_refusals_have_status_and_body(server: RunningServer, chat: SessionHarness, job: SessionHarness) -> None:
    found, log = identify(chat), server.error_file.read_text()
    assert refuse(server, found, token="") == (401, "unauthorized")
    assert refuse(server, found, token="wrong") == (401, "unauthorized")
    assert refuse(server, identify(job)) == (403, "not_owner")
    for family in ("user", "org"):
        assert refuse(server, UNKNOWN, family=family) == (404, "session_not_found")
        assert refuse(server, "no%20name", family=family) == (404, "session_not_found")
    assert refuse(server, found, path="/v1/ws/none/{id}") == (404, "not_found")
    assert refuse(server, found, query="?since=nonsense") == (400, "invalid_cursor")
    assert refuse(server, found, origin="http://evil.example") == (403, "foreign_origin")
    assert server.call("GET", "/v1/who").status == 200  # all lines about the refusals are written by now
    assert server.error_file.read_text() == log


def test_refusals_of_browsers_are_close_codes(server: RunningServer, chat: SessionHarness, job: SessionHarness) -> None:
    token = server.mint()
    for identity, given, query, code in (
        (identify(chat), "wrong", "", 4001),
        (identify(job), token, "", 4003),
        (UNKNOWN, token, "", 4004),
        (identify(chat), token, "since=nonsense", 4400),
    ):
        with server.connect(identity, token="", query=f"?token={given}&{query}") as reader:
            assert reader.read_close() == code
        offered = [Subprotocol("access_token"), Subprotocol(given)]
        with server.connect(identity, token="", query=f"?{query}", subprotocols=offered) as reader:
            assert reader.connection.subprotocol == "access_token"
            assert reader.read_close() == code


def test_token_in_query_protocol_or_header_opens(server: RunningServer, chat: SessionHarness) -> None:
    found, token = identify(chat), server.mint()
    offered = [Subprotocol("access_token"), Subprotocol(token)]
    with (
        server.connect(found) as by_header,
        server.connect(found, token="", query=f"?token={token}") as by_query,
        server.connect(found, token="", subprotocols=offered) as by_protocol,
        server.connect(found, path="/v1/sessions/{id}/ws") as by_old_path,
        server.connect(chat.name, family="org", path="/v1/org/sessions/{id}/ws") as by_name,
    ):
        for reader in (by_header, by_query, by_protocol, by_old_path, by_name):
            assert reader.read()["type"] == "history"
        assert by_header.connection.subprotocol is None
        assert by_protocol.connection.subprotocol == "access_token"
    assert token not in server.error_file.read_text()


def test_secret_of_no_refusal_is_logged(server: RunningServer, chat: SessionHarness) -> None:
    with server.connect(identify(chat), token="", query="?token=planted-token") as reader:
        assert reader.read_close() == 4001
    assert "planted-token" not in server.error_file.read_text()


# -- frames ---------------------------------------------------------------------------------------------------------


def test_history_is_first_then_each_frame_once(server: RunningServer, own: SessionHarness) -> None:
    found = identify(own)
    with server.connect(found) as first:
        history = first.read()
        assert history["type"] == "history" and history["payload"] == {"messages": []}
        own.send("[say one]")
        first.read_until("result")
        own.send("[say two]")
        cut = len(first.cursors)
        with (
            server.connect(found, family="org") as late,
            server.connect(found, query=f"?since={first.cursors[cut - 1]}") as resumed,
        ):
            readers = [first, late, resumed]
            own.send("[say three]")
            for reader in readers:
                while not any("three" in str(frame) for frame in reader.frames if frame["type"] != "user"):
                    reader.read()
                reader.read_until("result")
        assert late.cursors == first.cursors
        assert resumed.cursors == first.cursors[cut:]
        assert len(set(first.cursors)) == len(first.cursors)
        ids = {frame["session_id"] for reader in readers for frame in reader.frames}
        assert ids == {found}


def test_cut_history_has_the_number_of_messages(server: RunningServer, own: SessionHarness) -> None:
    own.send("[say one]")
    own.wait_for_text("● one")
    own.wait_for_state("idle")
    fill_transcript(Path(own.agent_state()["transcript"]), 12, size=500_000)
    with server.connect(identify(own)) as reader:
        payload = reader.read()["payload"]
    assert payload["truncated"] is True and 4 < len(payload["messages"]) < 12
    assert payload["total"] == 15


def test_missing_transcript_restarts_the_history(server: RunningServer, own: SessionHarness) -> None:
    own.send("[say one]")
    own.wait_for_text("● one")
    gone = "t.00000000.5.0"
    with server.connect(identify(own), query=f"?since={gone}") as reader:
        payload = reader.read()["payload"]
    assert (payload["reset"], payload["messages"][0]["type"]) == ("transcript_gone", "user")
    found = server.call("GET", f"/v1/sessions/{identify(own)}/history?since={gone}").body
    assert found == payload


def test_ended_session_has_history_end_and_close(server: RunningServer, own: SessionHarness) -> None:
    found = identify(own)
    own.send("[say one]")
    with server.connect(found) as live:
        while not any("result" in str(frame) for frame in live.frames):
            live.read()
        own.send("/exit")
        assert live.read_until("session_end")["payload"]["reason"] == "completed"
        assert live.read_close() == 1000
    own.wait_until_dead()
    for _ in range(2):
        with server.connect(found) as reader:
            assert reader.read()["type"] == "history"
            assert reader.read_close() == 1000
        assert [frame["type"] for frame in reader.frames].count("session_end") == 1
        assert reader.frames[-1]["type"] == "session_end"
        assert reader.cursors == live.cursors
        own.lisa("kill")


def test_session_killed_during_a_read_ends_once(server: RunningServer, own: SessionHarness) -> None:
    found = identify(own)
    with server.connect(found) as reader:
        reader.read_until("session_status")
        own.lisa("kill")
        assert reader.read_close() == 1000
    assert reader.frames[-1]["type"] == "session_end"
    assert reader.frames[-1]["payload"]["reason"] == "user_requested"
    with server.connect(found) as archived:
        assert archived.read_close() == 1000
    assert [frame["type"] for frame in archived.frames] == ["history", "session_end"]


def test_deleted_record_closes_4004(server: RunningServer, own: SessionHarness) -> None:
    """A record is removed while a client still reads what it holds."""
    found = identify(own)
    own.send("[say one]")
    own.wait_for_text("● one")
    own.wait_for_state("idle")
    first = server.call("GET", f"/v1/sessions/{found}/history").body["messages"][0]["cursor"]
    fill_transcript(Path(own.agent_state()["transcript"]), 100, size=300_000)
    own.lisa("kill")
    with server.connect(found, query=f"?since={first}", max_queue=1) as reader:
        assert reader.read()["type"] == "history"
        assert server.call("DELETE", f"/v1/sessions/{found}/record").status == 200
        assert reader.read_close() == 4004
    assert refuse(server, found) == (404, "session_not_found")


def test_open_dialog_is_sent_again_after_history(server: RunningServer, own: SessionHarness) -> None:
    own.send("[ask touch x]")
    own.wait_for_state("waiting")
    found = identify(own)
    with server.connect(found) as first:
        asked = first.read_until("tool_approval_request")
        with server.connect(found) as second:
            assert second.read_until("tool_approval_request")["payload"] == asked["payload"]
            assert second.frames[0]["type"] == "history"


# -- limits ---------------------------------------------------------------------------------------------------------


def test_bad_messages_are_reported_and_the_socket_stays(server: RunningServer, chat: SessionHarness) -> None:
    with server.connect(identify(chat)) as reader:
        reader.read_until("session_status")
        for raw in ("{broken", "[1]", '"text"', '{"type":"none"}', '{"type":1}', "{}", '{"type":"prompt"}',
                    '{"type":"prompt","payload":[]}', '{"type":"prompt","payload":{"text":1}}',
                    '{"type":"tool_approval_response","payload":{"tool_use_id":"x","approved":"yes"}}',
                    "[" * 300, '{"type":"prompt","payload":' + '{"text":' * 70 + "1" + "}" * 71):  # fmt: skip
            reader.connection.send(raw)
            assert reader.read_until("error")["payload"]["code"] == "invalid_message", raw
        reader.connection.send(b"\xff\xfe")
        assert reader.read_until("error")["payload"]["code"] == "invalid_message"


def test_read_only_sockets_accept_heartbeats_only(server: RunningServer, chat: SessionHarness) -> None:
    found = identify(chat)
    for options in ({"family": "org"}, {"token": server.mint(scope="read")}):
        with server.connect(found, **options) as reader:
            reader.read_until("session_status")
            reader.send("heartbeat")
            reader.send("prompt", text="[say never]")
            assert reader.read_until("error")["payload"]["code"] == "read_only"
            assert [frame["type"] for frame in reader.frames].count("error") == 1
    assert "[say never]" not in chat.prompts()


def test_messages_over_a_mebibyte_close_1009(server: RunningServer, chat: SessionHarness) -> None:
    with server.connect(identify(chat)) as reader:
        reader.read_until("session_status")
        reader.connection.send("x" * ((1 << 20) + 1))
        assert reader.read_close() == 1009


def test_flood_is_limited_and_the_socket_stays(server: RunningServer, chat: SessionHarness) -> None:
    with server.connect(identify(chat)) as reader:
        reader.read_until("session_status")
        for _ in range(350):
            reader.send("heartbeat")
        assert reader.read_until("error")["payload"]["code"] == "rate_limited"
        codes = [""]
        while codes[-1] != "invalid_message":  # in the next second
            reader.send("none")
            codes.append(reader.read_until("error")["payload"]["code"])
        assert set(codes[1:-1]) == {"rate_limited"}


def test_expired_token_closes_4001(server: RunningServer, chat: SessionHarness) -> None:
    form = f"secret={server.key}&oid=-&expiry={int(time.time()) + 2}"
    token = str(server.call("POST", "/jwt", raw=form.encode(), token="").body["jwt"])
    with server.connect(identify(chat), token=token) as reader:
        assert reader.read_close() == 4001
