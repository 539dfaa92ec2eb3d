"""Error codes of the sessions API that no command has: HTTP status and meaning."""

from __future__ import annotations

from msgspec import Struct


class ApiErrorCode(Struct, frozen=True):
    """An error code of `lisa serve`."""

    status: int
    meaning: str


API_ERRORS: dict[str, ApiErrorCode] = {
    "foreign_host": ApiErrorCode(421, "the Host of the request is not the server"),
    "foreign_origin": ApiErrorCode(403, "a page of an origin that is not allowed sent the request"),
    "forbidden": ApiErrorCode(403, "the token may only read"),
    "method_not_allowed": ApiErrorCode(405, "the route has no such method"),
    "not_found": ApiErrorCode(404, "the API has no such route"),
    "too_large": ApiErrorCode(413, "the body is larger than allowed"),
    "unauthorized": ApiErrorCode(401, "the API key or token is missing, wrong or expired"),
    "validation_failed": ApiErrorCode(422, "a value of the body has a wrong type or range; `details.fields` names it"),
}
