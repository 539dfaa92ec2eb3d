"""Programs as sinks of notices: slow, failing and noisy ones."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lisa_py.contract.notices import SessionNotice
from lisa_py.core.context import Context
from lisa_py.core.fleet import notice_sinks
from lisa_py.core.wait import webhook
from lisa_py.host import env
from tests.lisa_host import LisaHost
from tests.polling import wait_until

NOTICE = SessionNotice(
    kind="done", session="lisa-a", agent="a", project_root="/p", at="", title="t", text="", command="", session_state=""
)


def send(machine: LisaHost, command: str) -> list[str]:
    """Send a notice to a program, close the sink, and return the warnings."""
    warnings: list[str] = []
    ctx = Context(env.read_settings(machine.env), cwd=str(machine.project), warn=warnings.append)
    sink = notice_sinks.open_sink(ctx, ctx.project(), f"exec:{command}")
    sink.send(NOTICE)
    sink.close()
    return warnings


def test_program_gets_the_notice_and_its_failure_is_named(machine: LisaHost, tmp_path: Path) -> None:
    assert send(machine, f"cat >{tmp_path}/note") == []
    assert b'"session":"lisa-a"' in (tmp_path / "note").read_bytes()
    assert send(machine, "echo shown; echo boom >&2; exit 3") == ["watch: exec failed: boom"]
    assert send(machine, "exit 3") == ["watch: exec failed: exit code 3"]


def test_output_without_end_is_dropped(machine: LisaHost) -> None:
    (warning,) = send(machine, "yes | head -c 30000000; yes x | head -c 30000000 >&2; exit 4")
    assert len(warning) < 250


def test_slow_program_does_not_delay_the_end(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice_sinks, "CLOSE_SECONDS", 0.2)
    monkeypatch.setattr(notice_sinks, "QUEUE_SIZE", 2)
    warnings: list[str] = []
    begun, end = threading.Event(), threading.Event()

    def deliver(notice: SessionNotice) -> str:
        begun.set()
        end.wait(10)
        return ""

    ctx = Context(env.read_settings(machine.env), cwd=str(machine.project), warn=warnings.append)
    sink = notice_sinks._ThreadSink(ctx, "exec", deliver)
    sink.send(NOTICE)
    assert begun.wait(5)
    for _ in range(3):
        sink.send(NOTICE)
    started = time.monotonic()
    sink.close()
    assert time.monotonic() - started < 8
    end.set()
    slow = "watch: exec is too slow"
    assert warnings == [f"{slow}; a notice of lisa-a was dropped", f"{slow}; 2 notices were dropped"]


def test_sink_survives_a_delivery_that_cannot_start(machine: LisaHost) -> None:
    delivered = threading.Event()
    failures = [OSError("no process")]

    def deliver(notice: SessionNotice) -> str:
        if failures:
            raise failures.pop()
        delivered.set()
        return ""

    sink = notice_sinks._ThreadSink(machine.context(), "exec", deliver)
    sink.send(NOTICE)
    sink.send(NOTICE)
    assert delivered.wait(5)
    sink.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port of loopback that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_dead_address_is_reported_once(
    machine: LisaHost, monkeypatch: pytest.MonkeyPatch, silent_port: int, kind: str
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(webhook, "RETRY_PAUSES", (0.0,))
    port = silent_port if kind == "silent" else 9
    warnings: list[str] = []
    env_with = {**machine.env, "SINK": f"http://127.0.0.1:{port}/token"}
    ctx = Context(env.read_settings(env_with), cwd=str(machine.project), warn=warnings.append)
    sink = notice_sinks.open_sink(ctx, ctx.project(), "env:SINK")
    began = time.monotonic()
    sink.send(NOTICE)
    reason = "timed out" if kind == "silent" else "[Errno 111] Connection refused"
    wait_until(lambda: warnings, what="the failure is reported while the watch goes on")
    assert warnings == [f"watch: env:SINK: {reason}"]
    for _ in range(webhook.QUEUE_SIZE * 2):
        sink.send(NOTICE)
    sink.close()
    assert time.monotonic() - began < 5
    assert len(warnings) == 2 and warnings[1].endswith("events not delivered)")
    assert "token" not in str(warnings)
