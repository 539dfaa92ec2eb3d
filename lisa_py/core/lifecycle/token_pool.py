"""Change one token of the pool."""

from __future__ import annotations

from collections.abc import Callable

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context


def change_token(ctx: Context, identity: str, change: Callable[..., bool], *values: str) -> str:
    """Change a token by a function of the store; return its id.

    Raise LisaError: oauth_token_not_found, or oauth_NAME_failed by the name of the function.
    """
    token_id = identity.strip()
    try:
        found = change(ctx.settings, ctx.clock.now(), token_id, *values)
    except LisaError as problem:
        code = f"oauth_{change.__name__}_failed"
        raise LisaError(code, f"the pool could not be changed: {problem.message}") from problem
    if not found:
        raise LisaError("oauth_token_not_found", f"no such token: {token_id} (lisa oauth list shows them)")
    return token_id
