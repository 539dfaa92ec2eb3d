"""Resolve references to secrets in the settings of a session; values leave this module for the agent only."""

from __future__ import annotations

import os

import msgspec
from msgspec import UNSET, Struct

from lisa_py.contract import command_line
from lisa_py.contract.errors import LisaError
from lisa_py.contract.session_settings import SessionSettings, is_reference, map_secret_values, secret_values
from lisa_py.core.context import Context
from lisa_py.host import files
from lisa_py.store import secrets
from lisa_py.store.paths import Project

ERRORS = ("secret_not_found", "secret_store_read_failed")
"""Error codes of resolve_value and resolve_settings."""
_STORED = ("hive://secret/", "secret://")
_MIN_NAMED = 8
"""Characters of a value that is taken for a stored secret; shorter ones may be equal by chance."""


class ResolvedSettings(Struct, frozen=True, kw_only=True):
    """Settings with values in place of references; never stored."""

    settings: SessionSettings
    values: tuple[str, ...] = ()
    """The secrets among them, which output must not show."""


def resolve_settings(ctx: Context, project: Project, settings: SessionSettings) -> ResolvedSettings:
    """Return the settings with values in place of references.

    Raise LisaError(secret_not_found | secret_store_read_failed).
    """
    references = dict.fromkeys(value for value in secret_values(settings) if is_reference(value))
    found = {value: resolve_value(ctx, project, value) for value in references}
    resolved = map_secret_values(settings, lambda value: found.get(value, value))
    private = msgspec.structs.replace(resolved, environment=UNSET)
    return ResolvedSettings(settings=resolved, values=tuple(dict.fromkeys((*found.values(), *secret_values(private)))))


def resolve_value(ctx: Context, project: Project, value: str) -> str:
    """Return the value that a reference names, or the value itself if it is not one.

    Raise LisaError(secret_not_found | secret_store_read_failed).
    """
    for prefix in _STORED:
        if value.startswith(prefix):
            return _read_stored(ctx, project, value, value.removeprefix(prefix))
    if value.startswith("env:"):
        found = ctx.settings.environ.get(value[4:])
        if not found:
            raise _make_error(value, f"the environment has no variable {value[4:] or '(empty name)'}")
        return found
    return _read_file(project, value) if value.startswith("file:") else value


def name_stored_values(ctx: Context, project: Project, settings: SessionSettings) -> SessionSettings:
    """Return the settings with references in place of values that are stored secrets.

    A caller that has resolved them itself then gets what a definition gives: the record names the secret and output
    hides it. Raise LisaError(secret_store_read_failed).
    """
    if not any(len(value) >= _MIN_NAMED for value in secret_values(settings)):
        return settings
    stores = (secrets.user_registry(ctx.settings), secrets.project_registry(project))
    names = {each.value: name for store in stores for name, each in store.read().secrets.items()}
    return map_secret_values(
        settings, lambda value: f"{_STORED[1]}{names[value]}" if len(value) >= _MIN_NAMED and value in names else value
    )


def _read_stored(ctx: Context, project: Project, reference: str, name: str) -> str:
    if not name:
        raise _make_error(reference, "the name is empty")
    found = secrets.find(project, ctx.settings, name)
    if found is None:
        raise _make_error(reference, f"store it: {command_line.build('secret set', name=name)} < FILE", name)
    return found.value


def _read_file(project: Project, reference: str) -> str:
    path = os.path.join(project.root, os.path.expanduser(reference[5:]))
    try:
        text = files.read_user_file(path, secrets.MAX_BYTES).decode()
    except (OSError, ValueError) as problem:
        raise _make_error(reference, str(getattr(problem, "strerror", "") or problem).lower()) from problem
    if not text.strip():
        raise _make_error(reference, "the file is empty")
    return text.rstrip("\r\n")


def _make_error(reference: str, reason: str, name: str = "") -> LisaError:
    return LisaError(
        "secret_not_found", f"secret not found: {reference} ({reason})", reference=reference, secret=name or reference
    )
