"""Start of an agent: what its binary can do, what is requested, and the plan."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.host.run import ProgramCall, run_programs


class Facts(Struct, frozen=True, kw_only=True):
    """Features of the installed binary, probed once per path and modification time."""

    binary: str = ""
    version: str = ""
    flags: frozenset[str] = frozenset()
    """Long flags named by its help pages (sub-commands as `exec --json`)."""
    unanswered: Mapping[str, str] = {}
    """Reason of each probe without an answer, by its arguments."""
    shapes: frozenset[str] = frozenset()
    """Kinds of starts that did not end at once."""

    @property
    def complete(self) -> bool:
        """True if repeating the probes would learn nothing more."""
        return bool(self.version) and NO_ANSWER not in self.unanswered.values()

    def describe_unanswered(self, agent: str, consequence: str) -> tuple[str, ...]:
        """Return the note for the spawn payload; empty if every probe was answered."""
        if not self.unanswered:
            return ()
        listed = "; ".join(f"{what}: {why}" for what, why in self.unanswered.items())
        return (f"{agent} did not answer every question about its features ({listed}); {consequence}",)


NO_ANSWER = "no answer in time"


def run_probes(
    probes: Mapping[str, ProgramCall], environ: Mapping[str, str], timeout: float, unanswered: dict[str, str]
) -> dict[str, str]:
    """Run probes together; return the output of those that succeed, and add the others' reasons."""
    found: dict[str, str] = {}
    results = run_programs(list(probes.values()), timeout=timeout, env=environ)
    for name, result in zip(probes, results, strict=True):
        if result.code == 0:
            found[name] = result.text
        elif result.code is None:
            unanswered[name] = NO_ANSWER
        else:
            last = result.error_text.rpartition("\n")[2][:200]
            unanswered[name] = f"it ended with code {result.code}" + (f" ({last})" if last else "")
    return found


class AgentLaunch(Struct, frozen=True, kw_only=True):
    """A requested start of an agent."""

    mode: str
    prompt: str = ""
    agent_args: str = ""
    """Raw shell text, never quoted."""
    model: str = ""
    skip_permissions: bool = True
    bypass: bool = False
    """Nested runs: no sandbox, no approvals."""
    nested: bool = False
    """The agent is to call lisa itself: its tools must find it."""
    full_auto: bool = False
    folder: str = ""
    """The session folder; empty if only the command line is needed."""
    project_root: str = ""
    worktree: str = ""
    """The worktree that is made for the session; empty if there is none."""
    run_id: str = ""
    hook: str = ""
    """Absolute path of the hook program (pane/hook.sh)."""
    environ: Mapping[str, str] = {}
    """Environment of the agent."""
    trust: bool = False
    """The user requested trust for the project root."""
    approvals: bool = False
    """The user has approval rules, which the hook of a run must apply, too."""
    main_screen: bool = True
    """Start full-screen agents on the main screen where that is harmless, so that the pane keeps history."""
    settings: SessionSettings = msgspec.field(default_factory=SessionSettings)
    """Settings of a definition, a profile or the caller; before a start its references are resolved."""
    secrets: Mapping[str, str] = {}
    """Variables of the agent by name, which never leave the 0600 file of its environment."""


class LaunchPlan(Struct, frozen=True, kw_only=True):
    """Plan of a start."""

    command: str
    """Shell line for users: adapted to the installed version, without what lisa adds for itself."""
    script: str
    """Shell line that is run: the same with identity, hooks and title."""
    env: Mapping[str, str] = {}
    unset: tuple[str, ...] = ()
    """Variables of the caller that the agent must not have."""
    files: Mapping[str, str] = {}
    """File name in the session folder -> content."""
    secret_files: Mapping[str, str] = {}
    """File name -> content, in a private folder that the supervisor removes once the agent has ended."""
    stdin: str | None = None
    """Text for standard input (exec prompts too long for argv); the supervisor reads it from a file."""
    agent_session_id: str = ""
    hooks: bool = False
    rule_events: tuple[str, ...] = ()
    """Hook events at which the rules for tools decide."""
    unattended: bool = False
    """No dialog about a tool opens: permissions are skipped, or it is a run."""
    send_prompt: bool = False
    """The prompt is too long for the command line: it is sent once the agent is ready."""
    notes: tuple[str, ...] = ()
    """For the spawn payload: arguments omitted, prevented or accepted for the user."""
    warnings: tuple[str, ...] = ()
    """For the spawn payload: settings that this agent cannot apply."""


SECRETS_FOLDER = "secrets"
"""Folder in the session folder for `LaunchPlan.secret_files`; its name is also in pane/supervisor.sh."""


def secret_path(request: AgentLaunch, name: str) -> str:
    """Return the path of a file of `LaunchPlan.secret_files`."""
    return os.path.join(request.folder, SECRETS_FOLDER, name)


def require_prompt(request: AgentLaunch) -> None:
    if request.mode == "exec" and not request.prompt:
        raise LisaError("agent_command_build_failed", "exec mode requires --prompt (or provide --command)")
