"""Environment variables that lisa reads, as one frozen struct."""

from __future__ import annotations

import os
from collections.abc import Mapping

from msgspec import Struct

ROUTING_VARIABLES = (
    "LISA_SESSION",
    "LISA_SESSION_NAME",
    "LISA_AGENT",
    "LISA_MODE",
    "LISA_PROJECT_ROOT",
    "LISA_WORKTREE",
    "LISA_TMUX_SOCKET",
    "LISA_PROJECT_HASH",
    "LISA_HEARTBEAT_FILE",
    "LISA_DONE_FILE",
    "LISA_RUN_ID",
    "LISA_SESSION_DIR",
)
"""Variables that describe a pane to its program; never inherited from the caller."""


API_KEY_VARIABLE = "LISA_API_TOKEN"
"""API key of `lisa serve` for the agent that a start has passed it to; never inherited from the caller."""


class EnvironmentVariable(Struct, frozen=True):
    """One environment variable of lisa and its purpose."""

    name: str
    default: int | str
    effect: str


NUMERIC_VARIABLES = (
    EnvironmentVariable("LISA_CMD_TIMEOUT_SECONDS", 20, "limit of one call of tmux, and of the command of a token"),
    EnvironmentVariable("LISA_MODEL_PROBE_TIMEOUT_SECONDS", 60, "limit of one model probe of `session preflight`"),
    EnvironmentVariable(
        "LISA_OUTPUT_STALE_SECONDS", 240, "age up to which output counts as fresh (`signals.outputFresh`)"
    ),
    EnvironmentVariable("LISA_HEARTBEAT_STALE_SECONDS", 8, "age up to which a session's heartbeat counts as fresh"),
    EnvironmentVariable(
        "LISA_STATE_LOCK_TIMEOUT_MS", 2500, "wait for the lock of a record (four times that for a store)"
    ),
    EnvironmentVariable("LISA_EVENT_LOCK_TIMEOUT_MS", 2500, "wait for the lock of an event log or the context cache"),
    EnvironmentVariable("LISA_EVENTS_MAX_BYTES", 1_000_000, "size at which an event log loses its older half"),
    EnvironmentVariable("LISA_EVENTS_MAX_LINES", 2000, "number of events at which it does"),
    EnvironmentVariable("LISA_EVENT_RETENTION_DAYS", 14, "how long the events of a killed session are kept"),
    EnvironmentVariable(
        "LISA_OAUTH_RESERVATION_TTL_SECONDS", 300, "how long a spawn may hold a token before it has started"
    ),
    EnvironmentVariable("LISA_MAX_TTL_SECONDS", 86_400, "longest `--ttl-seconds` of a session"),
    EnvironmentVariable(
        "LISA_HISTORY_LINES", 50_000, "lines a pane keeps above its screen (about 0.6 kB each once printed)"
    ),
)
"""The default applies to a value that is unset, not a number or not positive."""

VARIABLES = (
    EnvironmentVariable("LISA_STATE_DIR", "~/.lisa", "folder of all records"),
    EnvironmentVariable("LISA_TMUX_SOCKET_DIR", "/tmp", "folder of the tmux sockets"),
    EnvironmentVariable(
        "LISA_SHARED_DIR", "/tmp", "folder of the claims of `session dedupe` and the cursor of `session list`"
    ),
    EnvironmentVariable(
        "LISA_WORKTREE_DIR", "", "folder of the worktrees of `session spawn --worktree`, instead of REPOSITORY.lisa"
    ),
    *NUMERIC_VARIABLES,
    EnvironmentVariable(
        "LISA_CLEANUP_ALL_HASHES", "false", "1, true, yes or on: as --cleanup-all-hashes of spawn, kill, kill-all"
    ),
    EnvironmentVariable(
        "LISA_AGENT_PROCESS_MATCH", "", "comma-separated names of programs that count as the agent's process"
    ),
    EnvironmentVariable("LISA_AGENT_PROCESS_MATCH_<AGENT>", "", "the same for one agent (its name in capitals)"),
    EnvironmentVariable(
        "LISA_<OAUTH VARIABLE>", "", "a token for the next agent that takes it under the name without LISA_"
    ),
    EnvironmentVariable(
        API_KEY_VARIABLE, "", "set for an agent whose start passed the API key of `lisa serve` as `lc_api_key`"
    ),
    EnvironmentVariable("LISA_WEBHOOK_SECRET", "", "key of the signature of `session monitor --webhook` (HMAC-SHA256)"),
    EnvironmentVariable("LISA_SESSION_NAME", "", "set in panes: sessions spawned there have this one as their parent"),
    EnvironmentVariable("LISA_RUN_ID", "", "set in panes: what belongs to the run is known by it, and ended with it"),
    EnvironmentVariable(
        "LISA_PROJECT_ROOT", "", "set in panes: where a session is looked for that the current folder has not"
    ),
    EnvironmentVariable(
        "LISA_WORKTREE", "", "set in panes that do not work in the project root: below it, lisa means that project"
    ),
    EnvironmentVariable(
        "LISA_TMUX_SOCKET", "", "set in panes for people and scripts; lisa itself goes by a session's records"
    ),
    EnvironmentVariable("LISA_BUILD_COMMIT", "none", "commit shown by `lisa version`, set by packagers"),
    EnvironmentVariable("LISA_BUILD_DATE", "unknown", "the same"),
    EnvironmentVariable(
        "LISA_PROCESS_SCAN_INTERVAL_SECONDS", 8, "accepted, without effect: each look reads the processes afresh"
    ),
    EnvironmentVariable("LISA_PROCESS_LIST_CACHE_MS", 500, "accepted, without effect: one look reads them once"),
)
"""All variables with a name of lisa's own."""


class Settings(Struct, frozen=True, kw_only=True):
    """The part of the environment that lisa uses; a time has its unit in its name and its default in NUMBERS."""

    environ: Mapping[str, str]
    home: str
    state_dir: str
    tmux_socket_dir: str
    temp_dir: str
    shared_dir: str
    """Folder of the two files for which the usage guide gives a fixed /tmp path."""
    worktree_dir: str
    parent_session: str
    project_root: str
    worktree: str
    """Working folder of the session that this process belongs to, if it is not its project root."""
    cmd_timeout_seconds: int
    model_probe_timeout_seconds: int
    output_stale_seconds: int
    heartbeat_stale_seconds: int
    state_lock_timeout_ms: int
    event_lock_timeout_ms: int
    events_max_bytes: int
    events_max_lines: int
    event_retention_days: int
    oauth_reservation_ttl_seconds: int
    max_ttl_seconds: int
    history_lines: int
    cleanup_all_hashes: bool
    process_match: tuple[str, ...]

    def get(self, name: str, default: str = "") -> str:
        return self.environ.get(name, default)


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of an environment, by default that of this process."""
    env = dict(os.environ if environ is None else environ)
    home = env.get("HOME") or os.path.expanduser("~")
    temp = env.get("TMPDIR") or "/tmp"
    shared = "/tmp" if os.path.isdir("/tmp") else temp
    return Settings(
        environ=env,
        home=home,
        # absolute: a session is also looked up from other folders than the one it was spawned in
        state_dir=os.path.abspath(env.get("LISA_STATE_DIR") or os.path.join(home, ".lisa")),
        tmux_socket_dir=os.path.abspath(env.get("LISA_TMUX_SOCKET_DIR") or shared),
        temp_dir=temp,
        shared_dir=os.path.abspath(env.get("LISA_SHARED_DIR") or shared),
        worktree_dir=env.get("LISA_WORKTREE_DIR", ""),
        parent_session=_lisa_session_name(env.get("LISA_SESSION_NAME", "")),
        project_root=env.get("LISA_PROJECT_ROOT", ""),
        worktree=env.get("LISA_WORKTREE", ""),
        cleanup_all_hashes=env.get("LISA_CLEANUP_ALL_HASHES", "").strip().lower() in ("1", "true", "yes", "on"),
        process_match=_split_words(env.get("LISA_AGENT_PROCESS_MATCH", "")),
        **{each.name.removeprefix("LISA_").lower(): _read_number(env, each) for each in NUMERIC_VARIABLES},
    )


def has_terminal() -> bool:
    """Return True if standard input and output are a terminal."""
    return os.isatty(0) and os.isatty(1)


def _read_number(env: Mapping[str, str], variable: EnvironmentVariable) -> int:
    default = int(variable.default)
    try:
        value = int(env.get(variable.name, "").strip())
    except ValueError:
        return default
    return value if value > 0 else default


def _split_words(text: str) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in text.split(",") if word.strip())


def _lisa_session_name(name: str) -> str:
    return name if name.startswith("lisa-") else ""
