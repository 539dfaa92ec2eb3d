"""The pool of OAuth tokens: handed out in turn, one per session, set aside when one fails, never shown."""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import os
import time
from collections.abc import Collection, Iterator

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.clock import rfc3339
from lisa_py.host.env import Settings
from lisa_py.host.run import run
from lisa_py.store.records import Unreadable, load, recover


class Token(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """One token as it lies in the pool file; times are RFC 3339, UTC, whole seconds."""

    id: str = ""
    token: str = ""
    command: str = ""
    """Prints the token, for those who keep it in a password store; asked at every spawn."""
    label: str = ""
    added_at: str = ""
    last_used_at: str = ""
    use_count: int = 0
    reserved_by: str = ""
    reserved_at: str = ""
    disabled: bool = False
    disabled_reason: str = ""
    disabled_at: str = ""
    last_failure_at: str = ""
    last_failure_reason: str = ""
    failure_count: int = 0


class Pool(Struct, kw_only=True, rename="camel"):
    """`oauth_tokens.json`."""

    version: int = 1
    next_index: int = 0
    tokens: list[Token] = []


class Added(Struct, frozen=True, kw_only=True):
    """What adding a token did."""

    id: str
    added: bool
    count: int
    recovered: str = ""
    """Where a corrupt pool file went."""


class Reservation(Struct, frozen=True, kw_only=True):
    """A token held for one spawn; `id` is empty when there is none to be had."""

    id: str = ""
    token: str = ""
    warning: str = ""
    """Why there is none, when there could be one."""


class Listed(Struct, frozen=True, kw_only=True, rename="camel"):
    """A token as it may be shown."""

    id: str
    added_at: str
    next: bool
    last_used_at: str | UnsetType = UNSET
    use_count: int | UnsetType = UNSET
    label: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    """`command` when the token is fetched at every spawn."""
    disabled: bool | UnsetType = UNSET
    disabled_reason: str | UnsetType = UNSET
    disabled_at: str | UnsetType = UNSET
    last_failure_at: str | UnsetType = UNSET
    last_failure_reason: str | UnsetType = UNSET


def path(settings: Settings) -> str:
    return os.path.join(settings.state_dir, "oauth_tokens.json")


def id_of(secret: str) -> str:
    return "oauth-" + hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def listed(settings: Settings, now: float) -> list[Listed]:
    """The pool without its secrets. Raises Unreadable; changes nothing."""
    pool = _tidied(load(path(settings), Pool) or Pool())
    following = _following(pool, "", settings, now)
    return [_shown(token, token is following) for token in pool.tokens]


def _shown(token: Token, is_next: bool) -> Listed:
    return Listed(
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


def add(settings: Settings, now: float, *, token: str = "", command: str = "", label: str = "") -> Added:
    """Put a token (or the command that prints it) into the pool; one that is there already is enabled again.

    Raises LisaError(state_lock_timeout | store_unwritable).
    """
    secret = token.strip()
    name = id_of("command:" + command) if command else id_of(secret)
    with _changing(settings, now) as (pool, recovered):
        known = _by_id(pool, name)
        if known is not None:
            known.disabled, known.disabled_reason, known.disabled_at = False, "", ""
            known.label = label or known.label
        else:
            pool.tokens.append(Token(id=name, token=secret, command=command, label=label, added_at=rfc3339(now)))
        return Added(id=name, added=known is None, count=len(pool.tokens), recovered=recovered)


def remove(settings: Settings, now: float, token_id: str) -> bool:
    """Forget a token for good; False when there is none of this id."""
    with _changing(settings, now) as (pool, _):
        for index, token in enumerate(pool.tokens):
            if token.id == token_id:
                del pool.tokens[index]
                pool.next_index -= index < pool.next_index
                return True
        return False


def enable(settings: Settings, now: float, token_id: str) -> bool:
    """Give a token out again, also one that was set aside; False when there is none of this id."""
    with _changing(settings, now) as (pool, _):
        token = _by_id(pool, token_id)
        if token is not None:
            token.disabled, token.disabled_reason, token.disabled_at = False, "", ""
        return token is not None


def disable(settings: Settings, now: float, token_id: str, reason: str) -> bool:
    """Keep a token but give it out no more; False when there is none of this id."""
    with _changing(settings, now) as (pool, _):
        token = _by_id(pool, token_id)
        if token is not None:
            token.disabled, token.disabled_reason, token.disabled_at = True, reason, rfc3339(now)
        return token is not None


def quarantine(settings: Settings, now: float, token_id: str, reason: str) -> bool:
    """Set a token aside because the agent that used it said it is no good; False when it was not in use.

    Nothing is lost: `oauth enable` brings it back.
    """
    with _changing(settings, now) as (pool, _):
        token = _by_id(pool, token_id)
        if token is None or token.disabled:
            return False
        _note_failure(token, reason, now)
        token.disabled, token.disabled_reason, token.disabled_at = True, reason, rfc3339(now)
        return True


def preview(settings: Settings, now: float) -> Reservation:
    """The token a spawn would get now, without its secret; nothing is written and nothing raised."""
    try:
        pool = _tidied(load(path(settings), Pool) or Pool())
    except Unreadable as problem:
        return Reservation(warning=f"the token pool cannot be read: {problem}")
    token = _following(pool, "", settings, now)
    return Reservation(id=token.id) if token else Reservation(warning=_why_none(pool))


def reserve(settings: Settings, now: float, run_id: str) -> Reservation:
    """Hold the next free token for a run, until consumed, released, or too old to be meant. Never raises."""
    tried: set[str] = set()
    complaint = ""
    try:
        while True:
            with _changing(settings, now) as (pool, recovered):
                complaint = f"the token pool was corrupt; it now lies in {recovered}" if recovered else complaint
                token = _following(pool, run_id, settings, now, tried)
                if token is None:
                    return Reservation(warning=complaint or _why_none(pool))
                token.reserved_by, token.reserved_at = run_id, rfc3339(now)
            secret = token.token or _fetched(token.command, settings)  # a password store may take its time: no lock
            if secret:
                return Reservation(id=token.id, token=secret, warning=complaint)
            tried.add(token.id)
            complaint = f"the command of token {token.id} printed none"
            _give_back_failed(settings, now, run_id)
    except LisaError as problem:
        return Reservation(warning=problem.message)


def _give_back_failed(settings: Settings, now: float, run_id: str) -> None:
    with _changing(settings, now) as (pool, _):
        for token in pool.tokens:
            if token.reserved_by == run_id:
                token.reserved_by, token.reserved_at = "", ""
                _note_failure(token, "command_failed", now)


def consume(settings: Settings, now: float, run_id: str, token_id: str) -> None:
    """The session runs with the reserved token: count it and let the next spawn take the next one.

    Raises LisaError(spawn_oauth_selection_failed) when this run does not hold the token any more.
    """
    with _changing(settings, now) as (pool, _):
        for index, token in enumerate(pool.tokens):
            if token.id == token_id and token.reserved_by == run_id:
                token.reserved_by, token.reserved_at = "", ""
                token.last_used_at = rfc3339(now)
                token.use_count += 1
                pool.next_index = (index + 1) % len(pool.tokens)
                return
    raise LisaError("spawn_oauth_selection_failed", f"token {token_id} was removed or taken while the session started")


def release(settings: Settings, now: float, run_id: str) -> None:
    """Give back what a run has reserved; harmless when it has nothing."""
    with _changing(settings, now) as (pool, _):
        for token in pool.tokens:
            if token.reserved_by == run_id:
                token.reserved_by, token.reserved_at = "", ""


@contextlib.contextmanager
def _changing(settings: Settings, now: float) -> Iterator[tuple[Pool, str]]:
    """Read, change and write the pool under its lock; nothing is written when nothing has changed."""
    files.private_dir(settings.state_dir)
    with files.lock(path(settings) + ".lock", timeout_ms=settings.state_lock_timeout_ms):
        found, recovered = recover(path(settings), Pool, now)
        before = msgspec.json.encode(found)
        pool = _tidied(found or Pool())
        yield pool, recovered
        after = msgspec.json.encode(_tidied(pool))
        if after != before and (found is not None or pool.tokens):
            files.write(path(settings), after)


def _tidied(pool: Pool) -> Pool:
    pool.version = max(1, pool.version)
    pool.tokens = [token for token in pool.tokens if token.token.strip() or token.command]
    for token in pool.tokens:
        token.id = token.id or (id_of("command:" + token.command) if token.command else id_of(token.token.strip()))
    if not 0 <= pool.next_index < len(pool.tokens):
        pool.next_index = 0
    return pool


def _by_id(pool: Pool, token_id: str) -> Token | None:
    return next((token for token in pool.tokens if token.id == token_id), None)


def _following(pool: Pool, run_id: str, settings: Settings, now: float, skipped: Collection[str] = ()) -> Token | None:
    """The one this run holds already, else the next in turn that is enabled and free."""
    order = pool.tokens[pool.next_index :] + pool.tokens[: pool.next_index]
    able = [token for token in order if not token.disabled and token.id not in skipped]
    held = (token for token in able if run_id and token.reserved_by == run_id)
    free = (token for token in able if not _reserved(token, settings, now))
    return next(held, None) or next(free, None)


def _reserved(token: Token, settings: Settings, now: float) -> bool:
    """A reservation is active until its time to live is over; one from the future is, an unreadable one is not."""
    if not token.reserved_by:
        return False
    try:
        began = calendar.timegm(time.strptime(token.reserved_at, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return False
    return now - began < settings.oauth_reservation_ttl_seconds


def _why_none(pool: Pool) -> str:
    if not pool.tokens:
        return ""
    if all(token.disabled for token in pool.tokens):
        return "every token of the pool is disabled (lisa oauth list says why, lisa oauth enable brings one back)"
    return "every token of the pool is reserved by another spawn; the session has none"


def _fetched(command: str, settings: Settings) -> str:
    ended = run(["/bin/sh", "-c", command], timeout=settings.cmd_timeout_seconds, env=settings.environ, group=True)
    return ended.text.strip() if ended.code == 0 else ""


def _note_failure(token: Token, reason: str, now: float) -> None:
    token.last_failure_at, token.last_failure_reason = rfc3339(now), reason
    token.failure_count += 1
