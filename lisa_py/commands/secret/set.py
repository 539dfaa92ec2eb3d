"""Store a secret from standard input under a name."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import jsontext
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import ProjectRoot, SecretName, SecretScope
from lisa_py.core.context import Context
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import secrets
from lisa_py.store.secrets import Secret


class Args(Struct, kw_only=True):
    name: SecretName
    scope: SecretScope = "user"
    project_root: ProjectRoot = ""


class SecretSetResult(Answer):
    name: str
    scope: str
    created: bool
    recovered: str | UnsetType = UNSET
    """Path that a corrupt store was moved to."""


def run(args: Args, ctx: Context) -> SecretSetResult:
    name = secrets.check_name(args.name)
    value = _read_value(ctx.stdin())
    store = secrets.registry(args.scope, ctx.project(args.project_root), ctx.settings)
    now = format_rfc3339(ctx.clock.now())
    with store.change(ctx.settings, ctx.clock.now()) as opened:
        former = opened.content.secrets.get(name)
        created_at = former.created_at if former else now
        opened.content.secrets[name] = Secret(value=value, created_at=created_at, updated_at=now)
    return SecretSetResult(name=name, scope=args.scope, created=former is None, recovered=opened.recovered or UNSET)


def _read_value(raw: bytes) -> str:
    """Return the text without its final newline, or the value in {"secret": V} or {"data": {"secret": V}}."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise _make_error("it is not UTF-8 text") from None
    value = _read_object(text)
    value = text.removesuffix("\n").removesuffix("\r") if value is None else value
    if not isinstance(value, str) or not value.strip():
        raise _make_error("standard input has no value")
    if len(raw) > secrets.MAX_BYTES:
        raise _make_error(f"it has more than {secrets.MAX_BYTES} bytes")
    if "\0" in value:
        raise _make_error("it contains a NUL character")
    return value


def _read_object(text: str) -> Any:
    """Return the value of an object that holds a secret, or None if the text is not such an object."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = jsontext.decode(text)
    except msgspec.DecodeError:
        return None
    data = found.get("data") if isinstance(found.get("data"), dict) else found
    return (data["secret"] or "") if "secret" in data else None


def _make_error(reason: str) -> UsageError:
    return UsageError("invalid_secret", f"the secret was not stored: {reason}; give it by standard input")


def text(answer: SecretSetResult, args: Args) -> str:
    return f"secret {'stored' if answer.created else 'replaced'}: {answer.name}"


COMMAND = Command(
    group="accounts",
    args=Args,
    answer=SecretSetResult,
    run=run,
    text=text,
    errors=("invalid_secret", "invalid_secret_name", "secret_store_write_failed"),
    example='printf %s "$SLACK_WEBHOOK" | lisa secret set --name slack-webhook',
    notes="Definitions, profiles and flags refer to it as secret://NAME or hive://secret/NAME; a secret of the project"
    ' precedes one of the user. Standard input may also be {"secret": "VALUE"} or {"data": {"secret": "VALUE"}}.',
)
