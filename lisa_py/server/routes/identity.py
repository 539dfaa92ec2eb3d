"""Discovery and identity: where the API is, tokens, who calls."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from msgspec import Struct
from starlette.responses import Response

from lisa_py.contract.errors import LisaError
from lisa_py.server import openapi, tokens
from lisa_py.server.route import RestCall, Route
from lisa_py.store import server_files


class ServiceUrls(Struct, frozen=True):
    """Addresses by service."""

    ai: str


class UrlAnswer(Struct, frozen=True):
    """The address of the sessions API."""

    url: ServiceUrls


class TokenAnswer(Struct, frozen=True):
    """A token of one hour."""

    jwt: str


class CallerAnswer(Struct, frozen=True, kw_only=True):
    """The caller of the token."""

    ident: str
    uid: str
    perms: tuple[str, ...]
    orgs: tuple[str, ...]


READ_PERMISSIONS = ("ai_agent.get", "ai_agent.get.mtd", "secret.get.mtd")
CONTROL_PERMISSIONS = (
    "ai_agent.set", "ai_agent.del", "ai_agent.set.mtd", "ai_agent.operate", "secret.get", "secret.set", "secret.del",
)  # fmt: skip


def read_document(call: RestCall) -> Response:
    return Response(openapi.encode_document(), media_type="application/json")


def find_url(call: RestCall) -> UrlAnswer:
    return UrlAnswer(ServiceUrls(ai=call.server.url))


def mint(call: RestCall) -> TokenAnswer:
    """Return a token for an API key in a form. Raise LisaError(unauthorized)."""
    form = {key: values[-1] for key, values in parse_qs(call.raw.decode("utf-8", "replace")).items()}
    scope = server_files.find_scope(call.server.keys, form.get("secret", ""))
    if scope is None:
        raise LisaError("unauthorized", "the API key is missing or wrong; lisa serve --client-env prints it")
    expiry = form.get("expiry", "")
    made = tokens.mint_token(
        call.server.keys,
        scope,
        oid=form.get("oid", ""),
        uid=form.get("uid", ""),
        expires_at=float(expiry) if expiry.isdigit() else 0.0,
    )
    return TokenAnswer(made)


def describe_caller(call: RestCall) -> CallerAnswer:
    granted = (*READ_PERMISSIONS, *(CONTROL_PERMISSIONS if call.caller.scope == "control" else ()))
    return CallerAnswer(
        ident="lisa", uid=call.caller.uid, perms=tuple(sorted(granted)), orgs=(call.oid,) if call.oid else ()
    )


ROUTES = (
    Route(
        method="GET", path="/openapi", summary="Return the OpenAPI document of this API",
        run=read_document, answer=dict[str, Any], access="open", pool="commands", tag="identity",
    ),
    Route(
        method="GET", path="/v1/orgs/{oid}/url", summary="Return the address of the sessions API",
        run=find_url, answer=UrlAnswer, access="open", tag="identity",
    ),
    Route(
        method="POST", path="/jwt", summary="Return a token for an API key (form: secret, oid, uid, expiry)",
        run=mint, answer=TokenAnswer, access="open", takes_form=True, errors=("unauthorized",), tag="identity",
    ),
    Route(
        method="GET", path="/v1/who", summary="Return the caller and its permissions",
        run=describe_caller, answer=CallerAnswer, tag="identity",
    ),
)  # fmt: skip
