"""Tokens and dollars per hour of definitions, projects and credentials."""

from __future__ import annotations

from lisa_py.contract.client_answers import IdentitiesResult, IdentityUsageResult
from lisa_py.core.usage import hourly
from lisa_py.server.route import RestCall, Route

PATH = "/v1/org/usage/identities"


def list_identities(call: RestCall) -> IdentitiesResult:
    hourly.collect(call.ctx, call.project)
    return IdentitiesResult(identities=hourly.list_identities(call.ctx, call.project))


def get_usage(call: RestCall) -> IdentityUsageResult:
    """Return the usage of an identity. Raise LisaError(identity_not_found)."""
    hourly.collect(call.ctx, call.project)
    identity = call.path["identity"]
    return IdentityUsageResult(identity=identity, usage=hourly.read_known(call.ctx, call.project, identity))


ROUTES = (
    Route(
        method="GET", path=PATH, summary="Return the names under which usage is known", run=list_identities,
        answer=IdentitiesResult, tag="usage",
    ),
    Route(
        method="GET", path=PATH + "/{identity}", summary="Return the usage of one name per hour and model",
        run=get_usage, answer=IdentityUsageResult, errors=("identity_not_found",), tag="usage",
    ),
)  # fmt: skip
