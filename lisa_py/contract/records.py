"""Records of a session on disk: metadata, delivery state, events."""

# annotations are evaluated here: as strings they cost a one-shot call its first `compile` (decision 0017)
from typing import Any

from msgspec import Struct


class SessionWorktree(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """A git worktree that was made for a session."""

    path: str
    branch: str
    base: str = ""
    """Full name of the branch it began at; empty: it began at a commit."""
    base_commit: str
    repository: str
    """Folder of the repository that all its worktrees share."""


class SessionMeta(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """`meta.json` in the session folder; written once by spawn."""

    session: str
    parent_session: str = ""
    parent_run_id: str = ""
    """Run id of the session whose agent spawned this one: names repeat across projects, run ids do not."""
    agent: str = ""
    mode: str = ""
    lane: str = ""
    oauth_token_id: str = ""
    run_id: str = ""
    former_run_ids: tuple[str, ...] = ()
    """Run ids of the earlier starts of a resumed session, oldest first; the first one makes its id."""
    project_root: str = ""
    folder: str = ""
    """Working folder of the agent; empty: the project root."""
    worktree: SessionWorktree | None = None
    """The worktree that was made for the session."""
    socket_path: str = ""
    start_command: str = ""
    """The command line of the agent, as `agent build-cmd` prints it."""
    prompt: str = ""
    objective_id: str = ""
    objective_goal: str = ""
    objective_acceptance: str = ""
    objective_budget: int = 0
    created_at: str = ""
    """RFC 3339, UTC, whole seconds."""
    created_unix: float = 0.0
    """Time of this start."""
    first_unix: float = 0.0
    """Time of the first start of a resumed session; 0: it was not resumed."""
    custom_command: bool = False
    pane_id: str = ""
    pane_pid: int = 0
    pane_started: float = 0.0
    """Start time of the pane's process in the unit of host.processes; with the pid it is an identity."""
    tmux_session: str = ""
    """Id of the tmux session (`$N`), which stays when the session is renamed."""
    server_pid: int = 0
    """Process id of the tmux server."""
    server_started: float = 0.0
    """Its start time, as `pane_started`."""
    agent_session_id: str = ""
    """Conversation id given to the agent at spawn, if the agent accepts one."""
    agent_binary: str = ""
    agent_version: str = ""
    agent_home: str = ""
    """Configuration folder of the agent in the environment of this session."""
    hooks: bool = False
    """True if the agent was started with hooks that write to this folder."""
    width: int = 0
    height: int = 0
    notes: tuple[str, ...] = ()

    @property
    def working_folder(self) -> str:
        return self.folder or self.project_root

    @property
    def all_run_ids(self) -> tuple[str, ...]:
        """Return the run ids of all starts, the newest last."""
        return (*self.former_run_ids, self.run_id)


INPUT_HEAD = 4000
"""Characters kept of an input."""


class SessionState(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """`state.json`: actions of lisa on the session; written by commands that act, never by those that read."""

    last_input_at: float = 0.0
    """Unix time just before the newest submitted input (the prompt of spawn counts)."""
    last_input_text: str = ""
    """Head of that text, to recognise an echoed prompt in the output; at most 4,000 characters."""
    last_input_from: str = ""
    """The session that sent that input, if one did."""
    last_input_expects_turn: bool = False
    """True if that input is a prompt, which begins a turn (a slash command or a key need not)."""
    last_input_accepted_at: float = 0.0
    """Time of its acceptance by the agent; 0: not observed."""
    last_input_refused: str = ""
    """The agent's words if it refused that input; no turn begins."""
    draft: bool = False
    """A text was typed and not submitted: the next one is added to it."""
    draft_text: str = ""
    """That text, which the agent gets before the next one."""
    keys_at: float = 0.0
    """Time of the newest keys pressed for a dialog or by the caller: a hook before it may be answered by them."""
    interrupted_at: float = 0.0
    """Time of an interrupting key without later input: its prompt may be in the input box again."""
    last_session_state: str = ""
    last_status: str = ""
    last_classification_reason: str = ""
    oauth_token_pruned: bool = False
    oauth_token_prune_reason: str = ""


class Event(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """One line of `events.jsonl`; `seq` only grows and is the unit of cursors."""

    seq: int
    at: str
    type: str
    """transition, lifecycle or snapshot."""
    session: str = ""
    state: str = ""
    status: str = ""
    reason: str = ""
    detail: dict[str, Any] = {}
