"""Store an API key for claude."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.session_settings import is_reference
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import credentials


class Args(Struct, kw_only=True):
    key: Annotated[str, Flag(help="key, visible in `ps`, or a reference", metavar="KEY")] = ""
    key_from_stdin: Annotated[bool, Flag(help="key from standard input")] = False


class AuthSetKeyResult(Answer):
    replaced: bool
    """True if another stored key was replaced."""


def run(args: Args, ctx: Context) -> AuthSetKeyResult:
    if bool(args.key) == args.key_from_stdin:
        raise UsageError("invalid_key", "give one of --key and --key-from-stdin")
    if args.key and not is_reference(args.key):
        ctx.warn("auth warning: --key exposes the key in `ps` and the shell history; use --key-from-stdin")
    return AuthSetKeyResult(
        replaced=credentials.store_key(ctx, credentials.find_agent(), args.key or _read_stdin(ctx)),
    )


def _read_stdin(ctx: Context) -> str:
    try:
        return ctx.stdin().decode()
    except UnicodeDecodeError:
        raise UsageError("invalid_key", "invalid key: standard input is not UTF-8 text") from None


def text(answer: AuthSetKeyResult, args: Args) -> str:
    return "key replaced" if answer.replaced else "key stored"


COMMAND = Command(
    group="accounts",
    args=Args,
    answer=AuthSetKeyResult,
    run=run,
    text=text,
    errors=("invalid_key", *credentials.ERRORS),
    example='printf %s "$ANTHROPIC_API_KEY" | lisa auth claude set-key --key-from-stdin',
    notes="The key, or the reference (secret://NAME, env:NAME, file:PATH), is stored with mode 0600. Sessions of the"
    " user without credentials of their own use it; claude reads it from a private file of its session.",
)
