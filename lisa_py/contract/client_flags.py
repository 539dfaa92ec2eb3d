"""Flags that every command of `lisa ai` has, as in the LimaCharlie client."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Flag
from lisa_py.contract.flags import BeforeFrame, ProjectRoot

OUTPUT_FORMATS = ("json", "yaml", "toon", "csv", "table", "jsonl")
IGNORED_SWITCHES = ("--debug", "--debug-full", "--debug-curl", "--no-warnings")
IGNORED_VALUES = ("--profile", "--env")
"""Flags of the client without a meaning here; accepted, unless the command has a flag of that name."""
EXITS = {
    0: "done",
    1: "refused or failed",
    2: "not allowed",
    3: "no such session or identity",
    4: "a value is out of range",
    5: "too many requests",
}
"""Exit codes of the client."""
OUTPUT_ERRORS = ("invalid_filter", "output_format_unavailable", "project_not_found")
"""Error codes of the flags of all commands."""


class ClientArgs(Struct, kw_only=True):
    """Flags of all commands of `lisa ai`; they may precede the command."""

    project_root: ProjectRoot = ""
    oid: Annotated[str, Flag(help="id of the project, instead of its folder", metavar="UUID")] = ""
    output: Annotated[
        str,
        Flag(help="output format; default: table on a terminal, else json", choices=OUTPUT_FORMATS),
    ] = ""
    filter_: Annotated[str, Flag(help="JMESPath expression for the output", metavar="EXPR")] = ""
    fields: Annotated[str, Flag(help="fields of each record to print", metavar="CSV")] = ""
    sort_by: Annotated[str, Flag(help="field to sort a list by", metavar="FIELD")] = ""
    reverse: Annotated[bool, Flag(help="descending order of --sort-by")] = False
    quiet: Annotated[bool, Flag(help="no output but errors", other_spellings=("-q",))] = False
    wide: Annotated[bool, Flag(help="whole values in tables", other_spellings=("-W",))] = False


SessionId = Annotated[str, Flag(help="id or name of the session", metavar="ID")]
WholeHistory = Annotated[bool, Flag(help="internal system messages, too")]
FullPrompt = Annotated[bool, Flag(help="the whole first prompt")]
StatusFilter = Annotated[str, Flag(help="only sessions with this status", metavar="running|starting|ended")]
SessionLimit = Annotated[int | None, Flag(help="maximum number of sessions; with --cursor of one page")]
PageCursor = Annotated[str, Flag(help="`next_cursor` of the page before; empty: the first page", metavar="CURSOR")]
Verbose = Annotated[bool, Flag(help="all frames, with full times", other_spellings=("-v",))]


class ListArgs(ClientArgs, kw_only=True):
    """Flags of the lists of sessions and chats."""

    status: StatusFilter = ""
    limit: SessionLimit = None
    cursor: PageCursor = ""


class GetArgs(ClientArgs, kw_only=True):
    """Flags of the descriptions of a session and a chat."""

    id: SessionId
    full_prompt: FullPrompt = False


class HistoryArgs(ClientArgs, kw_only=True):
    """Flags of the histories of a session and a chat."""

    id: SessionId
    raw: WholeHistory = False
    before: BeforeFrame = ""


class TerminateArgs(ClientArgs, kw_only=True):
    """Flags of the ends of a session and a chat."""

    id: SessionId
