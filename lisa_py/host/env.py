"""Every environment variable lisa reads, once, as one frozen struct."""

from __future__ import annotations

import os
from collections.abc import Mapping

from msgspec import Struct

ROUTING = (
    "LISA_SESSION",
    "LISA_SESSION_NAME",
    "LISA_AGENT",
    "LISA_MODE",
    "LISA_PROJECT_ROOT",
    "LISA_TMUX_SOCKET",
    "LISA_PROJECT_HASH",
    "LISA_HEARTBEAT_FILE",
    "LISA_DONE_FILE",
    "LISA_RUN_ID",
    "LISA_SESSION_DIR",
)
"""Variables a pane gets about itself; never inherited from the caller."""


class Settings(Struct, frozen=True, kw_only=True):
    """The caller's environment as far as lisa cares; times in the unit their name says."""

    environ: Mapping[str, str]
    home: str
    state_dir: str
    """`~/.lisa`, or LISA_STATE_DIR."""
    tmux_socket_dir: str
    temp_dir: str
    shared_dir: str = "/tmp"
    """Where the two files live that the usage guide names with a fixed /tmp path."""
    parent_session: str = ""
    project_root: str = ""
    cmd_timeout_seconds: int = 20
    model_probe_timeout_seconds: int = 60
    """How long preflight waits for one model's answer."""
    output_stale_seconds: int = 240
    heartbeat_stale_seconds: int = 8
    process_scan_interval_seconds: int = 8
    process_list_cache_ms: int = 500
    state_lock_timeout_ms: int = 2500
    event_lock_timeout_ms: int = 2500
    events_max_bytes: int = 1_000_000
    events_max_lines: int = 2000
    event_retention_days: int = 14
    oauth_reservation_ttl_seconds: int = 300
    history_lines: int = 50_000
    """Lines a pane keeps above its screen (about 0.6 kB each, once they are printed)."""
    cleanup_all_hashes: bool = False
    process_match: tuple[str, ...] = ()

    def get(self, name: str, default: str = "") -> str:
        return self.environ.get(name, default)


def settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment (the process's own by default); unset, unreadable or non-positive numbers mean default."""
    env = dict(os.environ if environ is None else environ)
    home = env.get("HOME") or os.path.expanduser("~")
    temp = env.get("TMPDIR") or "/tmp"
    shared = "/tmp" if os.path.isdir("/tmp") else temp
    return Settings(
        environ=env,
        home=home,
        # absolute, for a session is looked for from other folders than it was spawned in
        state_dir=os.path.abspath(env.get("LISA_STATE_DIR") or os.path.join(home, ".lisa")),
        tmux_socket_dir=os.path.abspath(env.get("LISA_TMUX_SOCKET_DIR") or shared),
        temp_dir=temp,
        shared_dir=env.get("LISA_SHARED_DIR") or shared,
        parent_session=_lisa_name(env.get("LISA_SESSION_NAME", "")),
        project_root=env.get("LISA_PROJECT_ROOT", ""),
        cmd_timeout_seconds=_number(env, "LISA_CMD_TIMEOUT_SECONDS", 20),
        model_probe_timeout_seconds=_number(env, "LISA_MODEL_PROBE_TIMEOUT_SECONDS", 60),
        output_stale_seconds=_number(env, "LISA_OUTPUT_STALE_SECONDS", 240),
        heartbeat_stale_seconds=_number(env, "LISA_HEARTBEAT_STALE_SECONDS", 8),
        process_scan_interval_seconds=_number(env, "LISA_PROCESS_SCAN_INTERVAL_SECONDS", 8),
        process_list_cache_ms=_number(env, "LISA_PROCESS_LIST_CACHE_MS", 500),
        state_lock_timeout_ms=_number(env, "LISA_STATE_LOCK_TIMEOUT_MS", 2500),
        event_lock_timeout_ms=_number(env, "LISA_EVENT_LOCK_TIMEOUT_MS", 2500),
        events_max_bytes=_number(env, "LISA_EVENTS_MAX_BYTES", 1_000_000),
        events_max_lines=_number(env, "LISA_EVENTS_MAX_LINES", 2000),
        event_retention_days=_number(env, "LISA_EVENT_RETENTION_DAYS", 14),
        oauth_reservation_ttl_seconds=_number(env, "LISA_OAUTH_RESERVATION_TTL_SECONDS", 300),
        history_lines=_number(env, "LISA_HISTORY_LINES", 50_000),
        cleanup_all_hashes=env.get("LISA_CLEANUP_ALL_HASHES", "").strip().lower() in ("1", "true", "yes", "on"),
        process_match=_words(env.get("LISA_AGENT_PROCESS_MATCH", "")),
    )


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    try:
        value = int(env.get(name, "").strip())
    except ValueError:
        return default
    return value if value > 0 else default


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in text.split(",") if word.strip())


def _lisa_name(name: str) -> str:
    return name if name.startswith("lisa-") else ""
