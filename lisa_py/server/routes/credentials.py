"""Credentials of model providers for chats: keys, logins in a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from lisa_py.contract.api_answers import LoginCodeResult, LoginStartResult, LoginUrlResult, ProvidersResult
from lisa_py.contract.api_requests import AzureBody, KeyBody, LoginCodeBody, OpenaiBody, VertexBody
from lisa_py.contract.client_answers import CredentialChangeResult, CredentialsResult
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.core.lifecycle import credentials
from lisa_py.core.lifecycle.login import LIFETIME_SECONDS
from lisa_py.host.cancellation import Cancellation
from lisa_py.server.route import RestCall, Route
from lisa_py.store.credentials import StoredKey

CLAUDE = "/v1/auth/claude"


def is_client(call: RestCall) -> bool:
    """Return True for the limacharlie client, which spells two values in its own way."""
    return call.headers.get("user-agent", "").startswith("lc-cli/")


def read_status(call: RestCall) -> CredentialsResult:
    found = credentials.read_status(call.ctx, credentials.find_agent())
    kind = found.credential_type if is_client(call) else found.credential_type.replace("apikey", "api_key")
    return CredentialsResult(
        has_credentials=found.has_credentials, credential_type=kind or None, created_at=found.created_at or None
    )


def store_key(call: RestCall) -> CredentialChangeResult:
    return _store(call, "anthropic", "", call.read_body(KeyBody))


def _store(call: RestCall, provider: str, kind: str, body: Struct) -> CredentialChangeResult:
    """Store a credential; every field of the kind is needed. Raise UsageError(validation_failed)."""
    given: dict[str, str] = {field: getattr(body, field) for field in body.__struct_fields__}
    optional = () if kind else ("org_id", "project_id")
    empty = [field for field, value in given.items() if not value.strip() and field not in optional]
    if empty:
        raise UsageError("validation_failed", f"{empty[0]} is empty", fields=empty)
    key = given.pop("api_key", "")
    try:
        stored = StoredKey(
            key=credentials.check_key(key) if key else "",
            kind=kind,
            fields={field: value for field, value in given.items() if value},
        )
    except UsageError as problem:
        raise UsageError("validation_failed", problem.message.replace("--key", "api_key"), fields=["api_key"]) from None
    replaced = credentials.store_credential(call.ctx, provider, stored)
    return CredentialChangeResult(success=True, message="credential replaced" if replaced else "credential stored")


def remove_key(call: RestCall) -> CredentialChangeResult:
    agent = credentials.find_agent()
    removed = credentials.remove_key(call.ctx, agent)
    return CredentialChangeResult(success=True, message=credentials.describe_removal(call.ctx, agent, removed=removed))


def list_providers(call: RestCall) -> ProvidersResult:
    return ProvidersResult(providers=credentials.read_providers(call.ctx))


# -- login in a browser -------------------------------------------------------------------------------------------


def start_login(call: RestCall) -> LoginStartResult:
    """Start a login. Raise LisaError(rate_limited)."""
    flow = call.server.logins.start(
        lambda: call.server.make_context(cancellation=Cancellation()), credentials.find_agent()
    )
    message = f"GET {CLAUDE}/url?session_id={flow.id} until it has the address"
    return LoginStartResult(oauth_session_id=flow.id, expires_in=LIFETIME_SECONDS, message=message)


def read_url(call: RestCall) -> LoginUrlResult:
    """Return the address of a login, once it has one. Raise LisaError(login_not_found)."""
    flow = call.server.logins.find(call.query.get("session_id", ""))
    if flow.error:
        return LoginUrlResult(status="failed", message=flow.error)
    if not flow.url:
        return LoginUrlResult(status="pending", message="the login has not printed its address yet")
    return LoginUrlResult(
        status="ready" if is_client(call) else "url_ready", url=flow.url, message="open the address, then send the code"
    )


def send_code(call: RestCall) -> LoginCodeResult:
    """Finish a login. Raise LisaError(login_not_found), UsageError(validation_failed)."""
    body = call.read_body(LoginCodeBody)
    if not body.code.strip():
        raise UsageError("validation_failed", "code is empty", fields=["code"])
    try:
        token = call.server.logins.submit(body.session_id, body.code)
    except LisaError as problem:
        if problem.code not in ("auth_login_failed", "auth_login_timeout"):
            raise
        return LoginCodeResult(success=False, status="failed", message=problem.message)
    return LoginCodeResult(success=True, status="completed", message=f"token stored in the pool: {token}")


def _store_for(provider: str, kind: str) -> Callable[[RestCall], CredentialChangeResult]:
    return lambda call: _store(call, provider, kind, call.body)


def _remove_for(provider: str) -> Callable[[RestCall], CredentialChangeResult]:
    def remove(call: RestCall) -> CredentialChangeResult:
        removed = credentials.remove_credential(call.ctx, provider)
        return CredentialChangeResult(
            success=True, message="credential removed" if removed else "no credential was stored"
        )

    return remove


def _route(method: str, path: str, summary: str, run: Any, **fields: Any) -> Route:
    given = {
        "answer": CredentialChangeResult, "scope": "read" if method == "GET" else "control", "tag": "credentials",
        **({"errors": ("validation_failed",)} if "body" in fields else {}), **fields,
    }  # fmt: skip
    return Route(method=method, path=path, summary=summary, run=run, **given)


_STORED = (("openai", "", OpenaiBody), ("openrouter", "", KeyBody), ("google", "", KeyBody))
_CLOUDS = (("openai", "azure", AzureBody), ("google", "vertex", VertexBody))
ROUTES = (
    _route("GET", f"{CLAUDE}/status", "Return if chats have a credential", read_status, answer=CredentialsResult),
    _route("POST", f"{CLAUDE}/apikey", "Store the key of chats", store_key, body=KeyBody),
    _route("DELETE", CLAUDE, "Remove the stored key of chats", remove_key),
    _route("POST", f"{CLAUDE}/start", "Start a login", start_login, answer=LoginStartResult, errors=("rate_limited",)),
    _route(
        "GET", f"{CLAUDE}/url", "Return the address of a login", read_url, answer=LoginUrlResult, scope="control",
        query=("session_id",), errors=("login_not_found",),
    ),
    _route(
        "POST", f"{CLAUDE}/code", "Finish a login", send_code, body=LoginCodeBody, answer=LoginCodeResult,
        errors=("login_not_found", "validation_failed"), pool="commands",
    ),
    _route("GET", "/v1/credentials", "Return the credentials by provider", list_providers, answer=ProvidersResult),
    *(
        _route(
            "POST", f"/v1/credentials/{provider}", f"Store a key of {provider}", _store_for(provider, kind), body=body
        )
        for provider, kind, body in _STORED
    ),
    *(
        _route(
            "POST", f"/v1/credentials/{provider}/{kind}", f"Store a credential of {kind}", _store_for(provider, kind),
            body=body,
        )
        for provider, kind, body in _CLOUDS
    ),
    *(
        _route("DELETE", f"/v1/credentials/{provider}", f"Remove the credential of {provider}", _remove_for(provider))
        for provider, _, _ in _STORED
    ),
)  # fmt: skip
