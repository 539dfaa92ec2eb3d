"""Show the usage of a definition, project or credential per hour."""

from __future__ import annotations

from typing import Annotated

from lisa_py.contract.client_answers import IdentityUsageResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, ClientArgs
from lisa_py.contract.command import Command, Flag
from lisa_py.core.context import Context
from lisa_py.core.fleet import client_sessions
from lisa_py.core.live import owned_sessions
from lisa_py.core.usage import hourly


class Args(ClientArgs, kw_only=True):
    identity: Annotated[str, Flag(help="name from lisa ai usage list", metavar="NAME")]


def run(args: Args, ctx: Context) -> IdentityUsageResult:
    root = owned_sessions.find_root(ctx, args.oid, args.project_root)
    project = client_sessions.choose_project(ctx, "org", args.oid, root)
    hourly.collect(ctx, project)
    return IdentityUsageResult(identity=args.identity, usage=hourly.read_known(ctx, project, args.identity))


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=IdentityUsageResult,
    run=run,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, "identity_not_found"),
    exits={code: EXITS[code] for code in (0, 1, 3)},
    example="lisa ai usage get --identity triage",
)
