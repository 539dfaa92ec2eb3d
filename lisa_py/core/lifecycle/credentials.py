"""Credentials of a model provider: the stored key, the token pool, the environment, the agent's own login."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Struct

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.api_answers import ProviderCredential
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.session_settings import SessionSettings, is_reference
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import launch
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import credentials, oauth_tokens
from lisa_py.store.credentials import StoredKey
from lisa_py.store.json_records import UnreadableRecord

ERRORS = ("auth_store_read_failed", "auth_store_write_failed")
SOURCE_TITLES = {
    "stored": "a key stored by lisa",
    "pool": "the token pool (lisa oauth list)",
    "environment": "a variable of the environment",
    "agent": "the login of the agent itself",
}
"""Places of credentials in the order in which they count."""
PROVIDERS = ("anthropic", "openai", "google", "openrouter")
"""Providers whose credentials can be stored; agents run models of the first two."""


class CredentialStatus(Struct, frozen=True, kw_only=True):
    """The credential that a session of the user gets."""

    has_credentials: bool = False
    credential_type: str = ""
    """apikey or oauth_token; empty without a credential."""
    created_at: str = ""
    sources: tuple[str, ...] = ()
    """All places that hold one, the first counts: keys of SOURCE_TITLES."""


def find_agent(provider: str = "anthropic") -> Agent:
    """Return the agent whose credentials are managed."""
    return agents.find_by_provider(provider) or agents.get(agents.DEFAULT)


def read_status(ctx: Context, agent: Agent) -> CredentialStatus:
    """Return the credential for an agent. Raise LisaError(auth_store_read_failed)."""
    found: list[tuple[str, str, str]] = []
    stored = credentials.find(ctx.settings, agent.providers[0])
    if stored is not None:
        found.append(("stored", "apikey", stored.created_at))
    if agent.oauth_variable and (added_at := _find_pool_token(ctx)):
        found.append(("pool", "oauth_token", added_at))
    if any(ctx.settings.get(name) for name in agent.key_variables):
        found.append(("environment", "apikey", ""))
    if kind := agent.find_login(ctx.settings.environ):
        found.append(("agent", kind, ""))
    if not found:
        return CredentialStatus()
    _, kind, created_at = found[0]
    sources = tuple(source for source, _, _ in found)
    return CredentialStatus(has_credentials=True, credential_type=kind, created_at=created_at, sources=sources)


def require_login(ctx: Context, agent: Agent, settings: SessionSettings) -> None:
    """Refuse an agent without a credential, if lisa can know that. Raise LisaError(not_logged_in)."""
    is_known = type(agent).find_login is not Agent.find_login and not settings.credentials and not settings.environment
    is_installed = bool(launch.find_binary(agent, ctx.settings.environ))
    if is_known and is_installed and not read_status(ctx, agent).has_credentials:
        raise LisaError(
            "not_logged_in",
            f"{agent.title or agent.name} has no credential; log in with lisa auth claude login, store a key with lisa"
            " auth claude set-key, or log in with the agent itself",
            agent=agent.name,
        )


def _find_pool_token(ctx: Context) -> str:
    """Return the time at which the newest usable token was added; empty if there is none."""
    try:
        tokens = oauth_tokens.list_tokens(ctx.settings, ctx.clock.now())
    except UnreadableRecord:
        return ""
    return max((token.added_at for token in tokens if not token.disabled), default="")


def store_key(ctx: Context, agent: Agent, key: str) -> bool:
    """Store the key of an agent's provider, or a reference to it; return True if it replaces another.

    Raise UsageError(invalid_key), LisaError(auth_store_write_failed).
    """
    return store_credential(ctx, agent.providers[0], StoredKey(key=check_key(key)))


def check_key(key: str) -> str:
    """Return the key without space around it. Raise UsageError(invalid_key)."""
    word = key.strip()
    if not word or (not is_reference(word) and any(char.isspace() for char in word)):
        raise UsageError("invalid_key", f"invalid --key: {'it is empty' if not word else 'it contains white space'}")
    return word


def store_credential(ctx: Context, provider: str, credential: StoredKey) -> bool:
    """Store the credential of a provider; return True if it replaces another.

    Raise LisaError(auth_store_write_failed).
    """
    with credentials.registry(ctx.settings).change(ctx.settings, ctx.clock.now()) as opened:
        former = opened.content.providers.get(provider)
        made = msgspec.structs.replace(credential, created_at=format_rfc3339(ctx.clock.now()))
        opened.content.providers[provider] = made
    return former is not None


def remove_key(ctx: Context, agent: Agent) -> bool:
    """Remove the stored key; return False if there was none. Raise LisaError(auth_store_write_failed)."""
    return remove_credential(ctx, agent.providers[0])


def remove_credential(ctx: Context, provider: str) -> bool:
    """Remove the credential of a provider; return False if there was none. Raise LisaError(auth_store_write_failed)."""
    if credentials.find(ctx.settings, provider) is None:
        return False
    with credentials.registry(ctx.settings).change(ctx.settings, ctx.clock.now()) as opened:
        return opened.content.providers.pop(provider, None) is not None


def describe_removal(ctx: Context, agent: Agent, *, removed: bool) -> str:
    """Return what a logout did, and what is still there."""
    done = "key removed" if removed else "no key was stored"
    kept = ", ".join(SOURCE_TITLES[source] for source in read_status(ctx, agent).sources)
    return f"{done}; still there: {kept}" if kept else done


def read_providers(ctx: Context) -> dict[str, ProviderCredential]:
    """Return the credential of each provider: stored, or that of an agent for it.

    Raise LisaError(auth_store_read_failed).
    """
    found: dict[str, ProviderCredential] = {}
    for provider in PROVIDERS:
        stored, agent = credentials.find(ctx.settings, provider), agents.find_by_provider(provider)
        status = read_status(ctx, agent) if agent is not None else CredentialStatus()
        if stored is not None:
            found[provider] = ProviderCredential(
                has_credentials=True, type=stored.kind or "api_key", created_at=stored.created_at
            )
        elif status.has_credentials:
            kind = status.credential_type.replace("apikey", "api_key")
            found[provider] = ProviderCredential(has_credentials=True, type=kind, created_at=status.created_at or UNSET)
        else:
            found[provider] = ProviderCredential(has_credentials=False)
    return found


def remove_every_key(ctx: Context) -> None:
    """Remove the stored keys of all providers. Raise LisaError(auth_store_write_failed)."""
    if credentials.registry(ctx.settings).read().providers:
        with credentials.registry(ctx.settings).change(ctx.settings, ctx.clock.now()) as opened:
            opened.content.providers.clear()


def store_token(ctx: Context, agent: Agent, token: str) -> str:
    """Add a token of a login to the pool, in place of a stored key; return its id.

    Raise LisaError(auth_store_write_failed | store_unwritable | state_lock_timeout).
    """
    added = oauth_tokens.add(ctx.settings, ctx.clock.now(), token=token, label="login")
    remove_key(ctx, agent)
    return added.id


def add_stored_key(ctx: Context, agent: Agent, family: str, settings: SessionSettings) -> SessionSettings:
    """Return the settings with the stored key, for a session of the user without credentials of its own."""
    if family != "user" or settings.credentials or not agent.providers:
        return settings
    stored = credentials.find(ctx.settings, agent.providers[0])
    return settings if stored is None else msgspec.structs.replace(settings, credentials=_list_fields(stored))


def _list_fields(stored: StoredKey) -> dict[str, str]:
    kind = {"auth": stored.kind} if stored.kind else {}
    return {**stored.fields, **kind, **({"api_key": stored.key} if stored.key else {})}
