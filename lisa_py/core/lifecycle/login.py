"""Log in with the agent's own login program in a private pane: relay its address, the code and the token."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lisa_py.agents.base import Agent, LoginScreen
from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.quoting import quote_posix
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import environment, launch
from lisa_py.host import files
from lisa_py.host.sockets import SOCKET_PATH_MAX
from lisa_py.host.tmux import Pane, Tmux

ERRORS = ("agent_not_installed", "auth_login_failed", "auth_login_timeout", "spawn_tmux_new_failed")
LIFETIME_SECONDS = 300
"""Seconds after which the login ends by itself."""
URL_SECONDS = 60.0
CODE_SECONDS = 60.0
_POLL_SECONDS = 0.1
_COLUMNS = 2000
"""Wide enough for an address in one row."""
_SESSION = "login"


class AgentLogin:
    """One login; nothing of it is left after `with`."""

    def __init__(self, ctx: Context, agent: Agent) -> None:
        self._ctx = ctx
        self._agent = agent
        self._folder = ""
        self._server: Tmux | None = None
        self._pane: Pane | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> str:
        """Start the login and return the address to open in a browser. Raise LisaError with one of ERRORS."""
        ctx, agent = self._ctx, self._agent
        environ = environment.inherit_environment(ctx)
        binary = launch.find_binary(agent, environ)
        if not binary:
            raise LisaError("agent_not_installed", f"{agent.title} is not on PATH; install it (lisa doctor checks)")
        self._folder = files.make_temporary_dir(self._choose_place())
        self._server = Tmux(os.path.join(self._folder, "tmux.sock"), ctx.settings)
        files.write(self._file("environment"), environment.build_script(environ, self._server.environment()))
        files.write(self._file("login.sh"), self._script(binary))
        argv = ["/bin/sh", self._file("login.sh")]
        self._pane = self._server.new_session(_SESSION, argv, root=self._folder, width=_COLUMNS, height=60)
        return self._wait(URL_SECONDS, lambda screen: screen.url).url

    def submit(self, code: str) -> str:
        """Type the code of the browser; return the token. Raise LisaError(auth_login_failed | auth_login_timeout)."""
        assert self._server is not None and self._pane is not None
        self._server.paste(self._pane.pane_id, code.strip().encode())
        self._server.send_keys(self._pane.pane_id, ["Enter"])
        return self._wait(CODE_SECONDS, lambda screen: screen.token or screen.error).token

    def close(self) -> None:
        """End the login and remove its files."""
        if self._server is not None and self._pane is not None:
            try:
                self._server.kill_server()
            except TmuxUnavailable as problem:
                self._ctx.warn_about(problem)
        if self._folder:
            files.remove_tree(self._folder)
        self._server, self._pane, self._folder = None, None, ""

    def _choose_place(self) -> str:
        """Return the beginning of the folder's path, in a folder whose path a socket can have."""
        settings = self._ctx.settings
        wanted = os.path.join(settings.tmux_socket_dir, "lisa-login-")
        fits = len(os.fsencode(wanted)) + len("00000000/tmux.sock") <= SOCKET_PATH_MAX
        return wanted if fits else os.path.join(settings.shared_dir, "lisa-login-")

    def _file(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _script(self, binary: str) -> str:
        """Return the program of the pane; a caller that was killed cannot end it, so that it ends by itself."""
        assert self._server is not None
        end = f"{quote_posix(self._server.program())} -S {quote_posix(self._server.socket)} kill-server"
        words = " ".join(quote_posix(word) for word in (binary, *self._agent.login_arguments))
        variables = quote_posix(self._file("environment"))
        return f". {variables}\nrm -f {variables}\n(sleep {LIFETIME_SECONDS}; {end}) >/dev/null 2>&1 &\nexec {words}\n"

    def _wait(self, seconds: float, done: Callable[[LoginScreen], str]) -> LoginScreen:
        """Wait for the screen. Raise LisaError(auth_login_failed | auth_login_timeout)."""
        deadline = self._ctx.clock.monotonic() + seconds
        while True:
            text, ended = self._read()
            screen = self._agent.read_login_screen(text)
            if done(screen) and not screen.error:
                return screen
            last = (text.strip().splitlines() or ["it printed nothing"])[-1].strip()
            if screen.error or ended:
                raise LisaError("auth_login_failed", f"the login failed: {screen.error or last}")
            if self._ctx.clock.monotonic() > deadline:
                raise LisaError("auth_login_timeout", f"{self._agent.title} did not answer within {seconds:.0f} s")
            self._ctx.pause(_POLL_SECONDS)

    def _read(self) -> tuple[str, bool]:
        """Return the text of the pane, and True if its program has ended."""
        assert self._server is not None and self._pane is not None
        pane = self._server.find_pane(_SESSION)
        text = self._server.capture([self._pane.pane_id], history=200).get(self._pane.pane_id, "")
        return text, pane is None or pane.dead
