"""tmux: every call lisa makes to it, on the project's own socket, with answers that tell `no` from `cannot tell`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from msgspec import Struct

from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.host.env import Settings
from lisa_py.host.run import Ended, find_program, run

SOCKET_PATH_MAX = 100
"""Bytes; Linux takes 107 for a Unix socket, macOS 103."""
HISTORY_LINES = 10_000
_ARGV_MAX = 12_000  # one tmux client takes just under 16 kB of command (tmux 3.3a)
_FIELDS = (
    "session_name",
    "pane_id",
    "pane_pid",
    "pane_dead",
    "pane_dead_status",
    "pane_dead_signal",
    "alternate_on",
    "pane_in_mode",
    "window_activity",
    "history_size",
    "pane_height",
    "pane_width",
    "pane_title",
)
_FORMAT = "\t".join(f"#{{{field}}}" for field in _FIELDS)
_ABSENT = ("no server running on", "(No such file or directory)", "(Connection refused)", "no sessions")
_RACING = ("server exited unexpectedly", "lost server")
_BOOT = (
    "start-server",
    ";",
    "set",
    "-s",
    "exit-empty",
    "off",
    ";",
    "set",
    "-s",
    "escape-time",
    "10",
    ";",
    "set",
    "-g",
    "default-shell",
    "/bin/sh",
    ";",
    "set",
    "-g",
    "remain-on-exit",
    "on",
    ";",
    "set",
    "-g",
    "history-limit",
    str(HISTORY_LINES),
    ";",
    "set",
    "-g",
    "destroy-unattached",
    "off",
    ";",
    "set",
    "-g",
    "set-titles",
    "off",
    ";",
    "set",
    "-g",
    "status",
    "off",
    ";",
    "set",
    "-g",
    "default-terminal",
    "screen-256color",
)


class Pane(Struct, frozen=True):
    """One pane as one `list-panes -a` line shows it."""

    session: str
    pane_id: str
    pid: int
    dead: bool
    dead_status: str
    dead_signal: str
    alternate: bool
    in_mode: bool
    activity: float
    """Unix seconds of the last output, whole seconds."""
    history: int
    """Lines above the screen."""
    height: int
    width: int
    title: str


class Tmux:
    """One tmux server, addressed by its socket; nothing of the user's tmux or tmux.conf plays a part."""

    def __init__(self, socket: str, settings: Settings) -> None:
        self.socket = socket
        self._settings = settings
        self._program = ""

    # -- asking -----------------------------------------------------------------------------------------------

    def call(self, *words: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Ended:
        """One tmux client process.

        Raises TmuxUnavailable when tmux is missing, does not answer in time, or refuses the socket.
        """
        argv = [self.program(), "-S", self.socket, "-f", "/dev/null", *words]
        ended = run(argv, timeout=self._settings.cmd_timeout_seconds, stdin=stdin, env=env or self.environment())
        if ended.code is None:
            raise TmuxUnavailable(f"tmux did not answer within {self._settings.cmd_timeout_seconds} s on {self.socket}")
        if ended.code and any(word in ended.complaint for word in ("Permission denied", "Operation not permitted")):
            raise TmuxUnavailable(f"tmux refused: {ended.complaint}")
        return ended

    def program(self) -> str:
        if not self._program:
            self._program = find_program("tmux", self._settings.get("PATH", os.defpath))
            if not self._program:
                raise TmuxUnavailable("tmux is not on PATH; install tmux 3.2 or newer", code="tmux_missing")
        return self._program

    def environment(self) -> dict[str, str]:
        """What a tmux server may inherit: nothing that belongs to one caller only."""
        keep = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ")
        env = {name: self._settings.environ[name] for name in keep if name in self._settings.environ}
        if not any(
            env.get(name, "").lower().replace("-", "").endswith("utf8") for name in ("LC_ALL", "LC_CTYPE", "LANG")
        ):
            env["LC_CTYPE"] = "C.UTF-8"  # else tmux 3.3a draws every non-ASCII cell as an underscore
        env["TERM"] = "screen-256color"
        return env

    def panes(self, session: str = "") -> list[Pane]:
        """All panes of the server (of one session, exactly named); empty when there is no server or session.

        Raises TmuxUnavailable when that cannot be told.
        """
        target = ("-s", "-t", f"={session}") if session else ("-a",)
        for _ in range(2):
            ended = self.call("list-panes", *target, "-F", _FORMAT)
            if ended.code == 0:
                every = (pane for pane in map(_pane, ended.text.splitlines()) if pane is not None)
                # tmux 3.3a resolves `=name` of list-panes by prefix all the same: compare
                return [pane for pane in every if not session or pane.session == session]
            if absent(ended) or "can't find" in ended.complaint:
                return []
            if not any(word in ended.complaint for word in _RACING):
                break
        raise TmuxUnavailable(f"tmux answered: {ended.complaint or 'nothing'}")

    def pane(self, session: str) -> Pane | None:
        """The session's first pane, or None when tmux says there is no such session."""
        if not os.path.lexists(self.socket):
            self.program()
            return None
        found = self.panes(session)
        return found[0] if found else None

    def server_pid(self) -> int:
        """Process id of the server; 0 when there is none."""
        ended = self.call("display-message", "-p", "#{pid}")
        return int(ended.text.strip() or 0) if ended.code == 0 else 0

    def clients(self) -> int:
        ended = self.call("list-clients", "-F", "x")
        return len(ended.text.splitlines()) if ended.code == 0 else 0

    # -- reading ----------------------------------------------------------------------------------------------

    def capture(self, pane_ids: Sequence[str], *, history: int = 0, joined: bool = True) -> dict[str, str]:
        """Screen text of panes (with `history` lines above it); panes that are gone are left out.

        Soft-wrapped lines are joined; trailing blank lines are cut.
        """
        texts: dict[str, str] = {}
        for batch in _batches(pane_ids, 60):
            texts.update(self._capture_batch(batch, history, joined))
        return texts

    def _capture_batch(self, pane_ids: Sequence[str], history: int, joined: bool) -> dict[str, str]:
        mark = "lisa-" + os.urandom(8).hex()
        words: list[str] = []
        for pane_id in pane_ids:
            words += [*self._capture_words(pane_id, history, joined), ";", "display-message", "-p", mark, ";"]
        ended = self.call(*words[:-1])
        parts = ended.text.split(mark + "\n")
        if ended.code == 0 and len(parts) == len(pane_ids) + 1:
            return {pane_id: _tidy(text) for pane_id, text in zip(pane_ids, parts, strict=False)}
        if len(pane_ids) == 1:
            return {}
        found: dict[str, str] = {}
        for pane_id in pane_ids:  # one bad target ends the whole chain: ask singly
            found.update(self._capture_batch([pane_id], history, joined))
        return found

    @staticmethod
    def _capture_words(pane_id: str, history: int, joined: bool) -> list[str]:
        words = ["capture-pane", "-p", "-t", pane_id]
        if joined:
            words.append("-J")
        if history:
            words += ["-S", f"-{history}"]
        return words

    # -- making and ending ------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start the server if need be and set its options; harmless on a running one."""
        ended = self.call(*_BOOT)
        if ended.code and any(word in ended.complaint for word in (*_RACING, *_ABSENT)):
            ended = self.call(*_BOOT)
        if ended.code:
            raise LisaError("spawn_tmux_new_failed", f"tmux could not be started: {ended.complaint}")
        self.call("set", "-g", "remain-on-exit-format", "")  # 3.3 and newer; older ones complain and go on

    def new_session(self, name: str, argv: Sequence[str], *, root: str, width: int, height: int) -> Pane:
        """Make a detached session whose only pane runs argv, without a shell between.

        Raises LisaError session_already_exists or spawn_tmux_new_failed; the answer is read back, never assumed.
        """
        words = (
            "new-session",
            "-d",
            "-s",
            name,
            "-x",
            str(width),
            "-y",
            str(height),
            "-c",
            root,
            "--",
            *(_escape(word) for word in argv),
        )
        for _ in range(3):
            self.boot()
            ended = self.call(*words)
            if ended.code == 0 or not any(word in ended.complaint for word in (*_RACING, *_ABSENT)):
                break
        if "duplicate session" in ended.complaint:
            raise LisaError("session_already_exists", f"session already exists: {name}", session=name)
        pane = self.pane(name) if ended.code == 0 else None
        if pane is None:
            raise LisaError("spawn_tmux_new_failed", f"tmux made no session: {ended.complaint or 'no reason given'}")
        return pane

    def kill_session(self, name: str) -> bool:
        """End the session; False when there was none. Raises TmuxUnavailable when that cannot be told."""
        ended = self.call("kill-session", "-t", f"={name}")
        if ended.code == 0:
            return True
        if absent(ended) or "can't find" in ended.complaint or "session not found" in ended.complaint:
            return False
        raise TmuxUnavailable(f"tmux answered: {ended.complaint}")

    def kill_server(self) -> bool:
        return self.call("kill-server").code == 0

    # -- telling ----------------------------------------------------------------------------------------------

    def paste(self, pane_id: str, data: bytes) -> str:
        """Paste bytes as one bracketed paste, leaving copy mode first: answers ok, dead or gone.

        The guard on pane_dead is not optional: pasting into a dead pane ends a 3.3a server with all its sessions.
        """
        buffer = f"lisa-{os.getpid()}-{os.urandom(4).hex()}"
        ended = self.call(
            "load-buffer",
            "-b",
            buffer,
            "-",
            ";",
            "if-shell",
            "-F",
            "-t",
            pane_id,
            "#{pane_in_mode}",
            f"send-keys -t {pane_id} -X cancel",
            ";",
            "if-shell",
            "-F",
            "-t",
            pane_id,
            "#{pane_dead}",
            f"delete-buffer -b {buffer} ; display-message -p dead",
            f"paste-buffer -p -r -d -b {buffer} -t {pane_id}",
            stdin=data,
        )
        if ended.code == 0:
            return "dead" if "dead" in ended.text else "ok"
        self.call("delete-buffer", "-b", buffer)
        if absent(ended) or "can't find" in ended.complaint:
            return "gone"
        raise TmuxUnavailable(f"tmux answered: {ended.complaint}")

    def keys(self, pane_id: str, keys: Iterable[str], *, literal: bool = False) -> bool:
        """Press keys by their tmux names (or type them literally); False when the pane is gone."""
        words = [_escape(key) for key in keys]
        style = ("-l",) if literal else ()
        ended = self.call(
            "if-shell",
            "-F",
            "-t",
            pane_id,
            "#{pane_in_mode}",
            f"send-keys -t {pane_id} -X cancel",
            ";",
            "send-keys",
            "-t",
            pane_id,
            *style,
            "--",
            *words,
        )
        if ended.code == 0:
            return True
        if absent(ended) or "can't find" in ended.complaint:
            return False
        raise LisaError("send_keys_failed", f"tmux answered: {ended.complaint}")

    def resize(self, pane_id: str, width: int, height: int) -> None:
        self.call("resize-window", "-t", pane_id, "-x", str(width), "-y", str(height))


def absent(ended: Ended) -> bool:
    """Whether tmux said that there is no server at all."""
    return any(word in ended.complaint for word in _ABSENT)


def _pane(line: str) -> Pane | None:
    words = line.split("\t", len(_FIELDS) - 1)
    if len(words) != len(_FIELDS) or not words[0]:
        return None
    return Pane(
        session=words[0],
        pane_id=words[1],
        pid=int(words[2] or 0),
        dead=words[3] == "1",
        dead_status=words[4],
        dead_signal=words[5],
        alternate=words[6] == "1",
        in_mode=words[7] not in ("", "0"),
        activity=float(words[8] or 0),
        history=int(words[9] or 0),
        height=int(words[10] or 0),
        width=int(words[11] or 0),
        title=words[12],
    )


def _escape(word: str) -> str:
    """tmux ends a command at a word that ends in a semicolon."""
    return word[:-1] + "\\;" if word.endswith(";") else word


def _tidy(text: str) -> str:
    lines = [line.rstrip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines)


def _batches(items: Sequence[str], count: int) -> Iterable[Sequence[str]]:
    for start in range(0, len(items), count):
        yield items[start : start + count]
