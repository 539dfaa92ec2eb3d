"""Offer tools for sessions to an agent on standard input and output (Model Context Protocol)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot


class Args(Struct, kw_only=True):
    within: Annotated[str, Flag(help="session whose own sessions are the only ones", metavar="NAME")] = ""
    project_root: ProjectRoot = ""


class McpServeResult(Answer):
    """No field: standard output has the lines of the protocol."""


COMMAND = Command(
    group="programs",
    args=Args,
    answer=McpServeResult,
    face="mcp",
    errors=(
        "client_required",
        "invalid_arguments",
        "invalid_project_root",
        "mcp_extra_missing",
        "nesting_too_deep",
        "no_sessions",
        "session_not_found",
        "session_out_of_scope",
    ),
    exits={0: "the client has left", 1: "refused; see the message or errorCode"},
    example="lisa mcp\nlisa mcp serve --within lisa-demo-1",
    notes="""\
`lisa mcp` without a further word is the same. The tools are session_spawn, session_list, session_wait, session_status,
session_read, session_send and session_kill; they answer with small JSON objects, and failures carry `errorCode`. The
resources lisa://sessions and lisa://session/NAME show states and output. `lisa mcp install` enters the server in the
configuration of an agent; `session spawn --tools` gives it to one session, for its own sessions only.""",
)
