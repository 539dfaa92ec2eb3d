"""Registration of the user."""

from __future__ import annotations

from lisa_py.contract.api_answers import DeregistrationResult, RegistrationResult
from lisa_py.core.fleet import account
from lisa_py.server.route import RestCall, Route
from lisa_py.store import registration


def register(call: RestCall) -> RegistrationResult:
    found = registration.ensure_registration(call.server.settings, call.ctx.clock.now())
    return RegistrationResult(registered=True, registered_at=found.registered_at)


def deregister(call: RestCall) -> DeregistrationResult:
    account.remove_data(call.ctx)
    return DeregistrationResult(deregistered=True)


ROUTES = (
    Route(
        method="POST", path="/v1/register", summary="Register the user; any number of times", scope="control",
        run=register, answer=RegistrationResult, tag="account",
    ),
    Route(
        method="DELETE", path="/v1/register", summary="End all chats and remove their records and the stored keys",
        run=deregister, answer=DeregistrationResult, scope="control", tag="account", pool="commands",
    ),
)  # fmt: skip
