"""Write the state file of the process and the transcript of the conversation, and call hooks."""

from __future__ import annotations

import os
import time

try:
    from _json import encode_basestring_ascii as _string
except ImportError:  # another Python than CPython
    from json.encoder import encode_basestring_ascii as _string


def dumps(value: object) -> str:
    """Return plain values as JSON; importing json would take a third of the start."""
    if isinstance(value, str):
        return _string(value)
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_string(str(key))}:{dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(dumps(item) for item in value) + "]"
    return _string(str(value))


def new_id() -> str:
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


class StateFiles:
    """One process's files below its home folder."""

    def __init__(self, home: str, session_id: str, hook: str, permission_hook: str = "") -> None:
        self.home = home
        self.session_id = session_id or new_id()
        self._hook = hook
        self._permission_hook = permission_hook
        self._pid = os.getpid()
        self._start_time = _read_start_time(self._pid)
        self._count = 0
        self.turn = ""
        self.state = ""
        for name in ("sessions", "transcripts"):
            os.makedirs(os.path.join(home, name), mode=0o700, exist_ok=True)

    @property
    def transcript(self) -> str:
        return os.path.join(self.home, "transcripts", self.session_id + ".jsonl")

    @property
    def _state_file(self) -> str:
        return os.path.join(self.home, "sessions", f"{self._pid}.json")

    def write_state(
        self, state: str, *, waiting_for: str = "", error: str = "", detail: str = "", queued: int = 0
    ) -> None:
        """Write the present state atomically."""
        self.state = state
        record = {
            "pid": self._pid,
            "procStart": self._start_time,
            "sessionId": self.session_id,
            "transcript": self.transcript,
            "cwd": os.getcwd(),
            "state": state,
            "waitingFor": waiting_for,
            "error": error,
            "detail": detail,
            "queued": queued,
            "turn": self.turn,
            "at": time.time(),
        }
        temporary = self._state_file + ".new"
        _write(temporary, dumps(record), os.O_TRUNC)
        os.replace(temporary, self._state_file)

    def remove_state(self) -> None:
        try:
            os.unlink(self._state_file)
        except OSError:
            pass

    def append_record(self, kind: str, **fields: object) -> None:
        """Append one record to the transcript."""
        self._count += 1
        line = {"type": kind, "at": time.time(), "id": f"{self._pid}-{self._count}", "turn": self.turn, **fields}
        _write(self.transcript, dumps(line) + "\n", os.O_APPEND)

    def call_hook(self, event: str, **fields: object) -> None:
        """Run the hook with the event as JSON on stdin, and wait for it."""
        if self._hook:
            child = self._start_hook(self._hook, event, fields, os.open(os.devnull, os.O_WRONLY))
            os.waitpid(child, 0)

    def ask_hook(self, event: str, **fields: object) -> tuple[int, int]:
        """Start the hook that may decide; return its process and the end of the pipe with its output, -1 without."""
        if not self._permission_hook:
            self.call_hook(event, **fields)
            return 0, -1
        reader, writer = os.pipe()
        os.set_inheritable(reader, False)
        child = self._start_hook(self._permission_hook, event, fields, writer)
        return child, reader

    def _start_hook(self, command: str, event: str, fields: dict[str, object], output: int) -> int:
        payload = {
            "session_id": self.session_id,
            "transcript_path": self.transcript,
            "cwd": os.getcwd(),
            "hook_event_name": event,
            **fields,
        }
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(reader, 0)
            os.dup2(output, 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os.close(writer)
            try:
                os.execv("/bin/sh", ["/bin/sh", "-c", f"{command} {event}"])
            finally:
                os._exit(127)
        os.close(reader)
        os.close(output)
        try:
            os.write(writer, dumps(payload).encode()[:65_000])
        except OSError:
            pass
        os.close(writer)
        return child


def _write(path: str, text: str, open_flags: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | open_flags | os.O_CLOEXEC, 0o600)
    try:
        data = memoryview(text.encode("utf-8", "replace"))
        while data:
            data = data[os.write(handle, data) :]
    finally:
        os.close(handle)


def _read_start_time(pid: int) -> int:
    """Return the start time of the process in clock ticks since boot; 0 on other systems than Linux."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as handle:
            return int(handle.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
