"""Flags of a start from a definition, and its result; shared by every command that starts one."""

from __future__ import annotations

from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Flag
from lisa_py.contract.flags import (
    AllowedTools,
    DeniedTools,
    EnvironmentValues,
    IdempotentKey,
    MaxBudget,
    MaxTurns,
    McpConfig,
    Model,
    OneShot,
    PermissionMode,
    ProjectRoot,
    SystemPrompt,
    TaskBudget,
    TimeToLive,
)

DEFINITION_ERRORS = ("definition_not_found", "invalid_definition")
"""Error codes of a start from a definition."""


class SettingsArgs(Struct, kw_only=True):
    """Flags that set the settings of a session; one that is not given leaves the lower layer."""

    model: Model = ""
    provider: Annotated[str, Flag(help="provider of the model", metavar="NAME")] = ""
    permission_mode: PermissionMode = ""
    allowed_tools: AllowedTools = ""
    denied_tools: DeniedTools = ""
    plugin: Annotated[tuple[str, ...], Flag(help="plugin to enable", metavar="NAME", repeatable=True)] = ()
    env: EnvironmentValues = ()
    max_turns: MaxTurns = None
    max_budget_usd: MaxBudget = None
    task_budget_tokens: TaskBudget = None
    ttl_seconds: TimeToLive = None
    one_shot: OneShot = None


class AgentSettingsArgs(SettingsArgs, kw_only=True):
    """All settings flags: also those that a definition cannot be overridden with."""

    system_prompt: SystemPrompt = ""
    mcp_config: McpConfig = ""


class StartSessionArgs(SettingsArgs, kw_only=True):
    """Flags of `start-session`."""

    definition: Annotated[str, Flag(help="name of the definition", metavar="NAME", positional=True)]
    prompt: Annotated[str, Flag(help="prompt instead of the definition's", metavar="TEXT")] = ""
    name: Annotated[str, Flag(help="title of the session", metavar="TEXT")] = ""
    data: Annotated[str, Flag(help="JSON object for prompt and templates", metavar="JSON|@FILE|-")] = ""
    idempotent_key: IdempotentKey = ""
    debounce_key: Annotated[str, Flag(help="key whose newest request waits its turn", metavar="KEY")] = ""
    anthropic_key: Annotated[str, Flag(help="API key or reference", metavar="VALUE")] = ""
    credential: Annotated[
        tuple[str, ...],
        Flag(help="credential; value or reference", metavar="KEY=VALUE", repeatable=True, code="invalid_credentials"),
    ] = ()
    lc_api_key: Annotated[str, Flag(help="API key of lisa serve, for the agent", metavar="VALUE")] = ""
    lc_uid: Annotated[str, Flag(help="accepted, without effect", metavar="VALUE")] = ""
    project_root: ProjectRoot = ""


def add_start_flags(base: type[Struct], flags: type[SettingsArgs] = StartSessionArgs) -> Any:
    """Return the flags of a start together with those of another struct; msgspec has no second base with fields."""
    hints = get_type_hints(flags, include_extras=True)
    own = [each for each in msgspec.structs.fields(flags) if each.name not in base.__struct_fields__]
    fields = [
        (each.name, hints[each.name]) if each.required else (each.name, hints[each.name], each.default) for each in own
    ]
    return msgspec.defstruct("StartArgs", fields, bases=(base,), kw_only=True, module=__name__)


class StartSessionResult(Answer):
    """A session started from a definition, or the state of its key."""

    session_id: str | None
    """None while the request waits."""
    session: str
    status: str
    """starting, running, or queued behind the active session of its debounce key."""
    created_at: str | UnsetType = UNSET
    deduplicated: bool | UnsetType = UNSET
    """True if a session of this idempotent key is active: nothing was started."""
    debounce_key: str | UnsetType = UNSET
    definition: str | UnsetType = UNSET
    warnings: tuple[str, ...] | UnsetType = UNSET
