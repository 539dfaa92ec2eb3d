"""Answers of `lisa ai`: the bodies of the sessions API."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.live import LiveFrame
from lisa_py.contract.session_object import SessionObject
from lisa_py.contract.usage import UsagePoint


class MessagesResult(Struct, frozen=True, kw_only=True):
    """The conversation of a session."""

    messages: tuple[LiveFrame, ...]
    truncated: bool | UnsetType = UNSET
    """True if older messages are left out: --before with the cursor of the first one prints those."""
    reset: str | UnsetType = UNSET
    """Reason why messages before a given cursor are there, too."""


class DetachResult(Struct, frozen=True, kw_only=True):
    """The end of an attach."""

    session_id: str
    ended: bool
    """True if the session has ended; false if the reader left."""
    frames: int
    cursor: str
    """Position for --since of lisa session attach."""


class SessionsResult(Struct, frozen=True, kw_only=True):
    """Sessions, newest first."""

    sessions: tuple[SessionObject, ...]
    next_cursor: str | UnsetType = UNSET
    """Cursor of the next page, empty on the last; absent without --cursor."""

    @property
    def document(self) -> SessionsResult | tuple[SessionObject, ...]:
        """Return what the client prints: the list, or with --cursor the page."""
        return self.sessions if isinstance(self.next_cursor, UnsetType) else self


class SessionResult(Struct, frozen=True, kw_only=True):
    """One session."""

    session: SessionObject


class TerminationResult(Struct, frozen=True, kw_only=True):
    """The end of a session."""

    terminated: bool


class IdentitiesResult(Struct, frozen=True, kw_only=True):
    """The names under which usage is known."""

    identities: tuple[str, ...]


class IdentityUsageResult(Struct, frozen=True, kw_only=True):
    """Usage of one definition, project or credential, per hour and model."""

    identity: str
    usage: tuple[UsagePoint, ...]


class StartResult(Struct, frozen=True, kw_only=True):
    """A session that was started, or the state of its key."""

    session_id: str | None
    status: str
    created_at: str | UnsetType = UNSET
    session: str = ""
    """Name of the session."""
    deduplicated: bool | UnsetType = UNSET
    debounce_key: str | UnsetType = UNSET
    warnings: tuple[str, ...] | UnsetType = UNSET


class CredentialsResult(Struct, frozen=True, kw_only=True):
    """The credential of chats."""

    has_credentials: bool
    credential_type: str | None
    """apikey or oauth_token."""
    created_at: str | None


class CredentialChangeResult(Struct, frozen=True, kw_only=True):
    """A change of the credential."""

    success: bool
    message: str
