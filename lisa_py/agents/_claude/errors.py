"""Classify errors that claude reports in its transcript, its hooks or on its screen."""

from __future__ import annotations

from typing import Any

from lisa_py.contract.frames import ErrorKind
from lisa_py.contract.late_pattern import compile_late

BY_NAME: dict[str, ErrorKind] = {
    "authentication_failed": "auth",
    "oauth_org_not_allowed": "auth",
    "account_on_hold": "auth",
    "verification_required": "auth",
    "cloud_credential_error": "auth",
    "billing_error": "billing",
    "rate_limit": "rate_limit",
    "overloaded": "overloaded",
    "invalid_request": "bad_request",
    "model_not_found": "not_found",
    "max_output_tokens": "too_long",
    "server_error": "server",
}
_BY_STATUS: dict[int, ErrorKind] = {
    400: "bad_request",
    401: "auth",
    403: "permission",
    404: "not_found",
    413: "too_long",
    429: "rate_limit",
    529: "overloaded",
}
_BY_TEXT: tuple[tuple[str, ErrorKind], ...] = (
    ("prompt is too long", "too_long"),
    ("context limit", "too_long"),
    ("credit balance", "billing"),
    ("usage limit", "usage_limit"),
    ("you've hit your", "usage_limit"),
    ("you've reached your", "usage_limit"),
    ("out of usage credits", "usage_limit"),
    ("out of extra usage", "usage_limit"),
    ("limit reached", "usage_limit"),
    ("overloaded", "overloaded"),
    ("invalid_grant", "auth"),
    ("oauth token has expired", "auth"),
    ("oauth token has been revoked", "auth"),
    ("oauth token refresh failed", "auth"),
)
"""Texts that are more specific than their HTTP status."""
_BY_WEAK_TEXT: tuple[tuple[str, ErrorKind], ...] = (
    ("invalid api key", "auth"),
    ("/login", "auth"),
    ("selected model", "not_found"),
    ("connection", "network"),
    ("unable to connect", "network"),
    ("timed out", "network"),
    ("network", "network"),
    ("stream", "network"),
)
"""Texts that decide without a status."""
_STATUS = compile_late(r"(?:API Error: |\(|^)([45]\d\d)\b")


def classify_error(name: str, status: Any, text: str) -> ErrorKind:
    """Return the error kind by the text, the HTTP status (possibly in the text) and claude's own error word."""
    low = text.lower()
    for fragment, kind in _BY_TEXT:
        if fragment in low:
            return kind
    status_in_text = _STATUS.search(text)
    number = status if isinstance(status, int) else int(status_in_text[1]) if status_in_text else 0
    if number:
        return _BY_STATUS.get(number, "server" if number >= 500 else "unknown")
    for fragment, kind in _BY_WEAK_TEXT:
        if fragment in low:
            return kind
    return BY_NAME.get(name, "unknown")
