"""Delivery of monitor events: in order, without affecting the monitor."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lisa_py.contract.errors import UsageError
from lisa_py.core.wait import webhook
from lisa_py.core.wait.webhook import Webhook
from lisa_py.host.env import Settings, read_settings
from tests.lisa_host import LisaHost


class Endpoint:
    """An HTTP endpoint that keeps its requests and gives prepared answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.hold = threading.Event()
        self.hold.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.hold.wait(20)
                code = outer.answers.pop(0) if outer.answers else 200
                if code < 400:
                    outer.got.append((dict(self.headers), body))
                self.send_response(code)
                if code in (301, 302, 307):
                    self.send_header("Location", outer.url + "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def events(self) -> list[Any]:
        return [json.loads(body) for _, body in self.got]

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def plain(machine: LisaHost) -> Settings:
    return read_settings(machine.env)


def test_events_arrive_in_order(endpoint: Endpoint, plain: Settings) -> None:
    hook = Webhook(endpoint.url, plain)
    for number in range(20):
        hook.send({"poll": number})
    assert hook.close() == ""
    assert [event["poll"] for event in endpoint.events] == list(range(20))


def test_file_gets_one_line_each_and_is_private(plain: Settings, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "events.jsonl"
    hook = Webhook(str(target), plain)
    hook.send({"b": 2, "a": 1})
    hook.send({"last": True})
    assert hook.close() == ""
    assert target.read_text().splitlines() == ['{"a":1,"b":2}', '{"last":true}']
    assert (os.stat(target).st_mode & 0o777, os.stat(target.parent).st_mode & 0o777) == (0o600, 0o700)


def test_file_that_is_a_symlink_is_not_written_through(plain: Settings, tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_text("mine")
    link.symlink_to(victim)
    hook = Webhook(str(link), plain)
    hook.send({"a": 1})
    assert "cannot write" in hook.close()
    assert victim.read_text() == "mine"


def test_failed_attempt_is_repeated(endpoint: Endpoint, plain: Settings) -> None:
    endpoint.answers = [500]
    hook = Webhook(endpoint.url, plain)
    hook.send({"a": 1})
    started = time.monotonic()
    while not endpoint.got and time.monotonic() - started < 10:
        threading.Event().wait(0.02)
    assert hook.close() == ""
    assert endpoint.events == [{"a": 1}]


def test_undelivered_events_are_counted_at_the_end(plain: Settings) -> None:
    hook = Webhook("http://127.0.0.1:9/none", plain)
    hook.send({"a": 1})
    hook.send({"a": 2})
    problem = hook.close()
    assert "127.0.0.1:9" in problem
    assert "2 events not delivered" in problem


def test_sending_never_waits_for_an_endpoint_that_hangs(endpoint: Endpoint, plain: Settings) -> None:
    endpoint.hold.clear()
    hook = Webhook(endpoint.url, plain)
    began = time.monotonic()
    for number in range(500):
        hook.send({"poll": number})
    assert time.monotonic() - began < webhook.TIMEOUT_SECONDS / 2
    endpoint.hold.set()
    assert "too slow" in hook.close()
    assert endpoint.events[-1] == {"poll": 499}, "the newest events are the ones that are kept"


def test_redirect_is_not_followed(endpoint: Endpoint, plain: Settings) -> None:
    endpoint.answers = [307, 307, 307]
    hook = Webhook(endpoint.url, plain)
    hook.send({"a": 1})
    assert "answered 307" in hook.close()
    assert len(endpoint.got) <= 1, "nothing went to the address of the redirect"


def test_events_are_signed_when_there_is_a_secret(endpoint: Endpoint, machine: LisaHost) -> None:
    hook = Webhook(endpoint.url, read_settings({**machine.env, "LISA_WEBHOOK_SECRET": "s3cret"}))
    hook.send({"a": 1})
    hook.close()
    headers, body = endpoint.got[0]
    assert headers["X-Lisa-Signature"] == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("target", ["ftp://host/x", "/", "gopher://x"])
def test_invalid_target_is_refused(plain: Settings, target: str) -> None:
    with pytest.raises(UsageError) as refused:
        Webhook(target, plain)
    assert refused.value.code == "invalid_webhook"
