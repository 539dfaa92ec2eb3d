"""The description of one session as the sessions API has it: the same keys, null where a value is not set."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, structs

SESSION_STATUSES = ("starting", "running", "ended")
PROMPT_HEAD = 120
"""Characters of the first prompt in lists."""


class TmuxPlace(Struct, frozen=True, kw_only=True):
    """The pane of a session."""

    socket: str
    session: str
    pane: str


class OpenRequests(Struct, frozen=True, kw_only=True):
    """Number of requests that wait for an answer."""

    approvals: int = 0
    questions: int = 0


class SessionObject(Struct, frozen=True, kw_only=True):
    """One session, running or ended."""

    id: str
    session_id: str
    """The same as `id`."""
    name: str
    status: Literal["starting", "running", "ended"]
    region: str = "local"
    session_type: Literal["api", "user"]
    owner_oid: str | None
    """Id of the project, for a session of type api."""
    owner_uid: str | None
    """User id, for a session of type user."""
    lc_auth_type: str = "jwt"
    agent: str
    provider: str | None
    model: str | None
    initial_prompt: str | None
    trigger_source: str
    definition: str | None
    idempotent_key: str | None
    debounce_key: str | None
    forked_from_session_id: str | None
    created_at: str
    started_at: str | None
    last_activity_at: str | None
    expires_at: str | None
    terminated_at: str | None
    ended_at: str | None
    """The same as `terminated_at`."""
    end_reason: str | None
    """completed, failed, job_completed, user_requested, org_api_requested, max_duration_exceeded, startup_timeout
    or heartbeat_stale."""
    end_detail: str | None
    exit_code: int | None
    error_message: str | None
    num_turns: int
    input_tokens: int
    """Input, cached or not."""
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    total_cost_usd: float | None
    cost_estimated: bool
    """True if the dollars are those of the price table, not the agent's own."""
    max_turns: int | None
    max_budget_usd: float | None
    task_budget_tokens: int | None
    ttl_seconds: int | None
    one_shot: bool | None
    permission_mode: str | None
    allowed_tools: tuple[str, ...]
    denied_tools: tuple[str, ...]
    plugins: tuple[str, ...]
    warnings: tuple[str, ...]
    ui_state: Literal["running", "waiting", "ended"]
    needs_attention: bool
    """True if a dialog waits for an answer."""
    pending: OpenRequests
    workdir: str
    tmux: TmuxPlace | None
    """None if no pane is left."""
    lisa_session: str
    lisa_state: str | None
    """sessionState of the status; null for an archived session."""


def shorten_prompt(described: SessionObject) -> SessionObject:
    """Return the description with the head of its prompt, as lists show it."""
    prompt = described.initial_prompt
    if prompt is None or len(prompt) <= PROMPT_HEAD:
        return described
    return structs.replace(described, initial_prompt=prompt[:PROMPT_HEAD] + "...")
