"""Enter the tools of lisa in the configuration of an agent."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import AgentName
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import tool_servers


class Args(Struct, kw_only=True):
    agent: AgentName
    print: Annotated[bool, Flag(help="the entry only; nothing is changed")] = False


class McpInstallResult(Answer):
    agent: str
    installed: bool
    path: str | UnsetType = UNSET
    """The changed file."""
    entry: str
    """The text that starts the server, for a configuration edited by hand."""


def run(args: Args, ctx: Context) -> McpInstallResult:
    agent = agents.get(args.agent)
    entry = tool_servers.format_entry(ctx, agent)
    path = UNSET if args.print else tool_servers.add_to_agent(ctx, agent)
    return McpInstallResult(agent=args.agent, installed=not args.print, path=path, entry=entry)


def text(answer: McpInstallResult, args: Args) -> str:
    if not answer.installed:
        return answer.entry.rstrip("\n")
    return f"{answer.agent} has the tools of lisa from its next start on ({answer.path})"


COMMAND = Command(
    group="programs",
    args=Args,
    answer=McpInstallResult,
    run=run,
    text=text,
    min=("agent", "installed", "path"),
    errors=("agent_not_installed", "invalid_agent", "mcp_extra_missing", "mcp_install_failed"),
    example="lisa mcp install --agent claude\nlisa mcp install --agent codex --print",
    notes="""\
The entry starts the installed lisa by its full path, for all projects of the user; an older entry is replaced. For
codex it also says that the first turn waits for the server, that a call may take an hour, and that calls need no
approval. `lisa mcp remove` takes it out again.""",
)
