"""Bodies of the requests that start sessions."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import UsageError
from lisa_py.contract.session_settings import ProfileSettings, RequestSettings, SessionSettings, check


class StartBody(Struct, kw_only=True):
    """A start with resolved values, or from a definition of the project."""

    prompt: str = ""
    definition: str = ""
    """Name of a definition; `profile` overrides its settings. The limacharlie client resolves it itself."""
    trigger_source: str = "api"
    name: str = ""
    idempotent_key: str = ""
    debounce_key: str = ""
    data: dict[str, Any] | UnsetType = UNSET
    """Data of an event: fills templates and is appended to the prompt."""
    agent: str = ""
    provider: str = ""
    credentials: dict[str, str] = {}
    anthropic_key: str = ""
    bedrock: dict[str, str] = {}
    vertex: dict[str, str] = {}
    lc_api_key: str = ""
    """That of this server is given to the agent as LISA_API_TOKEN; no other key is used, and none is stored."""
    lc_uid: str = ""
    """Accepted, and neither used nor stored."""
    profile: SessionSettings = msgspec.field(default_factory=SessionSettings)


class AgentCredentials(Struct, kw_only=True):
    """Credentials of the LimaCharlie service."""

    type: str = ""
    org_api_key: str = ""


class ChatBody(RequestSettings, kw_only=True, frozen=True):
    """A chat; settings replace those of the default profile."""

    name: str | UnsetType = UNSET
    idempotent_key: str = ""
    prompt: str = ""
    agent: str = ""
    definition: str = ""
    profile_id: str = ""
    """Name or id of a profile in place of the default one."""
    profile_name: str = ""
    """The same."""
    workdir: str = ""
    """Folder of the project; empty: that of the token."""
    lc_credentials: AgentCredentials | UnsetType = UNSET
    """Accepted, and neither used nor stored."""


class ForkBody(Struct, kw_only=True):
    """A copy of a session."""

    name: str = ""
    profile_id: str = ""
    initial_prompt: str = ""
    acknowledge_missing_tools: tuple[str, ...] = ()
    """MCP servers of the source that the copy may lack."""


class CaptureProfileBody(Struct, kw_only=True):
    """A profile from the settings of a session."""

    name: str
    description: str = ""


class KeyBody(Struct, kw_only=True):
    """An API key, or a reference to it."""

    api_key: str


class OpenaiBody(Struct, kw_only=True):
    """An API key of OpenAI."""

    api_key: str
    org_id: str = ""
    project_id: str = ""


class AzureBody(Struct, kw_only=True):
    """A deployment on Azure."""

    endpoint: str
    deployment_name: str
    api_version: str
    api_key: str


class VertexBody(Struct, kw_only=True):
    """A service account of Google Cloud."""

    project_id: str
    region: str
    service_account_json: str


class LoginCodeBody(Struct, kw_only=True):
    """The code that the browser showed."""

    session_id: str
    code: str


class ProfileBody(ProfileSettings, kw_only=True, frozen=True):
    """A profile, or the fields of one to change."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    is_default: bool = False


def read_chat_settings(body: ChatBody) -> SessionSettings:
    """Return the settings of a chat. Raise UsageError(validation_failed)."""
    return _read_settings(body, (*RequestSettings.__struct_fields__, "name"))


def read_profile_settings(body: ProfileBody) -> SessionSettings:
    """Return the settings of a profile. Raise UsageError(validation_failed)."""
    return _read_settings(body, ProfileSettings.__struct_fields__)


def _read_settings(body: RequestSettings, names: tuple[str, ...]) -> SessionSettings:
    settings = SessionSettings(**{name: getattr(body, name) for name in names})
    check_settings(settings)
    return settings


def read_start_settings(body: StartBody) -> SessionSettings:
    """Return the settings of a start. Raise UsageError(validation_failed)."""
    given: dict[str, Any] = {"name": body.name, "agent": body.agent, "provider": body.provider}
    given["credentials"] = _read_credentials(body)
    settings = msgspec.structs.replace(body.profile, **{field: value for field, value in given.items() if value})
    if body.bedrock or body.vertex:
        settings = msgspec.structs.replace(settings, provider=settings.provider or "anthropic")
    check_settings(settings, "profile")
    return settings


def _read_credentials(body: StartBody) -> dict[str, str]:
    """Return the one given source of credentials. Raise UsageError(validation_failed)."""
    sources = {
        "credentials": body.credentials,
        "anthropic_key": {"anthropic_key": body.anthropic_key} if body.anthropic_key else {},
        "bedrock": {**body.bedrock, "auth": "bedrock"} if body.bedrock else {},
        "vertex": {**body.vertex, "auth": "vertex"} if body.vertex else {},
    }
    given = [name for name, values in sources.items() if values]
    if len(given) > 1:
        raise UsageError("validation_failed", f"{' and '.join(given)} are given together; give one", fields=given)
    return sources[given[0]] if given else {}


def check_settings(settings: SessionSettings, place: str = "") -> None:
    """Raise UsageError(validation_failed) with the field."""
    try:
        check(settings)
    except UsageError as problem:
        field = ".".join(filter(None, (place, str(problem.details.get("field", "")))))
        raise UsageError("validation_failed", problem.message, fields=[field]) from None
