"""The calls of the sessions API: method, path, body and answer of each, described once for both clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar, Unpack
from urllib.parse import quote

import msgspec
from msgspec import Struct

from lisa_py.client.decoding import convert, decode_answer, decode_history, read_extra
from lisa_py.client.fields import ChatFields, ForkFields, ProfileFields, StartFields
from lisa_py.contract.api_answers import (
    DeletionResult,
    DeregistrationResult,
    DownloadTarget,
    ForkPreflight,
    LoginCodeResult,
    LoginStartResult,
    LoginUrlResult,
    ProfileObject,
    ProfileResult,
    ProfilesResult,
    ProviderCredential,
    ProvidersResult,
    RegistrationResult,
    UploadReport,
    UploadTarget,
)
from lisa_py.contract.client_answers import (
    CredentialChangeResult,
    CredentialsResult,
    IdentitiesResult,
    IdentityUsageResult,
    MessagesResult,
    SessionResult,
    SessionsResult,
    StartResult,
    TerminationResult,
)
from lisa_py.contract.session_object import SessionObject

T = TypeVar("T")
P = TypeVar("P")
Family = Literal["user", "org"]
"""user: chats, which a person leads; org: sessions of a project, which work on one prompt."""
ProviderPath = Literal["openai", "openai/azure", "google", "google/vertex", "openrouter"]


class ApiCall(Struct, Generic[T], frozen=True, kw_only=True):
    """One call."""

    method: str
    path: str
    decode: Callable[[bytes], T]
    query: Mapping[str, str] = {}
    body: bytes = b""
    content_type: str = ""
    is_repeatable: bool
    """True if it may be made twice."""
    needs_token: bool = True


def _get(path: str, kind: type[T], query: Mapping[str, Any] | None = None) -> ApiCall[T]:
    return _build("GET", path, lambda body: decode_answer(body, kind), query=query)


def _build(
    method: str,
    path: str,
    decode: Callable[[bytes], T],
    *,
    query: Mapping[str, Any] | None = None,
    fields: Mapping[str, Any] | None = None,
) -> ApiCall[T]:
    return ApiCall(
        method=method,
        path=path,
        decode=decode,
        query={key: str(value) for key, value in (query or {}).items() if value is not None},
        body=b"" if fields is None else msgspec.json.encode(fields),
        content_type="" if fields is None else "application/json",
        is_repeatable=method != "POST" or bool((fields or {}).get("idempotent_key")),
    )


def _send(
    method: str, path: str, kind: type[P], fields: Mapping[str, Any] | None = None, *, take: Callable[[P], T]
) -> ApiCall[T]:
    return _build(method, path, lambda body: take(decode_answer(body, kind)), fields=fields)


def _post(path: str, kind: type[T], fields: Mapping[str, Any] | None = None) -> ApiCall[T]:
    return _build("POST", path, lambda body: decode_answer(body, kind), fields=fields)


def _delete(path: str, kind: type[T]) -> ApiCall[T]:
    return _build("DELETE", path, lambda body: decode_answer(body, kind))


def _sessions(family: Family) -> str:
    return "/v1/org/sessions" if family == "org" else "/v1/sessions"


def _one(session_id: str, family: Family = "user") -> str:
    return f"{_sessions(family)}/{_word(session_id)}"


def _word(text: str) -> str:
    return quote(text, safe="")


# -- registration --------------------------------------------------------------------------------------------------


def register() -> ApiCall[RegistrationResult]:
    """Register the user; a second time changes nothing."""
    return _post("/v1/register", RegistrationResult)


def deregister() -> ApiCall[DeregistrationResult]:
    """End the user's chats; delete their credentials and data."""
    return _delete("/v1/register", DeregistrationResult)


# -- sessions ------------------------------------------------------------------------------------------------------


def list_sessions(
    *, status: str | None = None, limit: int | None = None, cursor: str | None = None, family: Family = "user"
) -> ApiCall[SessionsResult]:
    """Return one page of sessions, newest first; `status` is starting, running or ended."""
    return _get(_sessions(family), SessionsResult, {"status": status, "limit": limit, "cursor": cursor or None})


def create_session(**fields: Unpack[ChatFields]) -> ApiCall[SessionObject]:
    """Start a chat; it accepts prompts at once, also while it starts."""
    return _send("POST", "/v1/sessions", SessionResult, fields, take=_take_session)


def start_session(**fields: Unpack[StartFields]) -> ApiCall[StartResult]:
    """Start a session of the project, which works on one prompt."""
    return _post("/v1/api/sessions", StartResult, fields)


def get_session(session_id: str, *, family: Family = "user") -> ApiCall[SessionObject]:
    """Return one session."""
    path = _one(session_id, family)
    return _send("GET", path, SessionResult, take=lambda answer: answer.session)


def terminate_session(session_id: str, *, family: Family = "user") -> ApiCall[TerminationResult]:
    """End a session; its record and history remain."""
    return _delete(_one(session_id, family), TerminationResult)


def delete_session_record(session_id: str) -> ApiCall[DeletionResult]:
    """Delete the record and history of a session that has ended."""
    return _delete(f"{_one(session_id)}/record", DeletionResult)


def get_history(
    session_id: str, *, since: str | None = None, before: str | None = None, family: Family = "user"
) -> ApiCall[MessagesResult]:
    """Return the newest part of the conversation, or the frames after or before a cursor; oldest first."""
    return _build(
        "GET", f"{_one(session_id, family)}/history", decode_history, query={"since": since, "before": before}
    )


def fork_preflight(session_id: str, *, profile_id: str | None = None) -> ApiCall[ForkPreflight]:
    """Return if a session can be forked, and what the fork would lack."""
    return _get(f"{_one(session_id)}/fork-preflight", ForkPreflight, {"profile_id": profile_id})


def fork_session(session_id: str, **fields: Unpack[ForkFields]) -> ApiCall[SessionObject]:
    """Start a new session that continues a copy of the conversation."""
    return _send("POST", f"{_one(session_id)}/fork", SessionResult, fields, take=_take_session)


def _take_session(answer: SessionResult) -> SessionObject:
    """Return the session with the other fields of the answer: `deduplicated`, and warnings about the request."""
    session, others = answer.session, read_extra(answer)
    listed = others.pop("warnings", ())
    warnings = (*session.warnings, *(text for text in listed if text not in session.warnings))
    merged = msgspec.structs.replace(session, warnings=warnings)
    merged.__dict__.update({**read_extra(session), **others})
    return merged


# -- credentials ---------------------------------------------------------------------------------------------------


def get_credential_status() -> ApiCall[CredentialsResult]:
    """Return whether chats have a credential, and its kind; also for a user who is not registered."""
    return _get("/v1/auth/claude/status", CredentialsResult)


def store_api_key(api_key: str) -> ApiCall[CredentialChangeResult]:
    """Store the API key of chats; it replaces an older one."""
    return _post("/v1/auth/claude/apikey", CredentialChangeResult, {"api_key": api_key})


def delete_credentials() -> ApiCall[CredentialChangeResult]:
    """Delete the stored credential of chats."""
    return _delete_credential("/v1/auth/claude")


def _delete_credential(path: str) -> ApiCall[CredentialChangeResult]:
    def decode(body: bytes) -> CredentialChangeResult:
        return convert({"message": "", **decode_answer(body, dict[str, Any])}, CredentialChangeResult)

    return _build("DELETE", path, decode)


def start_oauth() -> ApiCall[LoginStartResult]:
    """Begin a login in the browser."""
    return _post("/v1/auth/claude/start", LoginStartResult)


def poll_oauth_url(oauth_session_id: str) -> ApiCall[LoginUrlResult]:
    """Return the address of the login once its status is url_ready."""
    return _get("/v1/auth/claude/url", LoginUrlResult, {"session_id": oauth_session_id})


def submit_oauth_code(oauth_session_id: str, code: str) -> ApiCall[LoginCodeResult]:
    """Finish a login with the code that the browser showed."""
    return _post("/v1/auth/claude/code", LoginCodeResult, {"session_id": oauth_session_id, "code": code})


def get_credentials() -> ApiCall[dict[str, ProviderCredential]]:
    """Return the stored credentials by provider."""
    return _send("GET", "/v1/credentials", ProvidersResult, take=lambda answer: answer.providers)


def store_provider_credential(provider: ProviderPath, **fields: str) -> ApiCall[CredentialChangeResult]:
    """Store the credential of a provider: `api_key`, or the fields of another kind of access."""
    return _post(f"/v1/credentials/{provider}", CredentialChangeResult, fields)


def delete_provider_credential(provider: Literal["openai", "google", "openrouter"]) -> ApiCall[CredentialChangeResult]:
    """Delete the credential of a provider."""
    return _delete_credential(f"/v1/credentials/{provider}")


# -- profiles ------------------------------------------------------------------------------------------------------


def list_profiles() -> ApiCall[tuple[ProfileObject, ...]]:
    """Return all profiles."""
    return _send("GET", "/v1/profiles", ProfilesResult, take=lambda answer: answer.profiles)


def create_profile(**fields: Unpack[ProfileFields]) -> ApiCall[ProfileObject]:
    """Create a profile."""
    return _send("POST", "/v1/profiles", ProfileResult, fields, take=lambda answer: answer.profile)


def get_profile(profile_id: str) -> ApiCall[ProfileObject]:
    """Return one profile."""
    return _send("GET", f"/v1/profiles/{_word(profile_id)}", ProfileResult, take=lambda answer: answer.profile)


def update_profile(profile_id: str, **fields: Unpack[ProfileFields]) -> ApiCall[ProfileObject]:
    """Change the given fields of a profile."""
    path = f"/v1/profiles/{_word(profile_id)}"
    return _send("PUT", path, ProfileResult, fields, take=lambda answer: answer.profile)


def delete_profile(profile_id: str) -> ApiCall[DeletionResult]:
    """Delete a profile that is not the default."""
    return _delete(f"/v1/profiles/{_word(profile_id)}", DeletionResult)


def set_default_profile(profile_id: str) -> ApiCall[ProfileObject]:
    """Make a profile the default."""
    path = f"/v1/profiles/{_word(profile_id)}/default"
    return _send("POST", path, ProfileResult, take=lambda answer: answer.profile)


def capture_profile(session_id: str, *, name: str, description: str | None = None) -> ApiCall[ProfileObject]:
    """Create a profile from the settings of a session, without its secrets."""
    fields = {"name": name, **({} if description is None else {"description": description})}
    path = f"{_one(session_id)}/capture-profile"
    return _send("POST", path, ProfileResult, fields, take=lambda answer: answer.profile)


# -- files ---------------------------------------------------------------------------------------------------------


def request_upload_url(session_id: str, *, filename: str, content_type: str, size: int) -> ApiCall[UploadTarget]:
    """Return the address to which a file is sent with PUT."""
    fields = {"filename": filename, "content_type": content_type, "size": size}
    return _post(f"/v1/io/sessions/{_word(session_id)}/upload", UploadTarget, fields)


def notify_upload_complete(session_id: str, upload_id: str) -> ApiCall[UploadReport]:
    """Report that the whole file is sent; return its path."""
    return _post(f"/v1/io/sessions/{_word(session_id)}/upload/complete", UploadReport, {"upload_id": upload_id})


def request_download_url(session_id: str, *, path: str) -> ApiCall[DownloadTarget]:
    """Return the address from which a file of the session is read."""
    return _post(f"/v1/io/sessions/{_word(session_id)}/download", DownloadTarget, {"path": path})


# -- usage, commands -----------------------------------------------------------------------------------------------


def list_usage_identities() -> ApiCall[tuple[str, ...]]:
    """Return the names of definitions, projects and credentials with usage."""
    return _send("GET", "/v1/org/usage/identities", IdentitiesResult, take=lambda answer: answer.identities)


def get_usage(identity: str) -> ApiCall[IdentityUsageResult]:
    """Return usage per hour and model."""
    return _get(f"/v1/org/usage/identities/{_word(identity)}", IdentityUsageResult)


def run_command(name: str, /, **flags: Any) -> ApiCall[dict[str, Any]]:
    """Run a command of lisa (`session status`) with its flags; return its JSON answer."""
    path = "/commands/" + "/".join(map(_word, name.split()))
    return _build("POST", path, lambda body: decode_answer(body, dict[str, Any]), fields=flags)


def mint_token(api_key: str, *, oid: str = "", uid: str = "") -> ApiCall[str]:
    """Return a token for an API key."""
    pairs = {"secret": api_key, "oid": oid or "-", **({"uid": uid} if uid else {})}
    form = "&".join(f"{key}={_word(value)}" for key, value in pairs.items())
    return ApiCall(
        method="POST",
        path="/jwt",
        decode=lambda body: str(decode_answer(body, dict[str, Any]).get("jwt", "")),
        body=form.encode(),
        content_type="application/x-www-form-urlencoded",
        is_repeatable=True,
        needs_token=False,
    )
