"""What can go wrong, as a stable code, a text that says what to do next, and an exit code."""

from __future__ import annotations

from typing import Any


class LisaError(Exception):
    """A failure the user is told about: `code` is contract, the text is not.

    `details` are added to the JSON error object (camelCase keys); `exit_code` is the process's.
    """

    def __init__(self, code: str, message: str, *, exit_code: int = 1, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.exit_code = exit_code
        self.details = details


class UsageError(LisaError):
    """The words of the call are off; nothing was done."""


class TmuxUnavailable(LisaError):
    """tmux could not be asked (missing, timed out, refused): never to be read as `the session is gone`."""

    def __init__(self, message: str, *, code: str = "tmux_unavailable", **details: Any) -> None:
        super().__init__(code, message, **details)


def session_not_found(session: str, project_root: str) -> LisaError:
    return LisaError(
        "session_not_found",
        f"session not found: {session} (lisa session list shows what is there)",
        session=session,
        projectRoot=project_root,
    )


COMMON_ERRORS: dict[str, str] = {
    "unknown_command": "the command does not exist; `lisa --help` lists them",
    "unknown_flag": "the command has no such flag; its --help lists them",
    "missing_flag_value": "a flag that takes a value stands last or before another flag",
    "missing_required_flag": "a required flag is not given",
    "ambiguous_project_root": "sessions of this name live in more than one project; give --project-root",
    "invalid_session_name": "session names match lisa-[A-Za-z0-9_-]+ and have at most 100 characters",
    "invalid_project_root": "the project root is not a folder",
    "session_not_found": "tmux answered: there is no such session",
    "tmux_unavailable": "tmux is missing, timed out or refused; nothing is known about the session",
    "tmux_missing": "tmux is not on PATH; install it",
    "state_lock_timeout": "another lisa process holds the session's lock; try again",
    "store_unwritable": "a file of lisa's own state could not be written (disk full, permissions)",
    "interrupted": "Ctrl-C; sessions go on",
    "internal_error": "a defect of lisa; the log file named in the message holds the details",
}
"""Codes any command may answer; a command's own codes stand in its `COMMAND.errors`."""
