"""What lisa asks of an agent CLI: the protocol every agent file answers, with defaults that claim nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.frames import Frame, Todo
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import AgentReport
from lisa_py.host.processes import Process
from lisa_py.terminal import choices as terminal_choices
from lisa_py.terminal.choices import ScreenChoice


class Facts(Struct, frozen=True, kw_only=True):
    """What the installed binary can do, found out once per path and modification time."""

    binary: str = ""
    version: str = ""
    flags: frozenset[str] = frozenset()
    """Long flags that its help pages name (sub-commands as `exec --json`)."""


class AgentLaunch(Struct, frozen=True, kw_only=True):
    """One start of an agent, as the user asked for it."""

    mode: str
    prompt: str = ""
    agent_args: str = ""
    """Raw shell text, never quoted."""
    model: str = ""
    skip_permissions: bool = True
    bypass: bool = False
    """Nested runs: no sandbox, no approvals."""
    full_auto: bool = False
    folder: str = ""
    """The session's folder; empty when only the command line is wanted."""
    project_root: str = ""
    run_id: str = ""
    hook: str = ""
    """Absolute path of the hook program (pane/hook.sh)."""
    environ: Mapping[str, str] = {}
    """The environment the agent will have."""
    trust: bool = False
    """The user asked to trust the project root beforehand."""
    main_screen: bool = True
    """Start full-screen agents on the main screen where that is harmless, so that the pane keeps history."""


class LaunchPlan(Struct, frozen=True, kw_only=True):
    """How to start it."""

    command: str
    """The shell line as users see it (`agent build-cmd`)."""
    script: str
    """The shell line that is really run: the same, fitted to the installed version, with identity and hooks."""
    env: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    """Name in the session's folder -> content."""
    stdin: str | None = None
    """Text for standard input (exec prompts too long for argv); the supervisor feeds it from a file."""
    agent_session_id: str = ""
    hooks: bool = False
    send_prompt: bool = False
    """The prompt is not in the command line (too long): it is to be sent once the agent is ready."""
    notes: tuple[str, ...] = ()
    """For the spawn payload: what was left out, prevented or accepted on the user's behalf."""


class View(Struct, kw_only=True):
    """Everything about one live session an agent file may judge; filled by core.watch.evidence."""

    meta: SessionMeta
    processes: tuple[Process, ...] = ()
    """The pane's process tree, the supervisor first."""
    title: str = ""
    screen: str = ""
    """Visible screen, soft-wrapped lines joined; empty when it was not read."""
    alternate: bool = False
    hooks: tuple[Mapping[str, object], ...] = ()
    """Newest last; each is the agent's own JSON with `hook` (event name) and `at` (unix seconds) added."""
    frames: tuple[Frame, ...] = ()
    """The transcript's tail, at least back to the newest turn start."""
    environ: Mapping[str, str] = {}
    now: float = 0.0
    cache: dict[str, Any] = msgspec.field(default_factory=dict)
    """What an agent file has read on its own for this view: asked again, it answers from the same moment."""


TurnEdge = Literal["", "prompt", "end"]
"""What a hook says about turns: the agent has taken a prompt, or a turn is over; empty: neither."""


class Binding(Struct, frozen=True, kw_only=True):
    """Which conversation a pane holds."""

    session_id: str = ""
    transcript: str = ""
    """Absolute path; the file need not exist yet."""
    pid: int = 0
    """The agent's own process."""
    source: str = ""
    """agent_file, open_file, hook, spawn or history: most to least exact."""


class InputPlan(Struct, frozen=True, kw_only=True):
    """How to give the agent a text."""

    typed: bool = False
    """Type instead of paste (slash commands need their menu)."""
    clear_first: tuple[str, ...] = ()
    """Keys that empty the input box."""
    prefix: str = ""
    """Goes before the text and into the box with it, where the agent would take the text for something else."""
    before_enter: tuple[str, ...] = ()
    settle_seconds: float = 0.0
    submit: str = "Enter"
    wait_for_echo: bool = False
    """Press Enter only once the box shows the text (and `settle_seconds` later)."""


class Agent:
    """One agent CLI. A subclass per file; the instance named AGENT is the registration."""

    name: str = ""
    title: str = ""
    """For people: `Claude`."""
    binaries: tuple[str, ...] = ()
    takes_model: bool = False
    model_aliases: Mapping[str, str] = {}
    """Short model names, lower case, to what the agent takes."""
    bypass_flag: str = ""
    """The flag that lifts sandbox and approvals, where nested detection may add it."""
    full_auto_flag: str = ""
    """The flag of the sandboxed unattended mode that excludes the bypass."""
    oauth_variable: str = ""
    """Environment variable that carries a token of the pool; empty: the pool is not for this agent."""
    session_variables: tuple[str, ...] = ()
    """What a running agent tells its children about itself; a session it spawns must not take it for its own."""
    probe_models: tuple[str, ...] = ()
    """Models to try, in this order, when whoever asks names none."""
    hidden: bool = False
    """Not offered by doctor (the bundled scripted agent)."""

    # -- starting ---------------------------------------------------------------------------------------------

    def build_command(self, request: AgentLaunch) -> str:
        """The command line of the contract. Raises LisaError(agent_command_build_failed | invalid_model...)."""
        raise NotImplementedError

    def plan_launch(self, request: AgentLaunch, facts: Facts) -> LaunchPlan:
        """How to start it with the installed version."""
        line = self.build_command(request)
        return LaunchPlan(command=line, script=line)

    def probe_binary(self, binary: str, environ: Mapping[str, str], timeout: float) -> Facts:
        """Ask the installed binary what it is; called once per path and modification time."""
        return Facts(binary=binary)

    def home(self, environ: Mapping[str, str]) -> str:
        """The agent's configuration folder as a session's environment names it; empty when it has none."""
        return ""

    def build_one_shot_command(self, prompt: str, model: str, facts: Facts) -> tuple[str, ...]:
        """The command that asks a model one thing without touching anything; empty: this agent has none."""
        return ()

    def resume_arguments(self, session_id: str) -> str:
        """Arguments with which the agent goes on with a conversation of its own; empty when it cannot."""
        return ""

    def wants_bypass(self, request: AgentLaunch) -> bool:
        """Whether nested detection applies to this launch (contract: codex exec)."""
        return False

    # -- watching ---------------------------------------------------------------------------------------------

    def is_agent(self, process: Process) -> bool:
        """Whether a process of the pane's tree is this agent itself (not one of its tools)."""
        return bool(process.argv) and _program_name(process) in self.binaries

    def bind(self, view: View) -> Binding:
        """Which process and conversation the pane holds now (also after /clear, /new, --resume)."""
        return Binding(session_id=view.meta.agent_session_id)

    def collect_reports(self, view: View, binding: Binding) -> list[AgentReport]:
        """What each kind of the agent's own evidence says, in any order; core.watch.verdict weighs them.

        Called with what is cheap first: `view.screen` may be empty, and is read only when no exact evidence speaks.
        """
        return []

    def needs_screen(self, agent_reports: Sequence[AgentReport]) -> bool:
        """Whether the reports so far leave a question that only the screen answers."""
        return not any(report.source in ("agent_file", "title") for report in agent_reports)

    def turn_edge(self, hook: Mapping[str, object]) -> TurnEdge:
        """Where in a turn the agent stands when it fires this hook (an entry of `view.hooks`)."""
        return ""

    def watch_paths(self, view: View, binding: Binding) -> tuple[str, ...]:
        """Files or folders whose change may mean a new state, besides the session's folder."""
        return (binding.transcript,) if binding.transcript else ()

    def todos(self, view: View, binding: Binding) -> tuple[Todo, ...]:
        """The agent's own task list as it stands; from the transcript's tail unless the agent keeps it elsewhere."""
        return next((frame.todos for frame in reversed(view.frames) if frame.todos), ())

    # -- reading ----------------------------------------------------------------------------------------------

    def parse_frames(self, line: bytes, offset: int) -> list[Frame]:
        """The frames of one transcript line; unknown and broken lines give none. `offset` is just after it."""
        return []

    def is_noise(self, line: str) -> bool:
        """Whether a pane line is the agent's start-up chatter rather than output."""
        return False

    # -- telling ----------------------------------------------------------------------------------------------

    def prepare_input(self, text: str, view: View, agent_reports: Sequence[AgentReport]) -> InputPlan:
        return InputPlan()

    def find_acceptance(self, text: str, since: float, view: View, binding: Binding) -> str:
        """How the agent is seen to have taken a text sent at `since`: hook, transcript, agent_file, title; or empty."""
        return ""

    def find_choices(self, screen: str) -> tuple[ScreenChoice, ...]:
        """The choices of the dialog on the screen; empty when it is no list. Arrow keys move, Enter takes."""
        return terminal_choices.find_choices(screen)

    def pick_choice(self, word: str, choices: Sequence[ScreenChoice]) -> ScreenChoice | None:
        """Which of the choices yes, no, always or a number stands for; None when none does."""
        return terminal_choices.pick_choice(word, choices)


POSIX_SAFE = re.compile(r"[^\x00-\x1f\x7f]*\Z")
_ANSI_ESCAPES = {
    "\\": "\\\\",
    "'": "\\'",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def quote(text: str) -> str:
    """Shell quoting of the contract: single quotes, or ANSI-C quotes when there are control characters."""
    if not text:
        return "''"
    if POSIX_SAFE.match(text):
        return "'" + text.replace("'", "'\"'\"'") + "'"
    return (
        "$'"
        + "".join(
            _ANSI_ESCAPES.get(char) or (char if " " <= char != "\x7f" else f"\\x{ord(char):02x}") for char in text
        )
        + "'"
    )


def quote_posix(text: str) -> str:
    """Shell quoting any POSIX sh reads back byte for byte, newlines included (NUL cannot be in argv)."""
    return "'" + text.replace("\0", "").replace("'", "'\"'\"'") + "'"


def split_arguments(agent_args: str) -> list[str]:
    return agent_args.split()


def has_flag(agent_args: str, flag: str) -> bool:
    """Whether raw agent arguments hold a flag as a word of its own or as `flag=value`."""
    return any(word == flag or word.startswith(flag + "=") for word in split_arguments(agent_args))


def require_prompt(request: AgentLaunch) -> None:
    if request.mode == "exec" and not request.prompt:
        raise LisaError("agent_command_build_failed", "exec mode requires --prompt (or provide --command)")


def _program_name(process: Process) -> str:
    return os.path.basename(process.argv[0]) if process.argv else process.name
