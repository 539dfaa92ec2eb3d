"""Subagent files of claude: where they are and what their header means."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lisa_py.agents._claude.home import config_folder

_MODES = {"acceptEdits": "acceptEdits", "plan": "plan", "bypassPermissions": "bypassPermissions", "default": ""}
_KNOWN = ("name", "description", "tools", "disallowedTools", "model", "permissionMode", "maxTurns", "color")


def list_folders(project_root: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the folders by scope."""
    return {
        "project": os.path.join(project_root, ".claude", "agents"),
        "user": os.path.join(config_folder(environ), "agents"),
    }


def read_header(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings, with `definition` (its name), `description` and `warnings`."""
    warnings = [f"unknown field: {key}" for key in header if key not in _KNOWN]
    fields: dict[str, Any] = {"definition": header.get("name"), "description": header.get("description")}
    for key, field in (("tools", "allowed_tools"), ("disallowedTools", "denied_tools")):
        if header.get(key):
            fields[field] = _split(header[key])
    if header.get("model") not in (None, "", "inherit"):
        fields["model"] = header["model"]
    if header.get("maxTurns"):
        fields["max_turns"] = header["maxTurns"]
    mode = str(header.get("permissionMode") or "")
    if mode in _MODES:
        fields["permission_mode"] = _MODES[mode]
    elif mode:
        warnings.append(f"permission mode without effect: {mode}")
    return {**fields, "warnings": warnings}


def _split(tools: object) -> tuple[str, ...]:
    """Return the tools of a comma list or a YAML list."""
    words = tools.split(",") if isinstance(tools, str) else tools if isinstance(tools, list) else [tools]
    return tuple(word for each in words if (word := str(each).strip()))
