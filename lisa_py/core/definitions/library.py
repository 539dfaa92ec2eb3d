"""Find definitions: of the project before those of the user, records before files of an agent."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator

import msgspec
from msgspec import Struct

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.definitions import agent_files, records, yaml_documents
from lisa_py.core.definitions.records import Definition
from lisa_py.core.definitions.yaml_documents import Place, make_error
from lisa_py.host import files
from lisa_py.store.paths import Project

FOLDER = os.path.join(".lisa", "agents")
MAX_BYTES = 4 << 20
MAX_FOLDERS = 6
"""Levels of folders that are searched."""
_HIVE_PREFIX = f"hive://{records.HIVE}/"


class BrokenFile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that cannot be read as definitions."""

    code: str
    message: str
    file: str
    line: int = 0
    column: int = 0


class Library(Struct, frozen=True):
    """All definitions that a project can use; of several with one name the first one counts."""

    definitions: tuple[Definition, ...]
    broken: tuple[BrokenFile, ...]


def load_library(ctx: Context, project: Project) -> Library:
    """Read every definition of the project and of the user."""
    found: list[Definition] = []
    broken: list[BrokenFile] = []
    for scope, path, read in _list_sources(ctx, project):
        try:
            found.extend(msgspec.structs.replace(each, scope=scope) for each in read())
        except LisaError as problem:
            broken.append(_describe_problem(path, problem))
    return Library(tuple(found), tuple(broken))


def _list_sources(ctx: Context, project: Project) -> Iterator[tuple[str, str, Callable[[], list[Definition]]]]:
    """Yield scope, path and reader of every file."""
    for scope, folder in _list_folders(ctx, project):
        seen: set[str] = set()
        for path in _list_files(folder, (".yaml", ".yml")):
            yield scope, path, functools.partial(_read, path, folder, seen)
    for agent in map(agents.get, agents.names()):
        for scope, folder in agent.definition_folders(project.root, ctx.settings.environ).items():
            for path in _list_files(folder, (".md",)):
                yield scope, path, functools.partial(_read_agent_file, path, agent)


def _describe_problem(path: str, problem: LisaError) -> BrokenFile:
    return BrokenFile(
        code=problem.code,
        message=problem.message,
        file=str(problem.details.get("file", path)),
        line=int(problem.details.get("line", 0)),
        column=int(problem.details.get("column", 0)),
    )


def find(ctx: Context, project: Project, name: str) -> Definition:
    """Return the definition of a name, also written as hive://ai_agent/NAME.

    Raise LisaError(definition_not_found), or the error of the file that has this name and cannot be read.
    """
    wanted = name.removeprefix(_HIVE_PREFIX)
    library = load_library(ctx, project)
    found = next((each for each in library.definitions if each.name == wanted), None)
    named = (each for each in library.broken if os.path.splitext(os.path.basename(each.file))[0] == wanted)
    broken = next(named, None)
    if broken is not None and (found is None or found.kind != "record" or found.scope == "user"):
        raise LisaError(broken.code, broken.message, file=broken.file, line=broken.line, column=broken.column)
    if found is None:
        hint = f"; {len(library.broken)} files cannot be read" if library.broken else ""
        raise LisaError(
            "definition_not_found",
            f"no definition named {wanted} in {FOLDER} of the project or the home folder{hint}"
            " (lisa agents list shows them)",
            definition=wanted,
        )
    return found


def find_record(ctx: Context, project: Project, name: str) -> Definition | None:
    """Return the definition of a name; None if there is none that can be read."""
    return next((each for each in load_library(ctx, project).definitions if each.name == name), None)


def check_file(path: str) -> Library:
    """Return the definitions of one file and of those that it includes."""
    try:
        return Library(tuple(_read(path, os.path.dirname(path), set())), ())
    except LisaError as problem:
        return Library((), (_describe_problem(path, problem),))


def _list_folders(ctx: Context, project: Project) -> list[tuple[str, str]]:
    of_project, of_user = os.path.join(project.root, FOLDER), os.path.join(ctx.settings.state_dir, "agents")
    return [("project", of_project), ("user", of_user)] if of_project != of_user else [("user", of_user)]


def _list_files(folder: str, endings: tuple[str, ...], depth: int = 0) -> Iterator[str]:
    """Yield the files below a folder in the order of their names; its own before those of its folders."""
    names = sorted(name for name in files.list_names(folder) if not name.startswith("."))
    yield from (os.path.join(folder, name) for name in names if name.endswith(endings))
    for name in names:
        below = os.path.join(folder, name)
        if depth < MAX_FOLDERS and not name.endswith(endings) and files.is_dir(below):
            yield from _list_files(below, endings, depth + 1)


def _read(path: str, root: str, seen: set[str]) -> list[Definition]:
    """Return the definitions of a file and of its includes, each file once."""
    real = files.canonical_path(path)
    if real in seen:
        return []
    seen.add(real)
    found: list[Definition] = []
    for document in yaml_documents.read_documents(path, _read_text(path)):
        found.extend(records.read_records(document))
        for included in records.list_includes(document):
            target = os.path.normpath(os.path.join(os.path.dirname(path), included))
            place, above = document.locate("include"), files.canonical_path(root)
            if "\0" in included or not files.is_file(target):
                raise make_error(place, f"include {included!r} is not a file")
            if os.path.commonpath([above, files.canonical_path(target)]) != above:
                raise make_error(place, f"include {included} is outside {root}")
            found.extend(_read(target, root, seen))
    return found


def _read_agent_file(path: str, agent: Agent) -> list[Definition]:
    found = agent_files.read_agent_file(path, _read_text(path), agent)
    return [] if found is None else [found]


def _read_text(path: str) -> str:
    """Return the text of a file. Raise LisaError(invalid_definition)."""
    if not files.is_file(path):
        raise make_error(Place(path), "it is not a file")
    try:
        raw = files.read_user_file(path, MAX_BYTES + 1)
    except OSError as problem:
        raise make_error(Place(path), f"it cannot be read ({(problem.strerror or str(problem)).lower()})") from problem
    if len(raw) > MAX_BYTES:
        raise make_error(Place(path), f"it has more than {MAX_BYTES} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        before = raw[: problem.start].decode("utf-8-sig", "replace")
        raise make_error(yaml_documents.find_place(path, before, len(before)), "it is not UTF-8 text") from None
