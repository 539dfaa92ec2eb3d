"""Pool of OAuth tokens: one per session in turn, disabled on failure, never shown."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import digests
from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339, parse_time
from lisa_py.host.env import Settings
from lisa_py.host.run import run_program
from lisa_py.store.json_records import UnreadableRecord, load, recover
from lisa_py.store.paths import Project
from lisa_py.store.record import StoreRecord


class OAuthToken(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """One token in the pool file; times are RFC 3339, UTC, whole seconds."""

    id: str = ""
    token: str = ""
    command: str = ""
    """Shell command that prints the token from a password store; run at every spawn."""
    label: str = ""
    added_at: str = ""
    last_used_at: str = ""
    use_count: int = 0
    reserved_by: str = ""
    reserved_at: str = ""
    disabled: bool = False
    disabled_reason: str = ""
    disabled_at: str = ""
    enabled_at: str = ""
    """Time of the newest `oauth enable` or repeated `oauth add`: earlier failures no longer count."""
    last_failure_at: str = ""
    last_failure_reason: str = ""
    failure_count: int = 0


class TokenPool(Struct, kw_only=True, rename="camel"):
    """`oauth_tokens.json`."""

    version: int = 1
    next_index: int = 0
    tokens: list[OAuthToken] = []


class TokenAddResult(Struct, frozen=True, kw_only=True):
    """Result of adding a token."""

    id: str
    added: bool
    count: int
    recovered: str = ""
    """Path that a corrupt pool file was moved to."""


class TokenReservation(Struct, frozen=True, kw_only=True):
    """A token held for one spawn; `id` is empty if none is available."""

    id: str = ""
    token: str = ""
    warning: str = ""
    """Reason why no token is available."""


class TokenListItem(Struct, frozen=True, kw_only=True, rename="camel"):
    """A token without its secret."""

    id: str
    added_at: str
    next: bool
    last_used_at: str | UnsetType = UNSET
    use_count: int | UnsetType = UNSET
    label: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    """`command` if the token is read at every spawn."""
    disabled: bool | UnsetType = UNSET
    disabled_reason: str | UnsetType = UNSET
    disabled_at: str | UnsetType = UNSET
    last_failure_at: str | UnsetType = UNSET
    last_failure_reason: str | UnsetType = UNSET


def path(settings: Settings) -> str:
    return os.path.join(settings.state_dir, "oauth_tokens.json")


def make_id(secret: str) -> str:
    return "oauth-" + digests.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def list_tokens(settings: Settings, now: float) -> list[TokenListItem]:
    """Return the pool without its secrets. Raise UnreadableRecord; change nothing."""
    pool = _normalise(load(path(settings), TokenPool) or TokenPool())
    next_token = _find_next(pool, "", settings, now)
    return [_make_list_item(token, token is next_token) for token in pool.tokens]


def _make_list_item(token: OAuthToken, is_next: bool) -> TokenListItem:
    return TokenListItem(
        id=token.id,
        added_at=token.added_at,
        next=is_next,
        last_used_at=token.last_used_at or UNSET,
        use_count=token.use_count or UNSET,
        label=token.label or UNSET,
        source="command" if token.command else UNSET,
        disabled=token.disabled or UNSET,
        disabled_reason=token.disabled_reason or UNSET,
        disabled_at=token.disabled_at or UNSET,
        last_failure_at=token.last_failure_at or UNSET,
        last_failure_reason=token.last_failure_reason or UNSET,
    )


def add(settings: Settings, now: float, *, token: str = "", command: str = "", label: str = "") -> TokenAddResult:
    """Add a token, or the command that prints it; enable one that exists.

    Raises LisaError(state_lock_timeout | store_unwritable).
    """
    secret = token.strip()
    name = make_id("command:" + command) if command else make_id(secret)
    with _edit_pool(settings, now) as (pool, recovered):
        known = _find_by_id(pool, name)
        if known is not None:
            _enable(known, now)
            known.label = label or known.label
        else:
            pool.tokens.append(
                OAuthToken(id=name, token=secret, command=command, label=label, added_at=format_rfc3339(now))
            )
        return TokenAddResult(id=name, added=known is None, count=len(pool.tokens), recovered=recovered)


def remove(settings: Settings, now: float, token_id: str) -> bool:
    """Delete a token; return False if there is none of this id."""
    with _edit_pool(settings, now) as (pool, _):
        for index, token in enumerate(pool.tokens):
            if token.id == token_id:
                del pool.tokens[index]
                pool.next_index -= index < pool.next_index
                return True
        return False


def enable(settings: Settings, now: float, token_id: str) -> bool:
    """Enable a token; return False if there is none of this id."""
    with _edit_pool(settings, now) as (pool, _):
        token = _find_by_id(pool, token_id)
        if token is not None:
            _enable(token, now)
        return token is not None


def _enable(token: OAuthToken, now: float) -> None:
    token.disabled, token.disabled_reason, token.disabled_at = False, "", ""
    token.enabled_at = format_rfc3339(now)


def disable(settings: Settings, now: float, token_id: str, reason: str) -> bool:
    """Disable a token; return False if there is none of this id."""
    with _edit_pool(settings, now) as (pool, _):
        token = _find_by_id(pool, token_id)
        if token is not None:
            token.disabled, token.disabled_reason, token.disabled_at = True, reason, format_rfc3339(now)
        return token is not None


def quarantine(
    settings: Settings, now: float, token_id: str, reason: str, *, failed_at: float | None = None
) -> bool | None:
    """Disable a token that an agent reported as invalid; return False if it was not enabled.

    Return None, and leave it, if it was enabled after the failure: `oauth enable` reverts this.
    """
    with _edit_pool(settings, now) as (pool, _):
        token = _find_by_id(pool, token_id)
        if token is None or token.disabled:
            return False
        if failed_at is not None and failed_at <= (parse_time(token.enabled_at) or 0.0):
            return None
        _note_failure(token, reason, now)
        token.disabled, token.disabled_reason, token.disabled_at = True, reason, format_rfc3339(now)
        return True


def preview(settings: Settings, now: float) -> TokenReservation:
    """Return the token of the next spawn without its secret; write and raise nothing."""
    try:
        pool = _normalise(load(path(settings), TokenPool) or TokenPool())
    except UnreadableRecord as problem:
        return TokenReservation(warning=f"the token pool cannot be read: {problem}")
    token = _find_next(pool, "", settings, now)
    return TokenReservation(id=token.id) if token else TokenReservation(warning=_explain_no_token(pool))


def reserve(settings: Settings, now: float, run_id: str) -> TokenReservation:
    """Reserve the next free token for a run until it is consumed, released or expires. Never raises."""
    tried: set[str] = set()
    warning = ""
    try:
        while True:
            with _edit_pool(settings, now) as (pool, recovered):
                warning = f"the token pool was corrupt; it now lies in {recovered}" if recovered else warning
                token = _find_next(pool, run_id, settings, now, tried)
                if token is None:
                    return TokenReservation(warning=warning or _explain_no_token(pool))
                token.reserved_by, token.reserved_at = run_id, format_rfc3339(now)
            secret = token.token or _fetch_secret(token.command, settings)  # a password store may be slow: hold no lock
            if secret:
                return TokenReservation(id=token.id, token=secret, warning=warning)
            tried.add(token.id)
            warning = f"the command of token {token.id} printed none"
            _release_failed(settings, now, run_id)
    except LisaError as problem:
        return TokenReservation(warning=problem.message)


def _release_failed(settings: Settings, now: float, run_id: str) -> None:
    with _edit_pool(settings, now) as (pool, _):
        for token in pool.tokens:
            if token.reserved_by == run_id:
                token.reserved_by, token.reserved_at = "", ""
                _note_failure(token, "command_failed", now)


def consume(settings: Settings, now: float, run_id: str, token_id: str) -> None:
    """Count the use of a reserved token and advance to the next one.

    Raises LisaError(spawn_oauth_selection_failed) if this run no longer holds the token.
    """
    with _edit_pool(settings, now) as (pool, _):
        for index, token in enumerate(pool.tokens):
            if token.id == token_id and token.reserved_by == run_id:
                token.reserved_by, token.reserved_at = "", ""
                token.last_used_at = format_rfc3339(now)
                token.use_count += 1
                pool.next_index = (index + 1) % len(pool.tokens)
                return
    raise LisaError("spawn_oauth_selection_failed", f"token {token_id} was removed or taken while the session started")


def release(settings: Settings, now: float, run_id: str) -> None:
    """Release the token that a run has reserved, if any."""
    with _edit_pool(settings, now) as (pool, _):
        for token in pool.tokens:
            if token.reserved_by == run_id:
                token.reserved_by, token.reserved_at = "", ""


@contextlib.contextmanager
def _edit_pool(settings: Settings, now: float) -> Iterator[tuple[TokenPool, str]]:
    """Read, change and write the pool under its lock; write only changes."""
    files.ensure_private_dir(settings.state_dir)
    with files.lock(path(settings) + ".lock", timeout_ms=settings.state_lock_timeout_ms):
        found, recovered = recover(path(settings), TokenPool, now)
        before = msgspec.json.encode(found)
        pool = _normalise(found or TokenPool())
        yield pool, recovered
        after = msgspec.json.encode(_normalise(pool))
        if after != before and (found is not None or pool.tokens):
            files.write(path(settings), after)


def _normalise(pool: TokenPool) -> TokenPool:
    pool.version = max(1, pool.version)
    pool.tokens = [token for token in pool.tokens if token.token.strip() or token.command]
    for token in pool.tokens:
        token.id = token.id or (make_id("command:" + token.command) if token.command else make_id(token.token.strip()))
    if not 0 <= pool.next_index < len(pool.tokens):
        pool.next_index = 0
    return pool


def _find_by_id(pool: TokenPool, token_id: str) -> OAuthToken | None:
    return next((token for token in pool.tokens if token.id == token_id), None)


def _find_next(
    pool: TokenPool, run_id: str, settings: Settings, now: float, skipped: Collection[str] = ()
) -> OAuthToken | None:
    """Return the token held by this run, else the next enabled and free one."""
    order = pool.tokens[pool.next_index :] + pool.tokens[: pool.next_index]
    usable = [token for token in order if not token.disabled and token.id not in skipped]
    held = (token for token in usable if run_id and token.reserved_by == run_id)
    free = (token for token in usable if not _is_reserved(token, settings, now))
    return next(held, None) or next(free, None)


def _is_reserved(token: OAuthToken, settings: Settings, now: float) -> bool:
    """Return True until the reservation expires; one from the future is active, an unreadable one is not."""
    began = parse_time(token.reserved_at) if token.reserved_by else None
    return began is not None and now - began < settings.oauth_reservation_ttl_seconds


def _explain_no_token(pool: TokenPool) -> str:
    if not pool.tokens:
        return ""
    if all(token.disabled for token in pool.tokens):
        return "every token of the pool is disabled (lisa oauth list shows the reason, lisa oauth enable enables one)"
    return "every token of the pool is reserved by another spawn; the session has none"


def _fetch_secret(command: str, settings: Settings) -> str:
    ended = run_program(
        ["/bin/sh", "-c", command], timeout=settings.cmd_timeout_seconds, env=settings.environ, group=True
    )
    return ended.text.strip() if ended.code == 0 else ""


def _note_failure(token: OAuthToken, reason: str, now: float) -> None:
    token.last_failure_at, token.last_failure_reason = format_rfc3339(now), reason
    token.failure_count += 1


def _check(project: Project, settings: Settings) -> Iterator[str]:
    try:
        load(path(settings), TokenPool)
    except UnreadableRecord as problem:
        yield str(problem)


RECORD = StoreRecord(check=_check, snapshot=None, prune=None)
