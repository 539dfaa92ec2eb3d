"""Call tmux on the project's own socket; a failure to determine something is an error, never a no."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.host import files, limits, sockets
from lisa_py.host.env import Settings
from lisa_py.host.pane import PANE_FORMAT, parse_pane
from lisa_py.host.pane import Pane as Pane  # re-exported
from lisa_py.host.run import ProgramResult, find_program, run_program

if TYPE_CHECKING:
    import libtmux

_NO_SERVER = ("no server running on", "(No such file or directory)", "(Connection refused)", "no sessions")
_NO_SESSION = ("can't find", "no current target")  # the latter from a server without sessions
_SERVER_ENDING = ("server exited unexpectedly", "lost server")
SERVER_END_SECONDS = 1.0
"""Time limit for the end of a server; it takes milliseconds on an idle machine."""
_OPTIONS = (
    ("-s", "exit-empty", "off"),
    ("-s", "escape-time", "10"),
    ("-s", "set-clipboard", "off"),
    ("-g", "default-shell", "/bin/sh"),
    ("-g", "remain-on-exit", "on"),
    ("-gq", "remain-on-exit-format", ""),  # 3.3 and newer; else a dead pane gets a line of tmux's own
    ("-g", "destroy-unattached", "off"),
    ("-g", "automatic-rename", "off"),
    ("-g", "set-titles", "off"),
    ("-g", "status", "off"),
    ("-g", "default-terminal", "screen-256color"),
)
_ENDED = "ended"
"""Printed after each pane of a chain that ends panes."""
_HAS_SESSION = "#{S:x}"
_PANE_INPUT = "#{?pane_dead,dead,#{?pane_input_off,off,open}}"
_INPUT_OFF = "input to the pane is disabled (tmux select-pane -d); enable it with tmux select-pane -e"
_BOOT = ("start-server", *(word for option in _OPTIONS for word in (";", "set", *option)))


class Tmux:
    """One tmux server, addressed by its socket, independent of the user's tmux and tmux.conf."""

    def __init__(self, socket: str, settings: Settings) -> None:
        self.socket = os.path.abspath(socket)
        self._settings = settings
        self._program = ""
        self.was_absent = False
        """No server answered the last list."""

    # -- calls ------------------------------------------------------------------------------------------------

    def call(self, *words: str, stdin: bytes = b"", cwd: str | None = None) -> ProgramResult:
        """Run one tmux client process.

        Raises TmuxUnavailable if tmux is missing, does not answer in time or refuses the socket, or if the socket
        belongs to another user.
        """
        sockets.refuse_foreign(self.socket)
        return self._run(words, self._settings.cmd_timeout_seconds, stdin=stdin, cwd=cwd)

    def read(self, *words: str) -> ProgramResult:
        """Run commands that only read, over the server's socket; by a tmux process if that gives no answer.

        Raises as `call`.
        """
        from lisa_py.host import tmux_protocol  # noqa: PLC0415 - commands without a server need no socket

        sockets.refuse_foreign(self.socket)
        self.program()
        timeout = self._settings.cmd_timeout_seconds
        started = time.monotonic()
        result = tmux_protocol.ask(self.socket, words, timeout / 2)
        if result is None:
            return self._run(words, timeout - (time.monotonic() - started))
        return self._check(result)

    def _run(
        self, words: Sequence[str], timeout: float, *, stdin: bytes = b"", cwd: str | None = None
    ) -> ProgramResult:
        argv = [self.program(), "-u", "-S", self.socket, "-f", "/dev/null", *words]
        try:
            result = run_program(argv, timeout=timeout, stdin=stdin, env=self.environment(), cwd=cwd)
        except FileNotFoundError:
            if files.exists(argv[0]):
                raise  # the working folder is missing
            self._program = ""
            raise TmuxUnavailable(
                f"tmux was removed while lisa used it: {argv[0]}; install tmux 3.2 or newer", code="tmux_missing"
            ) from None
        return self._check(result)

    def _check(self, result: ProgramResult) -> ProgramResult:
        """Return the result. Raise TmuxUnavailable if it says that tmux cannot answer."""
        if result.code is None:
            raise TmuxUnavailable(f"tmux did not answer within {self._settings.cmd_timeout_seconds} s on {self.socket}")
        if result.code and (shortage := limits.find_in_text(result.error_text)):
            raise TmuxUnavailable(f"tmux answered: {limits.make_error(shortage, result.error_text)}", code=shortage)
        if result.code and any(word in result.error_text for word in ("Permission denied", "Operation not permitted")):
            hint = "; a sandbox of the agent that calls may forbid it" if self._settings.parent_session else ""
            raise TmuxUnavailable(f"tmux refused: {result.error_text}{hint}")
        return result

    def program(self) -> str:
        if not self._program:
            self._program = find_program("tmux", self._settings.get("PATH", os.defpath))
            if not self._program:
                raise TmuxUnavailable("tmux is not on PATH; install tmux 3.2 or newer", code="tmux_missing")
        return self._program

    def environment(self) -> dict[str, str]:
        """Return the environment of a tmux server, without variables of a single caller."""
        keep = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ")
        env = {name: self._settings.environ[name] for name in keep if name in self._settings.environ}
        if not (env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG")):
            env["LC_CTYPE"] = "C.UTF-8"  # a caller without a locale (cron, ssh) gets agents that can draw
        env["TERM"] = "screen-256color"
        return env

    def list_panes(self, session: str = "", *, pane_id: str = "") -> list[Pane]:
        """Return all panes of the server, of one session or of the window of a pane; empty if there is none.

        Raises TmuxUnavailable if that cannot be determined.
        """
        target: tuple[str, ...] = ("-t", pane_id) if pane_id else ("-a",)
        if session:
            target = ("-s", "-t", f"={session}:")  # without the colon it may be a window's name
        result = retry_while_server_ends(lambda: self.read("list-panes", *target, "-F", PANE_FORMAT))
        if result.code == 0:
            self.was_absent = False
            return [pane for pane in _parse_panes(result.text) if not session or pane.session == session]
        self.was_absent = is_server_absent(result)
        if self.was_absent or any(word in result.error_text for word in _NO_SESSION):
            return []
        raise TmuxUnavailable(f"tmux answered: {result.error_text or 'nothing'}")

    def _call_settled(self, *words: str) -> ProgramResult:
        """Call tmux again while its server is ending."""
        return retry_while_server_ends(lambda: self.call(*words))

    def find_pane(self, session: str) -> Pane | None:
        """Return the first pane of the session, or None if tmux has no such session."""
        if not os.path.lexists(self.socket):
            self.program()
            return None
        found = self.list_panes(session)
        return found[0] if found else None

    def read_server_pid(self) -> int:
        """Return the process id of the server that answers; 0 if none does. Raise TmuxUnavailable."""
        answer = self.read("display-message", "-p", "#{pid}").text.strip()
        return int(answer) if answer.isdigit() else 0

    def count_clients(self, session: str = "") -> int:
        """Return the number of terminals that show the session, or any session."""
        result = self.read("list-clients", "-F", "x", *(["-t", f"={session}"] if session else []))
        return len(result.text.splitlines()) if result.code == 0 else 0

    # -- reading ----------------------------------------------------------------------------------------------

    def capture(
        self, pane_ids: Sequence[str], *, history: int = 0, joined: bool = True, styled: bool = False
    ) -> dict[str, str]:
        """Return the screen text of panes, with `history` lines above it; omit missing panes.

        Soft-wrapped lines are joined; trailing blank lines are cut. `styled` keeps the escape sequences of the styles.
        """
        texts: dict[str, str] = {}
        options = ((["-J"] if joined else []) + (["-e"] if styled else [])) + (["-S", f"-{history}"] if history else [])
        for batch in _batches(pane_ids, 60):
            texts.update(self._capture_batch(batch, options))
        return texts

    def _capture_batch(self, pane_ids: Sequence[str], options: Sequence[str]) -> dict[str, str]:
        mark = "lisa-" + os.urandom(8).hex()
        found: dict[str, str] = {}
        left = list(pane_ids)
        while left:
            words: list[str] = []
            for pane_id in left:
                words += ["capture-pane", "-p", *options, "-t", pane_id, ";", "display-message", "-p", mark, ";"]
            result = self.read(*words[:-1])
            if result.code and is_server_absent(result):
                break
            texts = result.text.split(mark + "\n")[:-1]
            found.update((pane_id, trim_screen(text)) for pane_id, text in zip(left, texts, strict=False))
            left = left[len(texts) + 1 :]  # a missing pane ends the chain: continue after it
        return found

    def capture_rows(
        self, pane_id: str, history: int, ranges: Sequence[tuple[int, int | None]], unjoined: tuple[int, int]
    ) -> tuple[int, list[str]] | None:
        """Return the history size and the text of ranges of rows, joined, and of one more range row by row.

        Rows count from the oldest, in a pane with `history` rows above its screen; None ends with the screen. If the
        returned size differs from `history`, the texts are those of other rows. None if the pane is gone.
        """
        mark = "lisa-" + os.urandom(8).hex()
        words = ["display-message", "-p", "-t", pane_id, f"#{{history_size}}\n{mark}"]
        for first, last, option in [*((first, last, "-J") for first, last in ranges), (*unjoined, "-N")]:
            words += [";", "capture-pane", "-p", option, "-t", pane_id, "-S", str(first - history)]
            words += ["-E", str(last - history)] if last is not None else []
            words += [";", "display-message", "-p", mark]
        result = self.read(*words)
        parts = result.text.split(mark + "\n")[:-1]
        if result.code or len(parts) != len(ranges) + 2 or not parts[0].strip().isdigit():
            return None
        return int(parts[0]), parts[1:]

    # -- a person's client -------------------------------------------------------------------------------------

    def become_client(self, session: str, *, read_only: bool, size: tuple[int, int]) -> NoReturn:
        """Replace this process by a tmux client that shows the session; it restores the size when it leaves.

        Raise TmuxUnavailable if tmux is missing or cannot be started.
        """
        sockets.refuse_foreign(self.socket)
        target = f"={session}:"
        words = ["attach-session", "-t", target]
        if read_only:
            words = ["set", "-w", "-t", target, "window-size", "manual", ";", *words, "-r"]
        else:
            restore = f"resize-window -t '{target}' -x {size[0]} -y {size[1]}"
            words = ["set", "-w", "-u", "-t", target, "window-size", ";", *words]
            words = ["set-hook", "-t", target, "client-detached", restore, ";", *words]
        argv = [self.program(), "-u", "-S", self.socket, "-f", "/dev/null", *words]
        env = {name: value for name, value in self._settings.environ.items() if name not in ("TMUX", "TMUX_PANE")}
        try:
            os.execve(argv[0], argv, env)
        except OSError as problem:
            raise TmuxUnavailable(f"tmux was not started: {problem.strerror}") from problem

    # -- sessions and server ----------------------------------------------------------------------------------

    def as_libtmux(self) -> libtmux.Server:
        """Return the server as a libtmux object, for sessions, options and hooks beyond what lisa needs.

        libtmux has no time limit for a call and hands the caller's environment to a server that it starts.
        """
        import libtmux  # noqa: PLC0415 - 90 ms

        sockets.refuse_foreign(self.socket)
        return libtmux.Server(socket_path=self.socket, config_file=os.devnull)

    def _start(self, *then: str, cwd: str | None = None) -> ProgramResult:
        """Start the server if needed, set its options, and run one more command in the same client.

        Raises LisaError(spawn_tmux_new_failed) when tmux cannot be started.
        """
        sockets.ensure_socket_folder(self.socket)
        history = (";", "set", "-g", "history-limit", str(self._settings.history_lines))
        words = (*_BOOT, *history, ";", *then)
        deadline = time.monotonic() + SERVER_END_SECONDS
        while True:  # an ending server disconnects new clients
            result = self.call(*words, cwd=cwd)
            if not result.code or not any(word in result.error_text for word in (*_SERVER_ENDING, *_NO_SERVER)):
                return result
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        raise LisaError("spawn_tmux_new_failed", f"tmux could not be started: {result.error_text}", socket=self.socket)

    def new_session(
        self,
        name: str,
        argv: Sequence[str],
        *,
        root: str,
        width: int,
        height: int,
        env: Mapping[str, str] | None = None,
    ) -> Pane:
        """Create a detached session whose only pane runs argv in the root folder, without a shell.

        Every client can read `env` from the server: no secrets.
        The result is verified. Raises LisaError(session_already_exists | spawn_tmux_new_failed).
        """
        size = ("-x", str(width), "-y", str(height))
        program = (_escape(word) for word in argv)
        environment_options = (word for key, value in (env or {}).items() for word in ("-e", _escape(f"{key}={value}")))
        # set through the client's folder: tmux would expand #{...} in the text of -c, and run #(...)
        made = ("new-session", "-d", "-P", "-F", PANE_FORMAT, "-s", name)
        words = (*made, *size, *environment_options, "--", *program)
        for _ in range(3):  # the client of a server that is killed meanwhile has code 0, and there is no session
            result = self._start(*words, cwd=root)
            if "duplicate session" in result.error_text:
                raise LisaError("session_already_exists", f"session already exists: {name}", session=name)
            if result.code:
                break
            pane = next(iter(_parse_panes(result.text)), None) or self.find_pane(name)
            if pane is not None:
                return pane
        why = result.error_text or f"it ended with code {result.code} and no reason"
        raise LisaError("spawn_tmux_new_failed", f"tmux made no session: {why}", session=name)

    def kill_session(self, name: str) -> bool:
        """End the session of a name or an id; return False if there was none.

        Raises TmuxUnavailable if that cannot be determined.
        """
        result = self._call_settled("kill-session", "-t", name if name.startswith("$") else f"={name}")
        if result.code == 0:
            return True
        if is_server_absent(result) or "can't find" in result.error_text or "session not found" in result.error_text:
            return False
        raise TmuxUnavailable(f"tmux answered: {result.error_text}")

    def kill_panes(self, panes: Sequence[Pane]) -> list[Pane]:
        """End the panes, each with its session if it is the last of it; return all panes of the server that are left.

        Raises TmuxUnavailable if that cannot be determined.
        """
        left = [pane.pane_id for pane in panes]
        while left:
            batch = left[:60]
            chain = [("kill-pane", "-t", pane_id, ";", "display-message", "-p", _ENDED, ";") for pane_id in batch]
            result = self._call_settled(*[word for words in chain for word in words][:-1])
            if result.code and is_server_absent(result):
                break
            if result.code and not any(word in result.error_text for word in _NO_SESSION):
                raise TmuxUnavailable(f"tmux answered: {result.error_text}")
            ended = result.text.split().count(_ENDED)
            left = left[ended + 1 if result.code else len(batch) :]  # a missing pane ends the chain: continue after it
        return self.list_panes()

    def kill_server(self) -> bool:
        return self.call("kill-server").code == 0

    def reap_children(self) -> None:
        """Make the server reap its ended children: tmux 3.3a with utempter misses one SIGCHLD in five."""
        self.call("run-shell", "true")

    def is_listening(self) -> bool | None:
        """Return True if a server listens, False if none does, None if that cannot be determined."""
        return sockets.is_listening(self.socket, self._settings.cmd_timeout_seconds)

    def stop_if_unused(self, *, with_ended_sessions: bool = False) -> bool:
        """End a server without sessions and remove its socket; the server decides, in one step.

        With `with_ended_sessions` also a server with no running program in any pane. A session that starts meanwhile is
        kept: `exit-empty` ends a server once it has no client, `kill-server` also one that is making a session, which
        no client could reach then.
        """
        needed = "#{m:*0*,#{S:#{W:#{P:#{pane_dead}}}}}" if with_ended_sessions else _HAS_SESSION
        end = "set -s exit-empty on"
        if with_ended_sessions and (panes := self.list_panes()):
            one = panes[0].session_id
            end += f" ; kill-session -a -t '{one}' ; kill-session -t '{one}'"
        result = self.call("if-shell", "-F", needed, "display-message -p kept", end)
        if "kept" in result.text or (result.code and not is_server_absent(result)):
            return False
        for _ in range(200):  # it disconnects the client before it closes its socket
            if self.is_listening() is False:
                return sockets.remove_socket(self.socket, self._settings.cmd_timeout_seconds)
            if self.read("display-message", "-p", _HAS_SESSION).text.strip():
                return False
            time.sleep(0.005)
        return False

    # -- input ------------------------------------------------------------------------------------------------

    def paste(self, pane_id: str, data: bytes) -> str:
        """Paste bytes as one bracketed paste, leaving every tmux mode first; return ok, dead or gone.

        The guard on pane_dead is required: pasting into a dead pane crashes a tmux 3.3a server. Raises
        TmuxUnavailable if nothing was pasted for another reason, or if that cannot be determined.
        """
        buffer = f"lisa-{os.getpid()}-{os.urandom(4).hex()}"
        refuse = f"delete-buffer -b {buffer} ; display-message -p -t {pane_id} '{_PANE_INPUT}'"
        # an error of paste-buffer ends its list: only a paste that ran is followed by the message
        paste = f"paste-buffer -p -r -d -b {buffer} -t {pane_id} ; display-message -p pasted"
        guarded = ("if-shell", "-F", "-t", pane_id, "#{||:#{pane_dead},#{pane_input_off}}", refuse, paste)
        result = self.call("load-buffer", "-b", buffer, "-", ";", *_leave_modes(pane_id), ";", *guarded, stdin=data)
        outcome = result.text.strip()
        if outcome == "pasted":
            return "ok"
        if outcome == "dead":
            return "dead"
        self.call("delete-buffer", "-b", buffer)
        if outcome == "off":
            raise TmuxUnavailable(_INPUT_OFF)
        if is_server_absent(result) or "can't find" in result.error_text:
            return "gone"
        raise TmuxUnavailable(f"tmux answered: {result.error_text or 'nothing'}")

    def send_keys(self, pane_id: str, keys: Iterable[str], *, literal: bool = False) -> bool:
        """Press keys by their tmux names, or type them literally; return False if the pane is dead or missing.

        Every tmux mode is left first. Raises LisaError(send_keys_failed).
        """
        style = ("-l",) if literal else ()
        press = ("send-keys", "-t", pane_id, *style, "--", *(_escape(key) for key in keys))
        check = ("display-message", "-p", "-t", pane_id, _PANE_INPUT)
        result = self.call(*_leave_modes(pane_id), ";", *press, ";", *check)
        outcome = result.text.strip()
        if outcome in ("open", "dead"):
            return outcome == "open"
        if outcome == "off":
            raise LisaError("send_keys_failed", _INPUT_OFF)
        if is_server_absent(result) or "can't find" in result.error_text:
            return False
        raise LisaError("send_keys_failed", f"tmux answered: {result.error_text or 'nothing'}")


def _parse_panes(text: str) -> list[Pane]:
    return [pane for pane in map(parse_pane, text.split("\n")) if pane is not None]


def is_server_absent(result: ProgramResult) -> bool:
    """Return True if tmux reported that there is no server."""
    return any(word in result.error_text for word in _NO_SERVER)


def retry_while_server_ends(call: Callable[[], ProgramResult]) -> ProgramResult:
    """Repeat an idempotent call while the server is ending and disconnects its clients.

    Returns the last result after one second.
    """
    deadline = time.monotonic() + SERVER_END_SECONDS
    while True:
        result = call()
        server_is_ending = result.code and any(word in result.error_text for word in _SERVER_ENDING)
        if not server_is_ending or time.monotonic() > deadline:
            return result
        time.sleep(0.01)


def _leave_modes(pane_id: str) -> tuple[str, ...]:
    """Leave all modes of a pane (copy, view, clock, tree, buffer, options), in which keys never reach the program.

    `send-keys -X cancel` is an error in every mode but copy and view mode.
    """
    return ("copy-mode", "-q", "-t", pane_id)


def _escape(word: str) -> str:
    """Escape a final semicolon, at which tmux would end the command."""
    return word[:-1] + "\\;" if word.endswith(";") else word


def trim_screen(text: str) -> str:
    """Return the text without blanks at the ends of lines and without blank lines at its end."""
    lines = [line.rstrip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines)


def _batches(items: Sequence[str], count: int) -> Iterable[Sequence[str]]:
    for start in range(0, len(items), count):
        yield items[start : start + count]
