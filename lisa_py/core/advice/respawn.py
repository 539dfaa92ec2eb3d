"""Start options of a session, to start it again with the same agent, mode and model."""

from __future__ import annotations

import itertools
import shlex

from msgspec import Struct

from lisa_py import agents
from lisa_py.agents.base import quote
from lisa_py.contract.errors import LisaError
from lisa_py.contract.flags import MODES
from lisa_py.contract.records import SessionMeta
from lisa_py.core.advice import goals


class RespawnOptions(Struct, frozen=True, kw_only=True):
    """Options of a start besides its prompt."""

    agent: str
    mode: str
    model: str = ""
    command: str = ""
    """The custom command, which ran instead of an agent."""


def derive_options(meta: SessionMeta | None, name: str = "") -> RespawnOptions:
    """Derive the options from the metadata, else from a generated name, else from the defaults of plans."""
    if meta is None or not meta.agent:
        return _parse_session_name(name)
    if meta.custom_command:
        return RespawnOptions(agent=meta.agent, mode=meta.mode, command=meta.start_command)
    return RespawnOptions(agent=meta.agent, mode=meta.mode or "interactive", model=_parse_model(meta))


def _parse_session_name(name: str) -> RespawnOptions:
    """Parse a generated name for agent and mode: `lisa-shop-260801-093000-1-claude-exec-review`."""
    words = name.split("-")
    for word, mode in itertools.pairwise(words):
        if word in agents.names() and mode in MODES:
            return RespawnOptions(agent=word, mode=mode)
    default_agent = agents.get(agents.DEFAULT_NESTED)
    return RespawnOptions(agent=default_agent.name, mode="interactive", model=goals.default_model(default_agent))


def _parse_model(meta: SessionMeta) -> str:
    """Return the model in the command line, for agents with models."""
    try:
        if not agents.get(meta.agent).takes_model:
            return ""
        words = shlex.split(meta.start_command)
    except (LisaError, ValueError):
        return ""
    return next((value for word, value in zip(words, [*words[1:], ""], strict=True) if word == "--model"), "")


def format_spawn_command(options: RespawnOptions, project_root: str, binary: str, prompt: str) -> str:
    """Return the command line that starts it again; a custom command has no prompt."""
    words = [binary, "session spawn", "--agent", options.agent, "--mode", options.mode]
    words += ["--project-root", quote(project_root)]
    if options.command:
        words += ["--command", quote(options.command)]
    elif prompt:
        words += ["--prompt", quote(prompt)]
    if options.model:
        words += ["--model", quote(options.model)]
    return " ".join([*words, "--json"])
