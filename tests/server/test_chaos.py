"""Sudden ends of server, client, agent and tmux: each frame once and in order, nothing decided twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec import structs

from lisa_py.client import AsyncSessionsClient, SocketOptions
from lisa_py.contract.live import LiveFrame
from lisa_py.core.live.broadcast import QUEUE_BYTES
from lisa_py.store import dialogs, prompt_records
from tests.commands.session.test_spawn_limits import find_limit_pid
from tests.core.live.test_feed import fill_transcript
from tests.lisa_host import LisaHost, find_server_pid, kill_process
from tests.listeners import Listeners
from tests.polling import wait_until
from tests.server.test_sockets import identify
from tests.server_kit import CONVERSATION, RunningServer, SocketReader, serving
from tests.session_harness import SessionHarness, make_chat

LISTENERS = 100


@pytest.fixture
def chat(machine: LisaHost) -> SessionHarness:
    stage = SessionHarness(machine, "lisa-chaos-1").spawn()
    make_chat(stage.ref)
    return stage


def read_all(reader: SocketReader, last: str) -> None:
    """Read until a text is in a recorded or live frame of the agent."""
    while not any(last in str(frame) for frame in reader.frames if frame["type"] in ("history", "assistant")):
        reader.read()


def test_killed_server_loses_and_repeats_no_frame(machine: LisaHost, chat: SessionHarness) -> None:
    found = identify(chat)
    with serving(machine) as first, first.connect(found) as before:
        before.send("prompt", text="[say one] [wait go] [say two] [wait on] [say three]")
        read_all(before, "one")
        first.kill()
        assert before.read_close() == 1006
    cursors = before.cursors
    (machine.project / "go").touch()
    chat.wait_for_text("● two")
    with serving(machine, port=first.port) as second:
        assert (second.key, second.port) == (first.key, first.port)
        with second.connect(found, query=f"?since={cursors[-1]}") as after, second.connect(found) as whole:
            read_all(after, "two")
            (machine.project / "on").touch()
            for reader in (after, whole):
                read_all(reader, "three")
                reader.read_until("result")
    assert cursors + after.cursors == whole.cursors
    assert len(set(whole.cursors)) == len(whole.cursors)


class ReconnectingClients(threading.Thread):
    """Clients of a session in one loop; each reconnects behind its last frame, and reads until a text."""

    def __init__(self, server: RunningServer, identity: str, number: int, last: str) -> None:
        super().__init__(daemon=True)
        self._url, self._key, self._identity, self._last = server.url, server.key, identity, last
        self.frames: list[list[LiveFrame]] = [[] for _ in range(number)]
        self.start()

    def run(self) -> None:
        asyncio.run(self._read_all())

    async def _read_all(self) -> None:
        async with AsyncSessionsClient(self._url, api_key=self._key) as client:
            await asyncio.gather(*(self._read(client, frames) for frames in self.frames))

    async def _read(self, client: AsyncSessionsClient, frames: list[LiveFrame]) -> None:
        options = SocketOptions(reconnect_delay=0.1, max_reconnect_attempts=60, max_reconnect_delay=0.5)
        async with client.open_socket(self._identity, options=options) as reading:
            async for frame in reading:
                frames.append(frame)
                if frame.type == "assistant" and self._last in str(frame.payload):
                    return

    def have(self, text: str) -> bool:
        return all(any(text in str(frame.payload) for frame in frames) for frames in self.frames)

    def list_cursors(self) -> set[tuple[str, ...]]:
        return {tuple(frame.cursor for frame in frames if frame.type in CONVERSATION) for frames in self.frames}


@pytest.mark.agents
def test_hundred_clients_continue_after_a_killed_server(machine: LisaHost, chat: SessionHarness) -> None:
    with serving(machine) as first:
        clients = ReconnectingClients(first, identify(chat), LISTENERS, "three")
        chat.send("[say one] [wait go] [say two] [wait on] [say three]")
        wait_until(lambda: clients.have("one"), what="all have the first frame")
        first.kill()
    (machine.project / "go").touch()
    chat.wait_for_text("● two")
    with serving(machine, port=first.port) as second:
        wait_until(lambda: clients.have("two"), what="all have what came meanwhile")
        (machine.project / "on").touch()
        clients.join(30)
        with second.connect(identify(chat)) as whole:
            read_all(whole, "three")
    (cursors,) = clients.list_cursors()
    assert list(cursors) == whole.cursors[: len(cursors)] and len(set(cursors)) == len(cursors)


def test_prompt_before_a_killed_server_is_not_sent_again(machine: LisaHost, chat: SessionHarness) -> None:
    found = identify(chat)
    with serving(machine) as first, first.connect(found) as reader:
        reader.send("prompt", text="[say one]", prompt_id="p1")
        assert reader.read_until("user")["payload"]["prompt_id"] == "p1"
        reader.send("prompt", text="[say two]", prompt_id="p2")
        reader.read_until("user")
        read_all(reader, "two")
        first.kill()
    known = prompt_records.read_prompts(chat.ref)
    assert [(each.id, each.is_delivered) for each in known] == [("p1", True), ("p2", True)]
    cut = [structs.replace(known[1], is_delivered=False, cursor=""), structs.replace(known[1], id="p3", cursor="")]
    cut[1].digest, cut[1].is_delivered = prompt_records.digest_text("[say six]"), False
    prompt_records.write_prompts(chat.ref, [known[0], *cut])  # as a server leaves it that is killed while it sends
    with serving(machine) as second, second.connect(found) as reader:
        shown = [each["payload"] for each in reader.read()["payload"]["messages"] if each["type"] == "user"]
        assert [each["prompt_id"] for each in shown] == ["p1", "p2"]
        for number, word in enumerate(("one", "two", "six"), 1):
            reader.send("prompt", text=f"[say {word}]", prompt_id=f"p{number}")
        assert reader.read_until("user")["payload"] == {"content": "[say six]", "prompt_id": "p3"}
        read_all(reader, "six")
    assert chat.prompts() == ["[say one]", "[say two]", "[say six]"]


def test_decision_before_a_killed_server_is_kept(machine: LisaHost, chat: SessionHarness) -> None:
    found = identify(chat)
    with serving(machine) as first, first.connect(found) as reader:
        reader.send("prompt", text="[ask echo run >> made] [wait go] [say end]")
        asked = reader.read_until("tool_approval_request")["payload"]["tool_use_id"]
        first.kill()
    with serving(machine) as second, second.connect(found) as reader, second.connect(found) as other:
        for each in (reader, other):
            assert each.read_until("tool_approval_request")["payload"]["tool_use_id"] == asked
        reader.send("tool_approval_response", tool_use_id=asked, approved=True)
        for each in (reader, other):
            each.read_until("system", subtype="approval_decided")
        other.send("tool_approval_response", tool_use_id=asked, approved=False)
        second.kill()
    made = machine.project / "made"
    wait_until(made.exists, what="the decision was applied")
    with serving(machine) as third, third.connect(found) as reader:
        reader.read_until("session_status")
        reader.send("tool_approval_response", tool_use_id=asked, approved=False)
        (machine.project / "go").touch()
        read_all(reader, "end")
    assert made.read_text() == "run\n"
    assert len(dialogs.list_decided_keys(chat.ref)) == 1


def test_term_closes_with_1012_and_ends_with_0(machine: LisaHost, chat: SessionHarness) -> None:
    with serving(machine) as server, server.connect(identify(chat)) as reader:
        reader.read_until("session_status")
        ended = threading.Thread(target=server.end)
        ended.start()
        assert reader.read_close() == 1012
        ended.join(20)
        assert server.process.poll() == 0
    assert chat.status().session_state == "waiting_input"


def test_start_that_has_begun_is_finished_at_term(machine: LisaHost) -> None:
    machine.add_program("claude", "#!/bin/sh\nexec sleep 600\n")
    body = {"prompt": "x", "agent": "claude", "anthropic_key": "planted-key-of-the-start"}
    with serving(machine) as server, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(server.call, "POST", "/v1/api/sessions", body)
        wait_until(lambda: list(machine.folder.glob("state/projects/*/sessions/*/meta.json")), what="the start")
        assert not answer.done()
        began = time.monotonic()
        assert server.end() == 0
        assert answer.result().status == 201 and time.monotonic() - began < 5
    assert machine.lisa("session", "exists", "--session", answer.result().body["session"], "--json").json["exists"]


def test_second_server_is_refused_with_the_address(machine: LisaHost) -> None:
    with serving(machine) as server:
        refused = machine.lisa("serve", "--port", "0", check_schema=False)
        assert refused.code != 0 and server.url in refused.err + refused.out
        assert server.call("GET", "/v1/who").status == 200


@pytest.fixture
def served(machine: LisaHost) -> Iterator[RunningServer]:
    with serving(machine) as server:
        yield server


def test_lost_client_affects_no_other(served: RunningServer, chat: SessionHarness) -> None:
    found = identify(chat)
    with served.connect(found) as reader, served.connect(found) as gone:
        gone.read_until("session_status")
        gone.send("prompt", text="[say one]")
        read_all(reader, "one")
        raw = gone.connection.socket
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.shutdown(socket.SHUT_RD)
        chat.send("[say two]")
        read_all(reader, "two")
    assert len(set(reader.cursors)) == len(reader.cursors)


def test_killed_agent_ends_the_session_once(served: RunningServer, chat: SessionHarness) -> None:
    with served.connect(identify(chat)) as reader:
        reader.send("prompt", text="[say one] [think 60]")
        read_all(reader, "one")
        os.kill(chat.wait_for_agent_pid(), signal.SIGKILL)
        assert reader.read_close() == 1000
    ends = [frame for frame in reader.frames if frame["type"] == "session_end"]
    assert len(ends) == 1 and reader.frames[-1] is ends[0] and ends[0]["payload"]["reason"] == "failed"


def test_killed_tmux_server_ends_the_session_once(served: RunningServer, chat: SessionHarness) -> None:
    found = identify(chat)
    with served.connect(found) as reader:
        reader.send("prompt", text="[say one] [ask touch x]")
        reader.read_until("tool_approval_request")
        os.kill(find_server_pid(chat.ctx.server(chat.ref)), signal.SIGKILL)
        assert reader.read_close() == 1000
    assert [frame["type"] for frame in reader.frames].count("session_end") == 1
    assert reader.frames[-1]["payload"]["reason"] == "heartbeat_stale", reader.frames[-1]
    with served.connect(found) as again:
        assert again.read_close() == 1000
    assert again.cursors == reader.cursors and not (chat.machine.project / "x").exists()


@pytest.fixture(scope="module")
def crowded() -> Iterator[RunningServer]:
    """Yield a server with a host of its own for the tests with many listeners."""
    machine = LisaHost()
    try:
        with serving(machine) as server:
            yield server
    finally:
        machine.close()


def start_chat(server: RunningServer, name: str, *flags: str) -> SessionHarness:
    stage = SessionHarness(server.machine, name).spawn("", *flags)
    make_chat(stage.ref)
    return stage


def read_end(listeners: Listeners) -> str:
    """Wait until every listener is closed with 1000; return the reason of the end, which each has once and last."""
    wait_until(lambda: None not in listeners.close_codes, what="all sockets are closed")
    assert set(listeners.close_codes) == {1000} and listeners.count('"type":"session_end"') == {1}
    (last,) = {texts[-1] for texts in listeners.texts}
    return str(json.loads(last)["payload"]["reason"])


@pytest.mark.parametrize("kills_limits", [False, pytest.param(True, marks=pytest.mark.agents)])
def test_killed_hook_and_limit_process_change_nothing(crowded: RunningServer, kills_limits: bool) -> None:
    """A killed limit process is replaced at the next heartbeat, after seconds."""
    chat = start_chat(crowded, f"lisa-hook-{kills_limits:d}", "--task-budget-tokens", "1000")
    found, made = identify(chat), crowded.machine.project / f"made{kills_limits:d}"
    with (
        Listeners(crowded, [found] * LISTENERS) as listeners,
        crowded.connect(found) as owner,
        crowded.connect(found) as other,
    ):
        owner.send(
            "prompt",
            text=f"[usage 100 50] [ask echo run >> {made}] [say end] [wait {chat.name}] [usage 700 200] [think 60]",
        )
        for each in (owner, other):
            asked = each.read_until("tool_approval_request")["payload"]["tool_use_id"]
        (waiting,) = dialogs.list_waiting(chat.ref)
        os.kill(int(waiting.key.rpartition("-")[2]), signal.SIGKILL)
        if kills_limits:
            os.kill(find_limit_pid(chat), signal.SIGKILL)
        wait_until(lambda: not dialogs.list_waiting(chat.ref), what="the hook has ended")
        owner.send("tool_approval_response", tool_use_id=asked, approved=True)
        other.send("tool_approval_response", tool_use_id=asked, approved=False)
        for each in (owner, other):
            each.read_until("system", subtype="approval_decided")
        read_all(owner, "end")
        (crowded.machine.project / chat.name).touch()
        assert read_end(listeners) == "completed"
        (cursors,) = listeners.list_cursors()
    assert len(set(cursors)) == len(cursors)
    assert made.read_text() == "run\n"
    assert listeners.count('"subtype":"approval_decided"') == listeners.count('"subtype":"budget_exceeded"') == {1}


@pytest.mark.parametrize("victim", ["supervisor", "tmux"])
def test_killed_pane_in_mid_turn_ends_all_listeners_once(crowded: RunningServer, victim: str) -> None:
    chat = start_chat(crowded, f"lisa-{victim}-1")
    found = identify(chat)
    with Listeners(crowded, [found] * LISTENERS) as listeners, crowded.connect(found) as owner:
        owner.send("prompt", text="[say one] [think 60]")
        wait_until(lambda: listeners.has_all('"content":"one"'), what="the turn runs")
        meta = chat.ctx.read_meta(chat.ref)
        assert meta is not None
        kill_process(meta.pane_pid if victim == "supervisor" else find_server_pid(chat.ctx.server(chat.ref)))
        assert read_end(listeners) == {"supervisor": "failed", "tmux": "heartbeat_stale"}[victim]
        (cursors,) = listeners.list_cursors()
    with crowded.connect(found) as again:
        assert again.read_close() == 1000
    assert tuple(again.cursors) == cursors and len(set(cursors)) == len(cursors)


SET_BACK_WHILE_MARKED = """
import os, sys, time
marker, read = sys.argv.pop(1), time.time
time.time = lambda: read() - 7200 * os.path.exists(marker)
from lisa_py.cli.main import entry
entry()
"""


def test_clock_set_back_changes_no_order(machine: LisaHost) -> None:
    marker = machine.folder / "set-back"
    program = (sys.executable, "-P", "-c", SET_BACK_WHILE_MARKED, str(marker))
    flags = ("--agent", "scripted", "--max-creations", "1")
    with serving(machine, *flags, program=program) as server:
        assert server.call("POST", "/v1/register").status == 200
        older, token = start_by_api(server), server.mint()
        assert server.call("POST", "/v1/sessions", {"prompt": "x"}).status == 429
        with server.connect(older, token=token) as owner:
            owner.send("prompt", text="[say one]", prompt_id="p1")
            read_all(owner, "one")
            owner.read_until("result")
            marker.touch()
            newer = start_by_api(server)  # of the time before the other one: the limit per minute does not count that
            owner.send("prompt", text="[say two]", prompt_id="p2")
            assert owner.read_until("user")["payload"]["prompt_id"] == "p2"
            owner.read_until("result")
        for query in ("", f"?since={owner.cursors[0]}"):
            with server.connect(older, token=token, query=query) as again:
                again.read_until("session_status")
                assert again.cursors == owner.cursors[bool(query) :]
        listed, cursor = [], ""
        for _ in range(2):
            page = server.call("GET", f"/v1/sessions?limit=1&cursor={cursor}").body
            listed += [each["id"] for each in page["sessions"]]
            cursor = page["next_cursor"]
        assert (listed, cursor) == ([older, newer], "")
    assert len(set(owner.cursors)) == len(owner.cursors)


def start_by_api(server: RunningServer) -> str:
    """Start a chat whose first turn ends; return its id."""
    made = server.call("POST", "/v1/sessions", {"prompt": "[say hello]"})
    assert made.status == 201, made
    return str(made.body["session"]["id"])


def test_client_that_never_reads_is_closed_alone(served: RunningServer, chat: SessionHarness) -> None:
    found = identify(chat)
    chat.send("[say one]")
    chat.wait_for_text("● one")
    chat.wait_for_state("idle")
    path = Path(chat.agent_state()["transcript"])
    with served.connect(found, max_queue=1) as slow, served.connect(found, family="org") as quick:
        for each in (slow, quick):
            each.read_until("session_status")
        fill_transcript(path, 240, size=QUEUE_BYTES // 90)  # one burst, larger than the queue of the quick one
        while sum(frame["type"] == "assistant" for frame in quick.frames) < 240:
            quick.read()
        assert slow.read_close() == 1013
        resumed = slow.cursors[-1]
        assert slow.cursors == quick.cursors[: len(slow.cursors)]
    with served.connect(found, query=f"?since={resumed}") as again:
        while again.cursors[-1:] != quick.cursors[-1:]:
            again.read()
    assert slow.cursors + again.cursors == quick.cursors
    assert again.frames[0]["cursor"] == again.frames[0]["payload"]["messages"][-1]["cursor"]
