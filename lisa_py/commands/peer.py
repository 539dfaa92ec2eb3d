"""Answer requests of a program on standard input, one JSON line each."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.command import Command
from lisa_py.contract.peer import PeerMessage


class Args(Struct, kw_only=True):
    pass


COMMAND = Command(
    group="programs",
    args=Args,
    answer=PeerMessage,
    face="peer",
    errors=("invalid_project_root", "invalid_request", "request_too_large", "too_many_requests"),
    exits={0: "the input has ended and every request is answered, or the reader has gone", 1: "an unknown flag"},
    example="""echo '{"command": "session list"}' | lisa peer""",
    notes="""\
A request is {"id": 1, "command": "session status", "args": {"session": "lisa-demo-1"}}; args are the flags of the
command. Further keys: format (json or json-min), cwd, stdin; others are refused. Requests run at the same time; each
message repeats the id. A streaming command sends messages with event first; the last message has answer or error, and
exitCode.
{"cancel": 1} ends the request 1. At the end of the input running requests are finished; once its reader has left
everything ends, waits included, and the sessions keep running.""",
)
