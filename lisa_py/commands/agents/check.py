"""Check definitions: shape, values, names used twice, references to secrets."""

from __future__ import annotations

import os
from typing import Annotated

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import LisaError
from lisa_py.contract.flags import ProjectRoot
from lisa_py.core import secrets
from lisa_py.core.context import Context
from lisa_py.core.definitions import library
from lisa_py.core.definitions.library import BrokenFile
from lisa_py.core.definitions.records import Definition
from lisa_py.store.paths import Project


class Args(Struct, kw_only=True):
    file: Annotated[str, Flag(help="one file instead of all", metavar="PATH", positional=True)] = ""
    project_root: ProjectRoot = ""


class DefinitionWarning(Answer):
    """Something that does not prevent a start, or only here."""

    name: str
    path: str
    line: int
    message: str


class AgentsCheckResult(Answer):
    ok: bool
    count: int
    errors: tuple[BrokenFile, ...]
    warnings: tuple[DefinitionWarning, ...]


def run(args: Args, ctx: Context) -> AgentsCheckResult:
    project = ctx.project(args.project_root)
    path = os.path.join(ctx.cwd, os.path.expanduser(args.file))
    found = library.check_file(path) if args.file else library.load_library(ctx, project)
    known: set[tuple[str, str]] = set()
    warnings = []
    for each in found.definitions:
        messages = [*each.warnings, *_find_missing_secrets(ctx, project, each)]
        if (each.scope, each.name) in known:
            messages.append("another definition of this name precedes it")
        known.add((each.scope, each.name))
        warnings += [
            DefinitionWarning(name=each.name, path=each.path, line=each.line, message=text) for text in messages
        ]
    return AgentsCheckResult(
        ok=not found.broken, count=len(found.definitions), errors=found.broken, warnings=tuple(warnings)
    )


def _find_missing_secrets(ctx: Context, project: Project, definition: Definition) -> list[str]:
    try:
        secrets.resolve_settings(ctx, project, definition.settings)
    except LisaError as problem:
        return [problem.message]
    return []


def text(answer: AgentsCheckResult, args: Args) -> str:
    lines = [f"error: {each.message}" for each in answer.errors]
    lines += [f"warning: {each.path}:{each.line}: {each.name}: {each.message}" for each in answer.warnings]
    return "\n".join([*lines, f"{answer.count} definitions, {len(answer.errors)} files with errors"])


COMMAND = Command(
    group="live",
    args=Args,
    answer=AgentsCheckResult,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.ok else 1,
    example="lisa agents check --file .lisa/agents/triage.yaml",
    exits={0: "every file can be read", 1: "a file has an error; see `errors`"},
)
