"""How a session was started, so that advice to start it again means the same agent, mode and model."""

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


class Origin(Struct, frozen=True, kw_only=True):
    """What a start needs besides its prompt."""

    agent: str
    mode: str
    model: str = ""
    command: str = ""
    """The caller's own command, which ran instead of an agent."""


def of(meta: SessionMeta | None, name: str = "") -> Origin:
    """By the session's metadata, else by a generated name; of one nobody knows, what plans usually begin with."""
    if meta is None or not meta.agent:
        return _by_name(name)
    if meta.custom_command:
        return Origin(agent=meta.agent, mode=meta.mode, command=meta.start_command)
    return Origin(agent=meta.agent, mode=meta.mode or "interactive", model=_model(meta))


def _by_name(name: str) -> Origin:
    """Generated names tell agent and mode: `lisa-shop-260801-093000-1-claude-exec-review`."""
    words = name.split("-")
    for word, mode in itertools.pairwise(words):
        if word in agents.names() and mode in MODES:
            return Origin(agent=word, mode=mode)
    usual = agents.get(agents.DEFAULT_NESTED)
    return Origin(agent=usual.name, mode="interactive", model=goals.usual_model(usual))


def _model(meta: SessionMeta) -> str:
    """The model in the command line, of agents that take one."""
    try:
        if not agents.get(meta.agent).takes_model:
            return ""
        words = shlex.split(meta.start_command)
    except (LisaError, ValueError):
        return ""
    return next((value for word, value in zip(words, [*words[1:], ""], strict=True) if word == "--model"), "")


def spawn(origin: Origin, project_root: str, binary: str, prompt: str) -> str:
    """The command line that starts it again; a command of the caller's own takes no prompt."""
    words = [binary, "session spawn", "--agent", origin.agent, "--mode", origin.mode]
    words += ["--project-root", quote(project_root)]
    if origin.command:
        words += ["--command", quote(origin.command)]
    elif prompt:
        words += ["--prompt", quote(prompt)]
    if origin.model:
        words += ["--model", quote(origin.model)]
    return " ".join([*words, "--json"])
