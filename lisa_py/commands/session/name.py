"""Generate an unused session name."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import AgentName, Mode, ProjectRoot
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import names


class Args(Struct, kw_only=True):
    agent: AgentName = agents.DEFAULT
    mode: Mode = "interactive"
    project_root: ProjectRoot = ""
    tag: Annotated[str, Flag(help="suffix of the name; letters and digits only", metavar="WORD")] = ""


class NameResult(Answer):
    session: str
    agent: str
    mode: str
    project_root: str
    tag: str


def run(args: Args, ctx: Context) -> NameResult:
    agent = agents.get(args.agent).name
    project = ctx.project(args.project_root)
    return NameResult(
        session=names.generate_name(ctx, project, agent, args.mode, args.tag),
        agent=agent,
        mode=args.mode,
        project_root=project.root,
        tag=args.tag,
    )


def text(answer: NameResult, args: Args) -> str:
    return answer.session


COMMAND = Command(
    group="fleet",
    reads=True,
    args=Args,
    answer=NameResult,
    run=run,
    text=text,
    errors=("invalid_agent",),
    example="lisa session name --tag review",
)
