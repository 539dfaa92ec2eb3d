"""HTTP status and body of a failure."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.api_errors import API_ERRORS
from lisa_py.contract.errors import LisaError, UsageError

STATUS_BY_CODE = {
    **{code: known.status for code, known in API_ERRORS.items()},
    "internal_error": 500,
    "invalid_cursor": 400,
    "invalid_request": 400,
    "definition_not_found": 404,
    "identity_not_found": 404,
    "max_profiles": 409,
    "profile_not_found": 404,
    "project_not_found": 404,
    "secret_not_found": 404,
    "session_not_found": 404,
    "too_many_requests": 429,
    "unknown_command": 404,
}
"""All other wrong values are 422, all other refusals 409."""


class FailureBody(Struct, frozen=True, kw_only=True):
    """The body of every failure."""

    error: str
    message: str
    details: dict[str, Any] | UnsetType = UNSET


def choose_status(problem: LisaError) -> int:
    found = STATUS_BY_CODE.get(problem.code)
    if found is not None:
        return found
    return 422 if isinstance(problem, UsageError) or problem.code.startswith("invalid_") else 409


def build_body(problem: LisaError) -> FailureBody:
    return FailureBody(error=problem.code, message=problem.message, details=problem.details or UNSET)
