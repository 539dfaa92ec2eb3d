"""Lines of `lisa peer`: requests on standard input, messages on standard output."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer

MAX_LINE_BYTES = 1 << 20
"""Longest request."""

RequestId = str | int | None


class PeerRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of standard input: a command to run, or with `cancel` the end of one that runs."""

    id: RequestId = None
    """Repeated in each message of the answer; given by the peer as 1, 2, 3, ... if absent."""
    command: str = ""
    """Name of the command: `session status`."""
    args: dict[str, Any] = {}
    """Flags by name: `{"session": "lisa-demo-1"}`."""
    format: str = "json"
    """json, or json-min for the fields of polling loops."""
    cwd: str = ""
    """Folder in which the command runs, relative to that of the peer, which is the default."""
    stdin: str = ""
    """Standard input of the command."""
    cancel: RequestId = None


class PeerMessage(Answer):
    """One line of standard output; the last one of a request has an answer or an error, with the exit code."""

    id: RequestId
    event: Any = UNSET
    """An event that the command streams."""
    warning: str | UnsetType = UNSET
    """A diagnostic for people."""
    answer: Any = UNSET
    error: Any = UNSET
    """`{"ok": false, "errorCode": ..., "error": ...}`."""
    exit_code: int | UnsetType = UNSET
