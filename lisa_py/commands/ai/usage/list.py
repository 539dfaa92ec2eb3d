"""List the definitions, projects and credentials with usage."""

from __future__ import annotations

from lisa_py.contract.client_answers import IdentitiesResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, ClientArgs
from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.core.fleet import client_sessions
from lisa_py.core.live import owned_sessions
from lisa_py.core.usage import hourly


class Args(ClientArgs, kw_only=True):
    """No flags of its own."""


def run(args: Args, ctx: Context) -> IdentitiesResult:
    root = owned_sessions.find_root(ctx, args.oid, args.project_root)
    project = client_sessions.choose_project(ctx, "org", args.oid, root)
    hourly.collect(ctx, project)
    return IdentitiesResult(identities=hourly.list_identities(ctx, project))


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=IdentitiesResult,
    run=run,
    document=lambda answer, args: answer,
    errors=OUTPUT_ERRORS,
    exits={code: EXITS[code] for code in (0, 1)},
    example="lisa ai usage list",
)
