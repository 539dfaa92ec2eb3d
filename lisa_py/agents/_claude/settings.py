"""Settings file of a session: hooks that report to lisa, joined with the user's settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from lisa_py.agents._claude import home
from lisa_py.agents.launch import AgentLaunch
from lisa_py.contract.quoting import quote_posix

HOOK_TIMEOUT_SECONDS = 10
DIALOG_EVENT = "PermissionRequest"
DIALOG_TIMEOUT_SECONDS = 7 * 24 * 3600
"""Longest time that the hook of a dialog waits for the decision; the dialog stays open after it."""
EVENTS = (
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "PermissionRequest",
    "Notification",
    "Stop",
    "StopFailure",
    "SessionEnd",
)
_EVENT_VERSIONS = {
    "UserPromptSubmit": (1, 0, 54),
    "SessionStart": (1, 0, 62),
    "SessionEnd": (1, 0, 85),
    "PermissionRequest": (2, 0, 54),
    "PostToolUseFailure": (2, 1, 33),
    "StopFailure": (2, 1, 78),
}
"""A version that certainly knows the event; an older one opens a settings dialog before it starts."""


def hook_settings(request: AgentLaunch, version: str) -> dict[str, Any]:
    """Return the hooks of all events; in an interactive session that of a dialog waits for the decision."""
    program, folder = f"/bin/sh {quote_posix(request.hook)}", quote_posix(request.folder)
    found = {}
    for event in known_events(version):
        waits = event == DIALOG_EVENT and request.mode != "exec"
        command = f"{program} --wait {folder} {event}" if waits else f"{program} {folder} {event}"
        timeout = DIALOG_TIMEOUT_SECONDS if waits else HOOK_TIMEOUT_SECONDS
        found[event] = [{"hooks": [{"type": "command", "command": command, "timeout": timeout}]}]
    return found


def known_events(version: str) -> tuple[str, ...]:
    """Return the hook events of a version; only the oldest if the version is not a number."""
    digits = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    number = tuple(int(digit) for digit in digits.groups()) if digits else (0, 0, 0)
    return tuple(event for event in EVENTS if number >= _EVENT_VERSIONS.get(event, (0, 0, 0)))


def read_user_settings(value: str, root: str) -> dict[str, Any] | None:
    if value.lstrip().startswith("{"):
        import json  # noqa: PLC0415 - accepts half a surrogate pair, as claude does

        try:
            found = json.loads(value)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None
    path = os.path.join(root or ".", os.path.expanduser(value)) if value else ""
    return home.read_json_object(path) or None if path else None


def merge_settings(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Merge both settings: the user's values win, hooks of both run."""
    merged = {**ours, **theirs}
    our_hooks, their_hooks = ours.get("hooks"), theirs.get("hooks")
    if isinstance(our_hooks, dict) and isinstance(their_hooks, dict):
        merged["hooks"] = {
            event: [*_as_list(their_hooks.get(event)), *_as_list(our_hooks.get(event))]
            for event in {**their_hooks, **our_hooks}
        }
    return merged


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
