"""host/tmux_protocol: the server's socket gives the answers of the tmux program, or none."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.host import tmux_protocol
from lisa_py.host.env import read_settings
from lisa_py.host.pane import PANE_FORMAT
from lisa_py.host.tmux import Tmux, is_server_absent
from tests.lisa_host import LisaHost, find_server_pid
from tests.polling import wait_until
from tests.tmux_stub import TmuxStub, pack_message

VERSION, EXIT, SHUTDOWN, WRITE_OPEN, WRITE = 12, 203, 210, 303, 304
PRINTS = r"""printf 'h\303\251llo \342\227\217\n'; i=0
while [ $i -lt 4000 ]; do i=$((i+1)); echo "line $i of four thousand"; done; echo end; sleep 600"""
HISTORY = ("capture-pane", "-p", "-S", "-", "-t", "%0")


@pytest.fixture
def tmux(machine: LisaHost) -> Tmux:
    ctx = machine.context()
    return ctx.tmux(ctx.project())


def start(tmux: Tmux, machine: LisaHost, script: str = "sleep 600") -> None:
    tmux.new_session("lisa-x", ["/bin/sh", "-c", script], root=str(machine.project), width=90, height=20)


def make_program_record(machine: LisaHost, text: str = "") -> Path:
    """Replace the tmux program by one that records its call and prints a text."""
    called = machine.folder / "called"
    machine.add_program("tmux", f"#!/bin/sh\necho x >>{called}\nprintf '{text}'\n")
    return called


# -- a real server ----------------------------------------------------------------------------------------------


def test_answers_equal_those_of_the_program(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine, PRINTS)
    wait_until(lambda: "end" in tmux.capture(["%0"])["%0"])
    chains = [
        ("list-panes", "-a", "-F", PANE_FORMAT),
        ("list-panes", "-s", "-t", "=lisa-x:", "-F", "#{pane_id};"),
        ("list-panes", "-s", "-t", "=lisa-none:"),
        ("list-panes", "-Z"),
        ("list-clients", "-F", "x"),
        ("display-message", "-p", "-t", "%0", "#{history_size}\nmark"),
        HISTORY,
        ("capture-pane", "-p", "-e", "-J", "-t", "%0", ";", "display-message", "-p", "mark", ";", *HISTORY),
        ("capture-pane", "-p", "-t", "%0", ";", "capture-pane", "-p", "-t", "%99", ";", "display-message", "-p", "no"),
    ]
    for words in chains:
        assert tmux_protocol.ask(tmux.socket, words, 10) == tmux.call(*words), words
    assert len(tmux.read(*HISTORY).out) > 5 * 16384
    assert tmux.read(*HISTORY).text.startswith("héllo ●\nline 1 of ")


def test_reads_start_no_process(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine)
    called = make_program_record(machine)
    asking = Tmux(tmux.socket, read_settings(machine.env))
    assert [pane.session for pane in asking.list_panes()] == ["lisa-x"]
    assert asking.find_pane("lisa-none") is None
    assert set(asking.capture(["%0", "%99"])) == {"%0"}
    assert asking.capture_rows("%0", 0, [(0, None)], (0, 3)) is not None
    assert asking.count_clients() == 0
    assert asking.read_server_pid() == find_server_pid(tmux)
    assert not called.exists()


def test_concurrent_readers_get_their_answers(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine)
    barrier = threading.Barrier(64)

    def read(number: int) -> bool:
        barrier.wait()
        texts = [tmux.read("display-message", "-p", f"{number}-{turn}" * 400).text for turn in range(5)]
        return texts == [f"{number}-{turn}" * 400 + "\n" for turn in range(5)]

    with ThreadPoolExecutor(64) as pool:
        assert all(pool.map(read, range(64)))


def test_closed_readers_do_not_disturb_others(tmux: Tmux, machine: LisaHost) -> None:
    """Leave at every point of a read while sessions start and end."""
    start(tmux, machine, PRINTS)
    for turn in range(40):
        tmux_protocol.ask(tmux.socket, HISTORY, turn / 40_000)
        if turn % 10 == 0:
            tmux.new_session("lisa-y", ["/bin/sleep", "9"], root=str(machine.project), width=90, height=20)
            tmux.kill_session("lisa-y")
    assert [pane.session for pane in tmux.list_panes()] == ["lisa-x"]


# -- no server ----------------------------------------------------------------------------------------------------


def test_missing_server_is_absent_without_a_process(tmux: Tmux, machine: LisaHost) -> None:
    called = make_program_record(machine)
    asking = Tmux(tmux.socket, read_settings(machine.env))
    assert is_server_absent(asking.read("list-panes", "-a"))
    with TmuxStub(tmux.socket, b""):
        pass  # its socket stays
    assert is_server_absent(asking.read("list-panes", "-a"))
    assert asking.list_panes() == [] and asking.was_absent
    assert not called.exists()


# -- other servers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        pack_message(VERSION, version=9),
        pack_message(VERSION),
        pack_message(EXIT, b"\0\0\0\0", version=7),
        pack_message(SHUTDOWN),
        pack_message(999, b"new"),
        pack_message(EXIT, b"\0"),
        pack_message(WRITE, b"\7\0\0\0text") + pack_message(EXIT),
        pack_message(WRITE, b"\1\0\0\0half an answer"),
        pack_message(EXIT)[:7],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"",
    ],
    ids=["other-version", "refused", "mixed", "ends", "new", "short", "stream", "no-end", "cut", "foreign", "closes"],
)
def test_other_servers_are_read_by_the_program(machine: LisaHost, answer: bytes) -> None:
    called = make_program_record(machine, "by the program")
    with TmuxStub(str(machine.sockets / "other.sock"), answer) as other:
        assert tmux_protocol.ask(other.path, ["list-panes", "-a"], 10) is None
        assert Tmux(other.path, read_settings(machine.env)).read("list-panes", "-a").text == "by the program"
        assert len(other.received) == 2
    assert called.read_text() == "x\n"


def test_first_message_carries_the_protocol_version(machine: LisaHost) -> None:
    with TmuxStub(str(machine.sockets / "other.sock"), b"") as other:
        tmux_protocol.ask(other.path, ["list-panes"], 10)
    assert other.received[0][8:12] == b"\x08\0\0\0"


def test_hanging_server_costs_one_time_limit(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine)
    machine.env["LISA_CMD_TIMEOUT_SECONDS"] = "1"
    hasty = Tmux(tmux.socket, read_settings(machine.env))
    pid = find_server_pid(hasty)
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(TmuxUnavailable, match="within 1 s"):
            hasty.list_panes()
        assert time.monotonic() - started < 1.9
    finally:
        os.kill(pid, signal.SIGCONT)
    assert [pane.session for pane in hasty.list_panes()] == ["lisa-x"]


# -- commands -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("new-session", "-d"),
        ("kill-server",),
        ("paste-buffer", "-t", "%0"),
        ("list-panes", "-a", ";", "kill-session", "-t", "=x"),
        ("list-panes", "-a;", "send-keys", "x"),
    ],
)
def test_other_commands_are_never_sent(machine: LisaHost, words: tuple[str, ...]) -> None:
    with TmuxStub(str(machine.sockets / "other.sock"), b"") as other, pytest.raises(ValueError, match="no chain"):
        tmux_protocol.ask(other.path, words, 10)
    assert other.received == []


def test_long_commands_are_left_to_the_program(tmux: Tmux, machine: LisaHost) -> None:
    start(tmux, machine)
    words = ("display-message", "-p", "x" * 20_000)
    assert tmux_protocol.ask(tmux.socket, words, 10) is None
    assert tmux.read(*words).error_text == "command too long"
