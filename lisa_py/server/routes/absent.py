"""Routes of the hosted service that make no sense on one machine: each says why."""

from __future__ import annotations

import functools
from typing import NoReturn

from lisa_py.contract.errors import LisaError
from lisa_py.server.failures import FailureBody
from lisa_py.server.route import RestCall, Route

SERVICES = {
    "rules": "Detection rules",
    "sensors": "Sensors",
    "groups": "Groups",
    "billing": "Invoices",
    "usage": "Quotas",
    "outputs": "Outputs",
    "installationkeys": "Installation keys",
}
METHODS = ("GET", "POST", "DELETE")


def refuse_generation(call: RestCall) -> NoReturn:
    """Raise LisaError(not_found)."""
    raise LisaError("not_found", "queries and rules are not generated on this machine; ask an agent in a session")


def refuse_service(title: str, call: RestCall) -> NoReturn:
    """Raise LisaError(not_supported)."""
    raise LisaError("not_supported", f"{title} belong to the hosted service; lisa serve has sessions of this machine")


ROUTES = (
    Route(
        method="POST", path="/v1/ai/{kind:path}", summary="Not served: generation of queries and rules",
        run=refuse_generation, answer=FailureBody, status=404, errors=("not_found",), tag="absent", takes_form=True,
        scope="control",
    ),
    *(
        Route(
            method=method, path=f"/v1/{name}/{{rest:path}}", summary=f"Not served: {title.lower()}",
            run=functools.partial(refuse_service, title), answer=FailureBody, status=501, errors=("not_supported",),
            tag="absent", takes_form=True, scope="read" if method == "GET" else "control",
        )
        for name, title in SERVICES.items()
        for method in METHODS
    ),
)  # fmt: skip
