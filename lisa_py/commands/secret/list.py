"""List the names of secrets, never their values."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.flags import ProjectRoot
from lisa_py.core.context import Context
from lisa_py.store import secrets


class Args(Struct, kw_only=True):
    project_root: ProjectRoot = ""


class SecretItem(Answer):
    """A secret without its value."""

    name: str
    scope: str
    created_at: str
    updated_at: str


class SecretListResult(Answer):
    count: int
    secrets: tuple[SecretItem, ...]


def run(args: Args, ctx: Context) -> SecretListResult:
    stores = {
        "project": secrets.project_registry(ctx.project(args.project_root)),
        "user": secrets.user_registry(ctx.settings),
    }
    found = tuple(
        SecretItem(name=name, scope=scope, created_at=secret.created_at, updated_at=secret.updated_at)
        for scope, store in stores.items()
        for name, secret in sorted(store.read().secrets.items())
    )
    return SecretListResult(count=len(found), secrets=found)


def text(answer: SecretListResult, args: Args) -> str:
    return "\n".join(f"{each.name},{each.scope},{each.updated_at}" for each in answer.secrets) or "no secrets stored"


COMMAND = Command(
    group="accounts",
    reads=True,
    args=Args,
    answer=SecretListResult,
    run=run,
    text=text,
    errors=("secret_store_read_failed",),
    example="lisa secret list --json",
)
