"""List the definitions that sessions can be started from."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.flags import ProjectRoot
from lisa_py.core.context import Context
from lisa_py.core.definitions import library
from lisa_py.core.definitions.library import BrokenFile
from lisa_py.core.definitions.records import Definition


class Args(Struct, kw_only=True):
    project_root: ProjectRoot = ""


class DefinitionItem(Answer):
    """A definition without its prompt."""

    name: str
    scope: str
    kind: str
    path: str
    description: str
    agent: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    hidden: bool | UnsetType = UNSET
    """True if another definition of the same name is used."""


class AgentsListResult(Answer):
    count: int
    definitions: tuple[DefinitionItem, ...]
    broken: tuple[BrokenFile, ...]


def run(args: Args, ctx: Context) -> AgentsListResult:
    found = library.load_library(ctx, ctx.project(args.project_root))
    for problem in found.broken:
        ctx.warn(f"definition warning: {problem.message}")
    used = {each.name: each for each in reversed(found.definitions)}
    items = tuple(_make_item(each, hidden=used[each.name] is not each) for each in found.definitions)
    return AgentsListResult(count=len(items), definitions=items, broken=found.broken)


def _make_item(definition: Definition, *, hidden: bool) -> DefinitionItem:
    return DefinitionItem(
        name=definition.name,
        scope=definition.scope,
        kind=definition.kind,
        path=definition.path,
        description=definition.own.description or definition.comment,
        agent=definition.settings.agent,
        model=definition.settings.model,
        hidden=hidden or UNSET,
    )


def text(answer: AgentsListResult, args: Args) -> str:
    """Name, scope and the first line of the description."""
    rows = [
        f"{each.name},{each.scope},{each.description.partition(chr(10))[0]}"
        for each in answer.definitions
        if not each.hidden
    ]
    return "\n".join(rows) or "no definitions in .lisa/agents of the project or the home folder"


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=AgentsListResult,
    run=run,
    text=text,
    example="lisa agents list --json",
)
