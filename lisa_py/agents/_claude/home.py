"""Files of claude: configuration folder, live session files, transcripts, trusted folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from msgspec import DecodeError

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.host import files

NAME_LIMIT = 200
"""Longest project folder name of claude before it cuts the name and adds a hash."""
LOCK_MS = 2000
LOCK_STALE_SECONDS = 10.0
"""Seconds that claude itself waits before it takes over such a lock."""


def config_folder(environ: Mapping[str, str]) -> str:
    """Return the configuration folder of an agent with this environment."""
    named = environ.get("CLAUDE_CONFIG_DIR", "")
    return named or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".claude")


def config_file(environ: Mapping[str, str]) -> str:
    """Return `.claude.json`: in a named configuration folder, else in the home folder."""
    named = environ.get("CLAUDE_CONFIG_DIR", "")
    return os.path.join(named or environ.get("HOME") or os.path.expanduser("~"), ".claude.json")


def project_folder_name(cwd: str) -> str:
    """Return the transcript folder of a project: all but ASCII letters and digits become dashes."""
    units = cwd.encode("utf-16-le", "surrogatepass")
    codes = [units[at] | units[at + 1] << 8 for at in range(0, len(units), 2)]
    name = "".join(chr(code) if code < 128 and chr(code).isalnum() else "-" for code in codes)
    return name if len(name) <= NAME_LIMIT else f"{name[:NAME_LIMIT]}-{_hash(codes)}"


def _hash(codes: list[int]) -> str:
    value = 0
    for code in codes:
        value = ((value << 5) - value + code) & 0xFFFFFFFF
    signed = value - (1 << 32) if value & 0x80000000 else value
    return _base36(abs(signed))


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"


def transcript_path(home: str, cwd: str, session_id: str) -> str:
    """Return the path of the conversation, existing or not; searched by id where the name differs."""
    projects = os.path.join(home, "projects")
    name = f"{session_id}.jsonl"
    expected = os.path.join(projects, project_folder_name(cwd), name)
    if files.exists(expected):
        return expected
    for candidate in files.list_names(projects):
        found = os.path.join(projects, candidate, name)
        if files.exists(found):
            return found
    return expected


def read_json_object(path: str) -> dict[str, Any]:
    """Return a JSON object from a file; empty for anything else."""
    try:
        raw = files.read(os.path.realpath(path))
        return _decode_object(raw) if raw else {}
    except (OSError, ValueError):
        return {}


def _decode_object(raw: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = jsontext.decode(raw, dict)
    except DecodeError:
        import json  # noqa: PLC0415 - a millisecond, for what only JavaScript accepts (half a surrogate pair)

        value = json.loads(raw)
        return value if isinstance(value, dict) else {}
    return found


def read_user_settings(environ: Mapping[str, str], project_root: str) -> list[dict[str, Any]]:
    """Return the user's settings, nearest first; empty ones for missing files."""
    paths = (
        os.path.join(project_root, ".claude", "settings.local.json"),
        os.path.join(project_root, ".claude", "settings.json"),
        os.path.join(config_folder(environ), "settings.json"),
    )
    return [read_json_object(path) for path in paths]


def user_permission_mode(environ: Mapping[str, str], project_root: str) -> str:
    """Return the permission mode in the user's settings, nearest first; empty if none."""
    for known in read_user_settings(environ, project_root):
        permissions = known.get("permissions")
        mode = permissions.get("defaultMode") if isinstance(permissions, dict) else None
        if isinstance(mode, str) and mode:
            return mode
    return ""


def is_trusted(environ: Mapping[str, str], root: str) -> bool:
    """Return True if claude trusts the folder or a parent of it."""
    projects = read_json_object(config_file(environ)).get("projects")
    if not isinstance(projects, dict):
        return False
    path = root
    while True:
        entry = projects.get(path)
        if isinstance(entry, dict) and entry.get("hasTrustDialogAccepted") is True:
            return True
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above


def trust_folder(environ: Mapping[str, str], root: str) -> str:
    """Accept the trust question for the folder; return the note for the user.

    claude itself rewrites the whole file under a lock folder beside it: the same lock is held here, and only this one
    entry changes.
    """
    path = config_file(environ)
    if is_trusted(environ, root):
        return ""
    with files.folder_lock(path + ".lock", timeout_ms=LOCK_MS, stale_seconds=LOCK_STALE_SECONDS) as held:
        if not held:
            return f"trust: {path} is locked; claude will show the trust dialog"
        try:
            return _write_trust(os.path.realpath(path), root)
        except (OSError, ValueError, TypeError, AttributeError, LisaError) as problem:
            return f"trust: {path} could not be changed ({problem}); claude will show the trust dialog"


def _write_trust(path: str, root: str) -> str:
    import json  # noqa: PLC0415 - only a first spawn in a folder

    raw = files.read(path)
    config = json.loads(raw) if raw else {}
    config.setdefault("projects", {}).setdefault(root, {})["hasTrustDialogAccepted"] = True
    files.write(path, json.dumps(config, indent=2, ensure_ascii=False), mode=files.permissions(path))
    return f"trust: accepted {root} in {path}"
