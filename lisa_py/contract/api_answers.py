"""Answers of the sessions API that no command has: profiles, credentials, files, forks, registration."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.session_settings import ProfileSettings


class ProfileObject(ProfileSettings, frozen=True, kw_only=True):
    """A profile; values that are not references are hidden."""

    id: str
    name: str
    is_default: bool
    description: str | UnsetType = UNSET
    created_at: str | UnsetType = UNSET
    updated_at: str | UnsetType = UNSET


class ProfileResult(Struct, frozen=True, kw_only=True):
    """One profile."""

    profile: ProfileObject
    warnings: tuple[str, ...] | UnsetType = UNSET


class ProfilesResult(Struct, frozen=True, kw_only=True):
    """All profiles."""

    profiles: tuple[ProfileObject, ...]


class DeletionResult(Struct, frozen=True, kw_only=True):
    """The end of a profile or of a session's record."""

    deleted: bool


class RegistrationResult(Struct, frozen=True, kw_only=True):
    """The user is registered."""

    registered: bool
    registered_at: str


class DeregistrationResult(Struct, frozen=True, kw_only=True):
    """The user's chats are ended, credentials and data deleted."""

    deregistered: bool


class LoginStartResult(Struct, frozen=True, kw_only=True):
    """A login that has begun."""

    oauth_session_id: str
    expires_in: int
    message: str = ""


class LoginUrlResult(Struct, frozen=True, kw_only=True):
    """The address at which a person logs in."""

    status: str
    """pending, url_ready (for clients named lc-cli: ready) or failed."""
    url: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


class LoginCodeResult(Struct, frozen=True, kw_only=True):
    """The outcome of a login."""

    success: bool
    status: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


class ProviderCredential(Struct, frozen=True, kw_only=True):
    """The credential stored for one provider."""

    has_credentials: bool
    type: str | UnsetType = UNSET
    """api_key, oauth_token, azure or vertex."""
    created_at: str | UnsetType | None = UNSET


class ProvidersResult(Struct, frozen=True, kw_only=True):
    """Credentials by provider: anthropic, openai, google, openrouter."""

    providers: dict[str, ProviderCredential]


class UploadTarget(Struct, frozen=True, kw_only=True):
    """The one-time address of an upload; the file is complete once its end is reported."""

    upload_url: str
    upload_id: str
    target_path: str
    expires_at: str


class UploadReport(Struct, frozen=True, kw_only=True):
    """A complete upload."""

    success: bool
    path: str


class DownloadTarget(Struct, frozen=True, kw_only=True):
    """The one-time address of a download."""

    download_url: str
    expires_at: str
    size: int | UnsetType = UNSET


class ForkPreflight(Struct, frozen=True, kw_only=True):
    """Facts that decide if and how a session can be forked."""

    source_session_id: str
    source_session_type: str
    source_status: str
    source_name: str
    source_lifetime_days: int | None = None
    default_fork_name: str
    source_mcp_servers: tuple[str, ...] = ()
    missing_mcps: tuple[str, ...] = ()
    is_forkable: bool
    is_forkable_reason: str | None = None
    history_available: bool
