"""API keys and tokens of one hour: check, mint."""

from __future__ import annotations

import time
from typing import Any

import jwt
from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host import processes
from lisa_py.store.server_files import Scope, ServerKeys, find_scope

TOKEN_SECONDS = 3600
ALGORITHM = "HS256"
_CHECKS: Any = {"require": ["exp", "scope"], "verify_iat": False}
"""The time at which a token was made is not checked: it lies in the future of a clock that was set back."""


class Caller(Struct, frozen=True, kw_only=True):
    """Who sends a request, and what it may do."""

    scope: Scope
    oid: str = ""
    """Id of the project that the token is for; empty or `-`: none."""
    uid: str = ""
    is_key: bool = False
    """True if it sent the API key itself, not a token."""
    expires_at: float = 0.0
    """Unix time; 0 for a key."""


def mint_token(keys: ServerKeys, scope: Scope, *, oid: str, uid: str = "", expires_at: float = 0.0) -> str:
    """Return a signed token; it is valid for one hour, or until an earlier time."""
    now = time.time()
    end = min(now + TOKEN_SECONDS, expires_at) if expires_at else now + TOKEN_SECONDS
    claims = {
        "iat": int(now),
        "exp": int(end),
        "oid": oid,
        "uid": uid or str(processes.own_user_id()),
        "ident": "lisa",
        "scope": scope,
    }
    return jwt.encode(claims, keys.signing, algorithm=ALGORITHM)


def identify(keys: ServerKeys, secret: str) -> Caller:
    """Return the caller of a key or token. Raise LisaError(unauthorized)."""
    scope = find_scope(keys, secret)
    if scope is not None:
        return Caller(scope=scope, is_key=True)
    try:
        claims = jwt.decode(secret, keys.signing, algorithms=[ALGORITHM], options=_CHECKS)
    except (jwt.InvalidTokenError, ValueError, TypeError):
        raise LisaError("unauthorized", "the token is missing, wrong or expired; POST /jwt gives a new one") from None
    scope = "control" if claims["scope"] == "control" else "read"
    return Caller(
        scope=scope,
        oid=str(claims.get("oid") or ""),
        uid=str(claims.get("uid") or ""),
        expires_at=float(claims["exp"]),
    )
