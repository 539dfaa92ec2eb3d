"""Write definitions into the project's `.lisa/agents`, remove them there."""

from __future__ import annotations

import os
import re
from typing import Any

from lisa_py.contract import digests
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.definitions import library, records, yaml_documents
from lisa_py.core.definitions.records import Definition
from lisa_py.host import files
from lisa_py.store.paths import Project

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]{0,99}\Z")


def check_definition(name: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Raise LisaError(invalid_definition, or a code of session_settings.check)."""
    _format("", name, data, metadata)


def write_definition(ctx: Context, project: Project, name: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Write a record in place of the project's one of this name, else into a file of its own.

    Raise LisaError(definition_not_writable | invalid_definition | store_unwritable, ...).
    """
    folder = os.path.join(project.root, library.FOLDER)
    found = library.find_record(ctx, project, name)
    path = found.path if found is not None and found.scope == "project" else os.path.join(folder, _choose_file(name))
    if found is None or found.path != path:
        if files.exists(path):
            raise _refuse(name, path, "the file holds something else")
    else:
        _require_own_file(ctx, project, found)
    text = _format(path, name, data, metadata)
    try:
        files.make_dirs(folder)
    except OSError as problem:
        raise files.unwritable_error(folder, problem) from problem
    files.write(path, text, mode=files.permissions(path))


def remove_definition(ctx: Context, project: Project, name: str) -> None:
    """Remove a record of the project. Raise LisaError(definition_not_writable | definition_not_found)."""
    found = library.find_record(ctx, project, name)
    if found is None:
        raise LisaError("definition_not_found", f"no definition named {name}", definition=name)
    if found.scope != "project":
        raise _refuse(name, found.path, "it is the user's own, not the project's")
    _require_own_file(ctx, project, found)
    files.remove(found.path)


def _require_own_file(ctx: Context, project: Project, found: Definition) -> None:
    """Raise LisaError(definition_not_writable)."""
    others = [each.name for each in library.load_library(ctx, project).definitions if each.path == found.path]
    if others != [found.name] or found.kind != "record":
        raise _refuse(found.name, found.path, "the file holds more than this record")


def _refuse(name: str, path: str, reason: str) -> LisaError:
    return LisaError("definition_not_writable", f"cannot change {name}: {path}: {reason}; edit the file", file=path)


def _choose_file(name: str) -> str:
    if _PLAIN_NAME.match(name) and not name.endswith((".yaml", ".yml")):
        return f"{name}.yaml"
    digest = digests.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', name)[:60].strip('-') or 'record'}-{digest}.yaml"


def _format(path: str, name: str, data: dict[str, Any], metadata: dict[str, Any]) -> str:
    """Return the text of the file of one record, which is read as a check.

    Raise LisaError(invalid_definition, or a code of session_settings.check).
    """
    envelope = {"data": data, **({"usr_mtd": metadata} if metadata else {})}
    is_named_by_file = os.path.basename(path) == f"{name}.yaml"
    text = yaml_documents.format_document(envelope if is_named_by_file else {records.HIVE: {name: envelope}})
    for document in yaml_documents.read_documents(path or name, text):
        tuple(records.read_records(document))
    return text
