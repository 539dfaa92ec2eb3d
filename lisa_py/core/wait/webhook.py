"""Deliver monitor events to a file or an HTTP endpoint in a thread, without delaying the monitor."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

import msgspec

from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.host import files, web
from lisa_py.host.env import Settings

TIMEOUT_SECONDS = 10.0
QUEUE_SIZE = 200
"""Most events that wait for a slow endpoint; the oldest are dropped."""
RETRY_PAUSES = (0.5, 2.0)
"""Seconds before the second and third attempt."""
FAILING_CLOSE_SECONDS = 0.5
"""Seconds that closing waits for an endpoint whose last delivery failed."""


class Webhook:
    """A thread that delivers events to one target, in order."""

    def __init__(
        self, target: str, settings: Settings, on_failure: Callable[[str], None] = lambda problem: None
    ) -> None:
        """`on_failure` is called in the thread with the first failure after a delivery, or the first of all.

        Raise UsageError(invalid_webhook) for an unusable target.
        """
        self._on_failure = on_failure
        self._target = target.strip()
        self._remote = self._target.startswith(("http://", "https://"))
        if not self._remote:
            if "://" in self._target:
                raise _invalid(target, "expected an http(s) address or a file")
            self._target = files.absolute_path(self._target)
            if files.is_dir(self._target):
                raise _invalid(target, "it is a folder")
        self._secret = settings.get("LISA_WEBHOOK_SECRET")
        self._events: queue.Queue[bytes | None] = queue.Queue(QUEUE_SIZE)
        self._closing = threading.Event()
        self._error = ""
        self._failed = 0
        self._failing = False
        """The newest delivery failed."""
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        self._thread.start()

    def send(self, event: object) -> None:
        """Queue one event without blocking."""
        raw = msgspec.json.encode(event, order="sorted")
        while True:
            try:
                return self._events.put_nowait(raw)
            except queue.Full:
                self._drop()

    def close(self) -> str:
        """Wait for queued events, briefly if the endpoint fails; return the last failure or an empty text."""
        self._closing.set()
        self._events.put(None) if not self._events.full() else self._drop_and_end()
        self._thread.join(FAILING_CLOSE_SECONDS if self._failing else TIMEOUT_SECONDS)
        if self._thread.is_alive() and not self._error:
            self._error = f"{self._target} did not accept the events in time"
        if self._failed > 1:
            return f"{self._error} ({self._failed} events not delivered)"
        return self._error

    def _drop_and_end(self) -> None:
        self._drop()
        self._events.put_nowait(None)

    def _drop(self) -> None:
        try:
            self._events.get_nowait()
            self._failed += 1
            self._error = self._error or f"{self._target} is too slow; the oldest events were dropped"
        except queue.Empty:
            pass

    def _run(self) -> None:
        was_failing = False
        while True:
            raw = self._events.get()
            if raw is None:
                return
            problem = self._deliver(raw)
            self._failing = bool(problem)
            if problem:
                self._failed += 1
                self._error = problem
                if not was_failing:
                    self._on_failure(problem)
            was_failing = bool(problem)

    def _deliver(self, raw: bytes) -> str:
        problem = self._deliver_once(raw)
        self._failing = bool(problem)
        for pause in RETRY_PAUSES:
            if not problem or not self._remote or self._closing.wait(pause):
                break
            problem = self._deliver_once(raw)
        return problem

    def _deliver_once(self, raw: bytes) -> str:
        if self._remote:
            return web.post(self._target, raw, self._headers(raw), TIMEOUT_SECONDS)
        try:
            folder = os.path.dirname(self._target)
            if not files.is_dir(folder):
                files.ensure_private_dir(folder)
            files.append(self._target, raw + b"\n")
        except LisaError as problem:
            return problem.message
        return ""

    def _headers(self, raw: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "lisa"}
        if self._secret:
            import hmac  # noqa: PLC0415 - only signed deliveries need it

            headers["X-Lisa-Signature"] = "sha256=" + hmac.new(self._secret.encode(), raw, "sha256").hexdigest()
        return headers


def _invalid(target: str, why: str) -> UsageError:
    return UsageError("invalid_webhook", f"invalid --webhook: {target} ({why})")
