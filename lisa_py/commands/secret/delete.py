"""Delete a secret."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.errors import LisaError
from lisa_py.contract.flags import ProjectRoot, SecretName, SecretScope
from lisa_py.core.context import Context
from lisa_py.store import secrets


class Args(Struct, kw_only=True):
    name: SecretName
    scope: SecretScope = "user"
    project_root: ProjectRoot = ""


class SecretDeleteResult(Answer):
    name: str
    scope: str
    deleted: bool = True


def run(args: Args, ctx: Context) -> SecretDeleteResult:
    name = secrets.check_name(args.name)
    store = secrets.registry(args.scope, ctx.project(args.project_root), ctx.settings)
    if name not in store.read().secrets:
        raise LisaError(
            "secret_not_found",
            f"secret not found: {name} in the store of the {args.scope} (lisa secret list shows the names)",
            secret=name,
        )
    with store.change(ctx.settings, ctx.clock.now()) as opened:
        opened.content.secrets.pop(name, None)
    return SecretDeleteResult(name=name, scope=args.scope)


def text(answer: SecretDeleteResult, args: Args) -> str:
    return f"secret deleted: {answer.name}"


COMMAND = Command(
    group="accounts",
    args=Args,
    answer=SecretDeleteResult,
    run=run,
    text=text,
    errors=("invalid_secret_name", "secret_not_found", "secret_store_read_failed", "secret_store_write_failed"),
    example="lisa secret delete --name slack-webhook",
)
