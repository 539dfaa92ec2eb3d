"""Remove the tools of lisa from the configuration of an agent."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.flags import AgentName
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import tool_servers


class Args(Struct, kw_only=True):
    agent: AgentName


class McpRemoveResult(Answer):
    agent: str
    removed: bool
    """False if the entry was not there."""
    path: str | UnsetType = UNSET
    """The changed file."""


def run(args: Args, ctx: Context) -> McpRemoveResult:
    path = tool_servers.remove_from_agent(ctx, agents.get(args.agent))
    return McpRemoveResult(agent=args.agent, removed=bool(path), path=path or UNSET)


def text(answer: McpRemoveResult, args: Args) -> str:
    if not answer.removed:
        return f"{answer.agent} has no tools of lisa"
    return f"{answer.agent} has no tools of lisa from its next start on ({answer.path})"


COMMAND = Command(
    group="programs",
    args=Args,
    answer=McpRemoveResult,
    run=run,
    text=text,
    min=("agent", "removed", "path"),
    errors=("agent_not_installed", "invalid_agent", "mcp_extra_missing", "mcp_install_failed"),
    example="lisa mcp remove --agent claude",
)
