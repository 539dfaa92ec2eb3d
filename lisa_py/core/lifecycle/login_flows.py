"""Logins that another program drives in steps: start, ask for the address, hand in the code."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import credentials
from lisa_py.core.lifecycle.login import LIFETIME_SECONDS, AgentLogin

MAX_OPEN = 3
"""Logins at the same time; each has a pane."""


class LoginFlow:
    """One login: it waits for its address in a thread."""

    def __init__(self, ctx: Context, agent: Agent) -> None:
        self.id = f"login-{os.urandom(12).hex()}"
        self.url = ""
        self.error = ""
        """Reason of the failure; empty until there is one."""
        self.ends_at = ctx.clock.monotonic() + LIFETIME_SECONDS
        self._ctx = ctx
        self._agent = agent
        self._login = AgentLogin(ctx, agent)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._start, daemon=True)
        self._thread.start()

    def _start(self) -> None:
        with self._lock:
            try:
                self.url = self._login.start()
            except LisaError as problem:
                self._fail(problem)

    def _fail(self, problem: LisaError) -> None:
        self.error = problem.message
        self._login.close()

    def submit(self, code: str) -> str:
        """Hand in the code and store the token; return its id in the pool.

        Raise LisaError(auth_login_failed | auth_login_timeout, ...).
        """
        with self._lock:
            if self.error or not self.url:
                raise LisaError("auth_login_failed", self.error or "the login has no address yet; ask for it first")
            try:
                identity = credentials.store_token(self._ctx, self._agent, self._login.submit(code))
            except LisaError as problem:
                self._fail(problem)
                raise
            self._login.close()
        return identity

    def close(self) -> None:
        """End the login, wherever it is."""
        self._ctx.cancellation.cancel()
        self._thread.join(timeout=2)
        with self._lock:
            self._login.close()


class LoginFlows:
    """The logins that run."""

    def __init__(self) -> None:
        self._flows: dict[str, LoginFlow] = {}
        self._lock = threading.Lock()

    def start(self, make_context: Callable[[], Context], agent: Agent) -> LoginFlow:
        """Start a login. Raise LisaError(rate_limited)."""
        with self._lock:
            ctx = make_context()
            self._remove_ended(ctx.clock.monotonic())
            if len(self._flows) >= MAX_OPEN:
                text = f"{MAX_OPEN} logins are open; hand in a code, or try again in {LIFETIME_SECONDS} s"
                raise LisaError("rate_limited", text, retryAfter=LIFETIME_SECONDS)
            flow = LoginFlow(ctx, agent)
            self._flows[flow.id] = flow
        return flow

    def find(self, identity: str) -> LoginFlow:
        """Return a login. Raise LisaError(login_not_found)."""
        with self._lock:
            found = self._flows.get(identity)
        if found is None:
            raise LisaError("login_not_found", f"no login has the id {identity}; it has ended, or was never started")
        return found

    def submit(self, identity: str, code: str) -> str:
        """Hand in the code of a login, which ends; return the id of the token.

        Raise LisaError(login_not_found | auth_login_failed, ...).
        """
        token = self.find(identity).submit(code)
        with self._lock:
            self._flows.pop(identity, None)
        return token

    def _remove_ended(self, now: float) -> None:
        for flow in [each for each in self._flows.values() if each.error or each.ends_at < now]:
            flow.close()
            del self._flows[flow.id]

    def close(self) -> None:
        """End all logins."""
        with self._lock:
            for flow in self._flows.values():
                flow.close()
            self._flows.clear()
