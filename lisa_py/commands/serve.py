"""Serve the sessions API over HTTP and WebSocket on this machine."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.api_errors import API_ERRORS
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot

DEFAULT_PORT = 4747


class Args(Struct, kw_only=True):
    port: Annotated[int | None, Flag(help="port on 127.0.0.1; 0 picks a free one", minimum=0, maximum=65535)] = None
    """None: DEFAULT_PORT, or no port beside a socket."""
    socket: Annotated[str, Flag(help="Unix socket; beside a port with --port", metavar="PATH")] = ""
    ready_file: Annotated[str, Flag(help="file for url and pid once it listens", metavar="FILE")] = ""
    agent: Annotated[str, Flag(help="agent of API sessions that name none", metavar="NAME")] = ""
    max_sessions: Annotated[int, Flag(help="running chats at most; 0: no limit", minimum=0)] = 10
    max_creations: Annotated[int, Flag(help="new chats per minute at most; 0: no limit", minimum=0)] = 10
    interactive_api_sessions: Annotated[bool, Flag(help="prompts to sessions that are no chats")] = False
    allow_origin: Annotated[
        tuple[str, ...], Flag(help="origin whose pages may call", metavar="ORIGIN", repeatable=True)
    ] = ()
    new_key: Annotated[bool, Flag(help="new API keys; the old ones are refused")] = False
    check: Annotated[bool, Flag(help="state of the running server, then exit")] = False
    client_env: Annotated[bool, Flag(help="variables for the limacharlie client, then exit")] = False
    scope: Annotated[str, Flag(help="rights of the key in --client-env", choices=("control", "read"))] = "control"
    project_root: ProjectRoot = ""


class ServerReport(Answer):
    """The running server."""

    url: str
    pid: int
    socket: str | UnsetType = UNSET
    project_id: str | UnsetType = UNSET
    """Id of the current project: `oid` of the API."""


COMMAND = Command(
    group="programs",
    args=Args,
    answer=ServerReport,
    face="server",
    errors=(
        *API_ERRORS,
        "invalid_allow_origin",
        "invalid_request",
        "project_not_found",
        "port_unavailable",
        "server_extra_missing",
        "server_not_running",
        "server_running",
        "socket_refused",
        "invalid_agent",
    ),
    exits={0: "ended by a signal, or the checked server runs", 1: "refused; see the message or errorCode"},
    example="lisa serve --port 4747",
    notes="""\
The API is that of the LimaCharlie AI sessions service; `lisa serve --client-env` prints the variables with which the
limacharlie client uses it: `export $(lisa serve --client-env)`. One server serves all projects of a user. It listens on
127.0.0.1 only, every call needs the API key or a token (docs/api.md), and sessions keep running when it ends.""",
)
