"""Errors: a stable code, a text that states what to do next, and an exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class LisaError(Exception):
    """A failure reported to the user: `code` is contract, the text is not.

    `details` are added to the JSON error object (camelCase keys); `exit_code` is the exit code of the process.
    """

    def __init__(self, code: str, message: str, *, exit_code: int = 1, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.exit_code = exit_code
        self.details = details

    def to_object(self) -> dict[str, Any]:
        """Return the JSON object that every face answers for this failure."""
        return {**self.details, "ok": False, "errorCode": self.code, "error": self.message}


class UsageError(LisaError):
    """The arguments are invalid; nothing was done."""


class CancellationError(LisaError):
    """The caller asked a command to stop; the sessions keep running."""

    def __init__(
        self,
        message: str = "interrupted; sessions keep running (lisa session list shows them)",
        **details: Any,
    ) -> None:
        super().__init__("interrupted", message, exit_code=130, **details)


class TmuxUnavailable(LisaError):
    """tmux could not be queried (missing, timed out, refused); it never means that the session is gone."""

    def __init__(self, message: str, *, code: str = "tmux_unavailable", **details: Any) -> None:
        super().__init__(code, message, **details)


def find_similar(word: str, names: Iterable[str]) -> str:
    """Return the known name most similar to a mistyped one; empty if none is."""
    import difflib  # noqa: PLC0415 - only for mistyped names

    return next(iter(difflib.get_close_matches(word, list(names), n=1)), "")


def session_not_found(session: str, project_root: str, *, resume_command: str = "", remedy: str = "") -> LisaError:
    """Return the error; `resume_command` brings a lost session back, `remedy` replaces the advice to list sessions."""
    if resume_command:
        remedy = f"it is lost; {resume_command} brings it back"
    remedy = remedy or "lisa session list shows the sessions"
    return LisaError(
        "session_not_found",
        f"session not found: {session} ({remedy})",
        session=session,
        projectRoot=project_root,
    )


COMMON_ERRORS: dict[str, str] = {
    "unknown_command": "the command does not exist; `lisa --help` lists them",
    "unknown_flag": "the command has no such flag; its --help lists them",
    "missing_flag_value": "a flag lacks its value: it is last or followed by another flag",
    "missing_required_flag": "a required flag is not given",
    "ambiguous_project_root": "several projects have a session of this name; give --project-root",
    "invalid_session_name": "session names match lisa-[A-Za-z0-9_-]+ and have at most 100 characters",
    "invalid_project_root": "the project root is not a folder",
    "session_not_found": "no session of this name exists",
    "tmux_unavailable": "tmux is missing, timed out or refused; the state of the session is unknown",
    "tmux_missing": "tmux is not on PATH; install it",
    "state_lock_timeout": "another lisa process holds the session's lock; try again",
    "store_unwritable": "a file of lisa's own state could not be written (disk full, permissions)",
    "secrets_unreadable": "the secrets given to the session cannot be read, so its texts are not shown",
    "too_many_open_files": "the process or the machine has no file handle left; close files or raise the limit",
    "too_many_processes": "the user or the machine can start no further process; end some or raise the limit",
    "out_of_memory": "the machine has no memory left for the call",
    "interrupted": "Ctrl-C; sessions keep running",
    "internal_error": "a bug in lisa; the log file named in the message has the details",
}
"""Codes that any command may answer; for those of one command see `Command.error_codes`."""
