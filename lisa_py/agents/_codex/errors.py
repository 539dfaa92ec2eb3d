"""Classify errors that codex records and shows."""

from __future__ import annotations

from typing import Any

from lisa_py.contract.frames import ErrorKind
from lisa_py.contract.late_pattern import compile_late
from lisa_py.contract.status import WaitingFor

_BY_NAME: dict[str, ErrorKind] = {
    "usage_limit_exceeded": "usage_limit",
    "session_budget_exceeded": "usage_limit",
    "context_window_exceeded": "too_long",
    "server_overloaded": "overloaded",
    "internal_server_error": "server",
    "unauthorized": "auth",
    "bad_request": "bad_request",
    "model_not_found": "not_found",
    "response_stream_connection_failed": "network",
    "response_stream_disconnected": "network",
    "http_connection_failed": "network",
}
_BY_STATUS: dict[int, ErrorKind] = {
    400: "bad_request",
    401: "auth",
    402: "billing",
    403: "permission",
    404: "not_found",
    413: "too_long",
    429: "rate_limit",
    503: "overloaded",
    529: "overloaded",
}
_BY_TEXT: tuple[tuple[str, ErrorKind], ...] = (
    ("usage limit", "usage_limit"),
    ("insufficient_quota", "billing"),
    ("quota exceeded", "billing"),
    ("credit balance", "billing"),
    ("at capacity", "overloaded"),
    ("context window", "too_long"),
    ("context_length", "too_long"),
    ("unauthorized", "auth"),
    ("rate limit", "rate_limit"),
    ("too many requests", "rate_limit"),
    ("server is busy", "overloaded"),
    ("high demand", "server"),
    ("no such model", "not_found"),
    ("invalid_request_error", "bad_request"),
    ("stream disconnected", "network"),
    ("stream closed", "network"),
    ("error sending request", "network"),
    ("connection refused", "network"),
    ("timed out", "network"),
)
_STATUS = compile_late(r"\bstatus(?: code)?:? (\d{3})\b")


def classify_error(info: Any, message: str) -> ErrorKind:
    """Return the error kind by codex's own error word, the HTTP status, or the message."""
    name, inner = _split_error_info(info)
    status = inner.get("http_status_code") if isinstance(inner, dict) else None
    if isinstance(status, int) and (by_status := _classify_status(status)):
        return by_status
    if name in _BY_NAME:
        return _BY_NAME[name]
    low = message.lower()
    found = _STATUS.search(low)
    if found and (by_status := _classify_status(int(found[1]))):
        return by_status
    return next((kind for words, kind in _BY_TEXT if words in low), "unknown")


def error_waiting_for(kind: str) -> WaitingFor:
    """Return the cause of waiting after an error: a limit, or the user's attention."""
    return "limit" if kind in ("usage_limit", "rate_limit", "billing") else "error"


def _split_error_info(info: Any) -> tuple[str, Any]:
    if isinstance(info, str):
        return info, None
    if isinstance(info, dict) and info:
        name, inner = next(iter(info.items()))
        return str(name), inner
    return "", None


def _classify_status(status: int) -> ErrorKind:
    return _BY_STATUS.get(status) or ("server" if status >= 500 else "")
