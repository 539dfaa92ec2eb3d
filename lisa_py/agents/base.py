"""Protocol of an agent CLI, with defaults that claim nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from lisa_py.contract.frames import Frame, Todo
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import AgentReport, Helper
from lisa_py.host import processes
from lisa_py.host.processes import Process

if TYPE_CHECKING:
    from lisa_py.agents.launch import AgentLaunch, Facts, LaunchPlan
    from lisa_py.contract.dialogs import DialogQuestion, PermissionCall
    from lisa_py.contract.mcp_tools import ToolServer
    from lisa_py.contract.tool_decisions import ToolDecision
    from lisa_py.terminal.choices import ScreenChoice
    from lisa_py.terminal.layout import Layout


class View(Struct, kw_only=True):
    """Evidence about one live session for its agent file; filled by core.status.evidence_collector."""

    meta: SessionMeta
    processes: tuple[Process, ...] = ()
    """Process tree of the pane, the supervisor first."""
    title: str = ""
    screen: str = ""
    """Visible screen, soft-wrapped lines joined; empty if it was not read."""
    alternate: bool = False
    hooks: tuple[Mapping[str, object], ...] = ()
    """Newest last; each is the agent's JSON with `hook` (event name), `at` (unix seconds) and `pid` (caller) added."""
    frames: tuple[Frame, ...] = ()
    """End of the transcript, at least back to the newest turn start."""
    environ: Mapping[str, str] = {}
    keys_at: float = 0.0
    """Unix time of the newest keys that lisa pressed for a dialog or its caller; 0: none."""
    now: float = 0.0
    cache: dict[str, Any] = msgspec.field(default_factory=dict)
    """Files that the agent code read for this view: repeated reads return the same content."""


TurnEdge = Literal["", "prompt", "end"]
"""Effect of a hook on turns: a prompt was accepted, or a turn ended; empty: neither."""


class Binding(Struct, frozen=True, kw_only=True):
    """Process and conversation of a pane."""

    session_id: str = ""
    transcript: str = ""
    """Absolute path; the file need not exist yet."""
    pid: int = 0
    """Process id of the agent."""
    source: str = ""
    """agent_file, open_file, hook, spawn or history: most to least reliable."""


class Composer(Struct, frozen=True):
    """The input box of the conversation on a screen."""

    kind: Literal["none", "empty", "holds", "mode"] = "none"
    """none: no box is visible; mode: the box, or the program in its place, would not take the text as a prompt."""
    text: str = ""
    """The draft in the box; for mode what the screen shows, such as `the shell mode`."""
    cut: bool = False
    """True if the draft is taller than the pane, so that its beginning is not in `text`."""
    insert_keys: tuple[str, ...] = ()
    """Keys that enter the insert mode of a vi-like box, before keys that edit the draft."""


class InputPlan(Struct, frozen=True, kw_only=True):
    """Instructions for typing a text into an empty input box."""

    before_paste: tuple[str, ...] = ()
    prefix: str = ""
    """Typed before the text into the box, where the agent would misinterpret the text otherwise."""
    before_enter: tuple[str, ...] = ()
    settle_seconds: float = 0.0
    submit: str = "Enter"
    wait_for_echo: bool = False
    """Press Enter only once the box shows the text (and `settle_seconds` later)."""


class Checklist(Struct, frozen=True, kw_only=True):
    """A question with several choices: Enter ticks the selected one, the row 0 submits."""

    choices: tuple[ScreenChoice, ...]
    tickable: frozenset[int]
    ticked: frozenset[int]
    rows: tuple[int, ...]
    """Numbers of the rows in the order of the arrow keys; 0 for the row that submits."""
    selected: int
    """Number of the selected row; -1: none is shown."""


class LoginScreen(Struct, frozen=True, kw_only=True):
    """Screen of an agent's login program."""

    url: str = ""
    """Address for the browser of the user."""
    token: str = ""
    error: str = ""


class LimitReport(Struct, frozen=True, kw_only=True):
    """A usage limit as an agent describes it."""

    resets_at: float = 0.0
    """Unix time; 0: unknown."""
    precision: float = 1.0
    """Seconds after that time in which it may still hold."""
    window: str = ""
    account: str = ""


ReviewState = Literal["", "complete", "incomplete"]
"""State of a page that asks to submit all answers of a dialog; empty: no such page."""


class HookAnswer(Struct, frozen=True, kw_only=True):
    """A decision for an agent whose hook waits for it."""

    denied: bool = False
    message: str = ""
    """Reason of a denial."""
    answers: Mapping[str, str] = {}
    """Answer by text of the question."""
    patterns: tuple[str, ...] = ()
    """Calls that are allowed for the rest of the session: `Bash(git:*)`, `Write`."""
    updated_input: Mapping[str, Any] | None = None
    """Input to run instead."""


class Acceptance(Struct, frozen=True, kw_only=True):
    """Evidence of what the agent did with a text; empty while there is none."""

    source: str = ""
    """The sign that the agent has it: hook, transcript, agent_file, title, screen."""
    provisional: bool = False
    """The agent has read the text, but may still refuse it (a hook of the user's runs before the turn)."""
    refusal: str = ""
    """Error code of a refusal: prompt_blocked_by_hook, command_unknown."""
    reason: str = ""
    """The agent's words about the refusal."""
    joined_with: str = ""
    """Other text of the input box that was submitted together with the text."""
    altered: Mapping[str, int] = {}
    """Number of parts that the agent replaced, by name: tab, invisible, image."""

    @property
    def is_final(self) -> bool:
        """True if waiting longer would not change it."""
        return bool(self.refusal or self.joined_with or (self.source and not self.provisional))


class Agent:
    """One agent CLI. One subclass per file; the instance named AGENT is the registration."""

    name: str = ""
    title: str = ""
    """Name for people: `Claude`."""
    binaries: tuple[str, ...] = ()
    install_hint: str = ""
    """Command that installs the CLI; empty: unknown."""
    takes_model: bool = False
    model_aliases: Mapping[str, str] = {}
    """Short model names, lower case, by full name."""
    bypass_flag: str = ""
    """Flag that lifts sandbox and approvals, added by nested detection."""
    full_auto_flag: str = ""
    """Flag of the sandboxed unattended mode, which excludes the bypass."""
    providers: tuple[str, ...] = ()
    """Providers of models whose settings choose this agent."""
    key_variables: tuple[str, ...] = ()
    """Variables with a key of the provider."""
    login_arguments: tuple[str, ...] = ()
    """Arguments of the login that shows an address, takes a code and prints a token; none: the agent has none."""
    reports_call_folder: bool = True
    """The hook of a shell call names the folder in which it runs."""
    tool_aliases: Mapping[str, tuple[str, ...]] = {}
    """Further names of the agent's tools in rules for tools."""
    asks_by_rule: bool = True
    """A hook can open a dialog about a call; else such a call is denied."""
    floating_models: frozenset[str] = frozenset()
    """Names of models, lower case, that the agent itself resolves to its newest ones."""
    oauth_variable: str = ""
    """Environment variable for a pool token; empty: the agent does not use the pool."""
    token_failures: tuple[tuple[str, str], ...] = ()
    """Patterns of lower-case pane lines that report a rejected pool token, with the kind of failure; first match."""
    capture_field: str = ""
    """Field of the `session capture` answer that repeats the id of the conversation; empty: none."""
    session_variables: tuple[str, ...] = ()
    """Variables that a running agent sets for its children; a spawned session must not inherit them."""
    exit_inputs: frozenset[str] = frozenset()
    """Texts that end the agent."""
    probe_models: tuple[str, ...] = ()
    """Models to probe in this order if none is given."""
    folded_drafts: tuple[str, ...] = ()
    """Beginnings of the placeholders that stand for a long text or an attachment in the input box."""
    image_mark: str = ""
    """Pattern of the text that replaces the path of an image in a recorded prompt."""
    clearing_inputs: frozenset[str] = frozenset()
    """Texts that begin a new conversation."""
    dialog_pause_seconds: float = 0.0
    """Seconds after a dialog has opened in which the agent ignores keys."""
    interrupt_keys: tuple[str, ...] = ("Escape",)
    """Keys that end the turn and keep the session."""
    limit_dialog_keys: tuple[str, ...] = ("Escape",)
    """Keys that close the dialog of a usage limit without a choice."""
    hidden: bool = False
    """Not offered by doctor (the bundled scripted agent)."""

    # -- tools ------------------------------------------------------------------------------------------------

    def tool_server_options(self) -> Mapping[str, Any]:
        """Return the keys of a server in session settings with which the agent waits for it and for long calls."""
        return {}

    def format_tool_server(self, server: ToolServer) -> str:
        """Return the text of the configuration that starts a server; empty if the agent takes none."""
        return ""

    def add_tool_server(self, server: ToolServer, binary: str, environ: Mapping[str, str]) -> str:
        """Enter a server in the user's configuration, replacing one of its name; return the file.

        Raise LisaError(mcp_install_failed).
        """
        raise NotImplementedError

    def remove_tool_server(self, name: str, binary: str, environ: Mapping[str, str]) -> str:
        """Remove a server; return the file, or an empty string if it was not there. Raise as `add_tool_server`."""
        return ""

    # -- definitions ------------------------------------------------------------------------------------------

    def definition_folders(self, project_root: str, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Return the folders of the agent's own definitions (`.md`) by scope: project, user."""
        return {}

    def read_definition(self, header: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings in a header, with `definition` (its name), `description` and `warnings`."""
        return {}

    # -- starting ---------------------------------------------------------------------------------------------

    def build_command(self, request: AgentLaunch) -> str:
        """Return the command line of the contract. Raise LisaError(agent_command_build_failed | invalid_model...)."""
        raise NotImplementedError

    def plan_launch(self, request: AgentLaunch, facts: Facts) -> LaunchPlan:
        """Return the plan for a start with the installed version."""
        from lisa_py.agents.launch import LaunchPlan  # noqa: PLC0415 - only starts

        line = self.build_command(request)
        return LaunchPlan(command=line, script=line)

    def probe_binary(self, binary: str, environ: Mapping[str, str], timeout: float) -> Facts:
        """Probe the installed binary; called once per path and modification time."""
        from lisa_py.agents.launch import Facts  # noqa: PLC0415 - only starts

        return Facts(binary=binary)

    def home(self, environ: Mapping[str, str]) -> str:
        """Return the configuration folder of the agent in an environment; empty if it has none."""
        return ""

    def build_one_shot_command(self, prompt: str, model: str, facts: Facts) -> tuple[str, ...]:
        """Return the command for one question to a model without side effects; empty if unsupported."""
        return ()

    def resume_arguments(self, session_id: str) -> str:
        """Return the arguments that continue a conversation; empty if unsupported."""
        return ""

    def drop_conversation(self, agent_args: str) -> str:
        """Return the user's arguments without those that choose a conversation."""
        return agent_args.strip()

    def build_resume_arguments(self, session_id: str, agent_args: str) -> str:
        """Return the arguments that continue a conversation, with the other ones of its start; empty if unsupported."""
        chosen = self.resume_arguments(session_id)
        return f"{chosen} {self.drop_conversation(agent_args)}".strip() if chosen else ""

    def list_call_paths(self, tool_name: str, tool_input: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the files that a call of a tool reads or writes, as its input names them."""
        named = (tool_input.get(key) for key in ("file_path", "notebook_path", "path"))
        return tuple(value for value in named if isinstance(value, str) and value)

    def format_rule_answer(self, event: str, decision: ToolDecision, reason: str) -> str:
        """Return what a hook prints for a call that a rule decides; empty if the agent takes no such answer."""
        return ""

    def format_early_allowance(self, event: str) -> str:
        """Return what a hook prints to allow a call before the agent decides; empty if it takes no such answer."""
        return ""

    def read_login_screen(self, screen: str) -> LoginScreen:
        """Return what the login program shows."""
        return LoginScreen()

    def find_login(self, environ: Mapping[str, str]) -> str:
        """Return the kind of credential that the agent itself has (apikey, oauth_token); empty if none."""
        return ""

    def fork_arguments(self, session_id: str) -> str:
        """Return the arguments that continue a copy of a conversation; empty if unsupported."""
        return ""

    def wants_bypass(self, request: AgentLaunch) -> bool:
        """Return True if nested detection applies to this launch (contract: codex exec)."""
        return False

    # -- status -----------------------------------------------------------------------------------------------

    def is_agent(self, process: Process) -> bool:
        """Return True if a process of the pane is this agent itself (not one of its tools)."""
        return bool(process.argv) and _program_name(process) in self.binaries

    def find_process(self, view: View) -> Process | None:
        """Return the agent among the processes of the pane: the caller of lisa's hook, else a process of its name."""
        return find_hook_process(view) or next(
            (each for each in view.processes if each.alive and self.is_agent(each)), None
        )

    def bind(self, view: View) -> Binding:
        """Return process and conversation of the pane now (also after /clear, /new, --resume)."""
        return Binding(session_id=view.meta.agent_session_id)

    def collect_reports(self, view: View, binding: Binding) -> list[AgentReport]:
        """Return the report of each kind of evidence, in any order; core.status.verdict weighs them.

        Called with cheap evidence first: `view.screen` may be empty; it is only read if no exact evidence reports.
        """
        return []

    def needs_screen(self, agent_reports: Sequence[AgentReport]) -> bool:
        """Return True if only the screen can answer what the reports leave open."""
        return not any(report.source in ("agent_file", "title") for report in agent_reports)

    def summarize_title(self, title: str) -> str:
        """Return the part of a terminal title that the state depends on; it stays the same while a spinner turns."""
        return title

    def turn_edge(self, hook: Mapping[str, object]) -> TurnEdge:
        """Return the position in a turn at which the agent fires this hook (an entry of `view.hooks`)."""
        return ""

    def is_foreign(self, hook: Mapping[str, object], binding: Binding) -> bool:
        """Return True for a hook of another conversation, which the agent started from this pane."""
        return False

    def watch_paths(self, view: View, binding: Binding) -> tuple[str, ...]:
        """Return files or folders whose change may mean a new state, besides the session folder."""
        return (binding.transcript,) if binding.transcript else ()

    def todos(self, view: View, binding: Binding) -> tuple[Todo, ...]:
        """Return the current task list of the agent; from the transcript unless it is stored elsewhere."""
        return next((frame.todos for frame in reversed(view.frames) if frame.todos), ())

    def list_helpers(self, view: View, binding: Binding) -> tuple[Helper, ...]:
        """Return the subagents, background shells and teammates of the agent, ended subagents included."""
        return ()

    def read_limit(self, text: str, at: float, environ: Mapping[str, str], binding: Binding) -> LimitReport:
        """Return the usage limit that the agent reported with this text at this time; empty for what it does not say.

        `environ` is the environment of the agent.
        """
        from lisa_py.terminal import limit_end  # noqa: PLC0415 - only at a limit

        end = limit_end.find_end(text, at, environ.get("TZ", ""))
        return LimitReport(resets_at=end, precision=limit_end.find_precision(text))

    # -- reading ----------------------------------------------------------------------------------------------

    def parse_frames(self, line: bytes, offset: int) -> list[Frame]:
        """Return the frames of one transcript line; none for unknown and broken lines. `offset` is just after it."""
        return []

    def helper_transcripts(self, transcript: str) -> tuple[str, ...]:
        """Return the transcripts of the subagents of a conversation that keep their own."""
        return ()

    def parse_helper_frames(self, line: bytes, offset: int) -> list[Frame]:
        """Return the frames of one line of a subagent's transcript."""
        return self.parse_frames(line, offset)

    def read_own_cost(self, folder: str) -> float | None:
        """Return the dollars that the agent itself reports in the session folder; None if it does not."""
        return None

    def is_noise(self, line: str) -> bool:
        """Return True if a pane line belongs to the start-up output of the agent."""
        return False

    def layout(self) -> Layout:
        """Return the signs of the agent's screen beyond those of any terminal program."""
        from lisa_py.terminal.layout import Layout  # noqa: PLC0415 - its patterns cost a millisecond

        return Layout()

    def startup_end(self, lines: Sequence[str], row: int) -> int:
        """Return the row after the start-up output that begins in this row; the row itself if there is none."""
        in_box = lines[row].strip()[:1] in tuple("│┃|╭╰┌└")  # not enough: an answer may be a table
        return row + 1 if not in_box and self.is_noise(lines[row]) else row

    def banner_end(self, lines: Sequence[str], row: int) -> int:
        """Return the row after the welcome box or update notice that begins in this row; the row itself if none."""
        return row

    def is_header(self, line: str) -> bool:
        """Return True for a line of facts (model, folder) that stays above the first answer."""
        return False

    # -- sending ----------------------------------------------------------------------------------------------

    def read_screen(self, screen: str) -> AgentReport | None:
        """Return the report of a screen alone; None if it shows nothing of this agent."""
        return None

    def find_composer(self, screen: str) -> Composer | None:
        """Return the input box on a screen, captured with styles; None if this agent has no known one."""
        return None

    def is_placeholder(self, draft: str, text: str) -> bool:
        """Return True if a draft in the input box is the folded form of this text, and nothing else."""
        return False

    def clear_keys(self, draft: str) -> tuple[str, ...]:
        """Return the keys that empty an input box with this draft."""
        return ()

    def prepare_input(self, text: str, view: View) -> InputPlan:
        return InputPlan()

    def find_acceptance(self, text: str, since: float, view: View, binding: Binding) -> Acceptance:
        """Return the evidence of what this conversation did with a text sent at `since`."""
        return Acceptance()

    def default_model(self) -> str:
        """Return the model behind the first short name; empty if the agent takes none."""
        return next(iter(self.model_aliases.values()), "") if self.takes_model else ""

    def find_choices(self, screen: str) -> tuple[ScreenChoice, ...]:
        """Return the choices of the dialog on the screen; empty if there is no list. Arrow keys move, Enter selects."""
        from lisa_py.terminal import choices as terminal_choices  # noqa: PLC0415 - only dialogs

        return terminal_choices.find_choices(screen)

    def find_checklist(self, screen: str) -> Checklist | None:
        """Return the question with several choices on the screen; None if there is none."""
        return None

    def find_review(self, screen: str) -> ReviewState:
        """Return the state of the page on the screen that asks to submit all answers with its first choice."""
        return ""

    def read_question(self, screen: str) -> str:
        """Return the text of the open dialog above its choices: question, tool and input; empty if none is open."""
        from lisa_py.terminal import choices as terminal_choices  # noqa: PLC0415 - only dialogs

        return terminal_choices.read_question(screen.split("\n"), self.find_choices(screen))

    def find_session_choice(self, choices: Sequence[ScreenChoice]) -> ScreenChoice | None:
        """Return the choice that also allows later calls like this one; None if there is none."""
        return self.pick_choice("always", choices)

    def find_text_choice(self, choices: Sequence[ScreenChoice]) -> ScreenChoice | None:
        """Return the choice of a question that takes typed text; None if there is none."""
        return None

    def read_questions(self, tool_name: str, tool_input: object) -> tuple[DialogQuestion, ...]:
        """Return the questions that a tool call asks a person; none for any other call."""
        return ()

    def list_permission_calls(
        self, hooks: Sequence[Mapping[str, object]], *, ended: bool = False
    ) -> tuple[PermissionCall, ...]:
        """Return the calls that the hooks ask about and that have not ended (or all), oldest first."""
        from lisa_py.agents._permission_hook import list_permission_calls  # noqa: PLC0415 - only open dialogs

        return list_permission_calls(hooks, ended=ended)

    def format_hook_answer(self, answer: HookAnswer, tool_input: object) -> str:
        """Return the line that a waiting hook prints; empty if the agent takes none."""
        return ""

    def pick_choice(self, word: str, choices: Sequence[ScreenChoice]) -> ScreenChoice | None:
        """Return the choice for yes, no, always or a number; None if there is none."""
        from lisa_py.terminal import choices as terminal_choices  # noqa: PLC0415 - only dialogs

        return terminal_choices.pick_choice(word, choices)


def find_hook_process(view: View) -> Process | None:
    """Return the topmost living process of the pane that has called lisa's hook; None if there is none."""
    callers = {hook.get("pid") for hook in view.hooks}
    return next((process for process in view.processes if process.alive and process.pid in callers), None)


def read_agent_environment(view: View, process: Process) -> Mapping[str, str]:
    """Return the environment of a process of the pane, read once per view; empty if it cannot be read."""
    key = f"environment-{process.pid}"
    if key not in view.cache:
        view.cache[key] = processes.read_environment(process)
    found: Mapping[str, str] = view.cache[key]
    return found


def hooks_transcript(view: View) -> str:
    """Return the newest transcript path that a hook reports; empty if none."""
    paths = (hook.get("transcript_path") for hook in reversed(view.hooks))
    return next((path for path in paths if isinstance(path, str) and path), "")


def needs_leading_space(text: str) -> bool:
    """Return True for words that claude and codex would run in a shell (`!`) or refuse as a command without a name."""
    return text.startswith("!") or (text.startswith("/") and text[1:2] != "/" and not text[1:2].isalpha())


def _program_name(process: Process) -> str:
    return os.path.basename(process.argv[0]) if process.argv else process.name
