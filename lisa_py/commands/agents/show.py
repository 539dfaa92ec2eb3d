"""Show a definition with its settings and prompt."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import session_settings
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.flags import DefinitionName, ProjectRoot
from lisa_py.contract.session_settings import SETTINGS_ERRORS, SessionSettings
from lisa_py.contract.start_session import DEFINITION_ERRORS
from lisa_py.core.context import Context
from lisa_py.core.definitions import library
from lisa_py.core.definitions.templates import format_value


class Args(Struct, kw_only=True):
    name: DefinitionName
    project_root: ProjectRoot = ""


class AgentsShowResult(Answer):
    name: str
    scope: str
    kind: str
    path: str
    line: int
    settings: SessionSettings
    """Values that are not references are hidden."""
    prompt: str
    description: str | UnsetType = UNSET
    data: dict[str, str] | UnsetType = UNSET
    debounce_key: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    unknown: dict[str, Any] | UnsetType = UNSET
    """Fields that have no effect."""
    warnings: tuple[str, ...] | UnsetType = UNSET


def run(args: Args, ctx: Context) -> AgentsShowResult:
    found = library.find(ctx, ctx.project(args.project_root), args.name)
    return AgentsShowResult(
        name=found.name,
        scope=found.scope,
        kind=found.kind,
        path=found.path,
        line=found.line,
        settings=session_settings.hide_secrets(found.settings),
        prompt=found.own.prompt,
        description=found.own.description or found.comment or UNSET,
        data=found.own.data or UNSET,
        debounce_key=found.own.debounce_key or UNSET,
        enabled=found.enabled,
        tags=found.tags or UNSET,
        unknown=found.unknown or UNSET,
        warnings=found.warnings or UNSET,
    )


def text(answer: AgentsShowResult, args: Args) -> str:
    """Place, one line per setting, warnings, then the prompt."""
    settings: dict[str, Any] = msgspec.to_builtins(answer.settings)
    lines = [f"{answer.name} ({answer.scope}, {answer.path}:{answer.line})"]
    lines += [f"{key}: {format_value(value)}" for key, value in settings.items()]
    lines += [f"warning: {each}" for each in answer.warnings or ()]
    return "\n".join([*lines, "", answer.prompt]).rstrip("\n")


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=AgentsShowResult,
    run=run,
    text=text,
    errors=(*DEFINITION_ERRORS, *SETTINGS_ERRORS),
    example="lisa agents show --name triage",
)
