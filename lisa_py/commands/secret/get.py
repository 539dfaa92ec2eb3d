"""Print the value of a secret."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import LisaError
from lisa_py.contract.flags import ProjectRoot, SecretName
from lisa_py.core.context import Context
from lisa_py.store import secrets


class Args(Struct, kw_only=True):
    name: SecretName
    no_value: Annotated[bool, Flag(help="times only")] = False
    project_root: ProjectRoot = ""


class SecretGetResult(Answer):
    name: str
    scope: str
    created_at: str
    updated_at: str
    value: str


def run(args: Args, ctx: Context) -> SecretGetResult:
    name = secrets.check_name(args.name)
    of_project = secrets.project_registry(ctx.project(args.project_root)).read().secrets.get(name)
    found = of_project or secrets.user_registry(ctx.settings).read().secrets.get(name)
    if found is None:
        raise LisaError("secret_not_found", f"secret not found: {name} (lisa secret list shows the names)", secret=name)
    return SecretGetResult(
        name=name,
        scope="project" if of_project else "user",
        created_at=found.created_at,
        updated_at=found.updated_at,
        value="" if args.no_value else found.value,
    )


def text(answer: SecretGetResult, args: Args) -> str:
    return f"{answer.name} ({answer.scope}, {answer.updated_at})" if args.no_value else answer.value


COMMAND = Command(
    group="accounts",
    args=Args,
    answer=SecretGetResult,
    run=run,
    text=text,
    errors=("invalid_secret_name", "secret_not_found", "secret_store_read_failed"),
    example="lisa secret get --name slack-webhook",
)
