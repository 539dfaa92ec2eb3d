"""Error codes of the sessions API that no command has: HTTP status and meaning."""

from __future__ import annotations

from msgspec import Struct


class ApiErrorCode(Struct, frozen=True):
    """An error code of `lisa serve`."""

    status: int
    meaning: str


API_ERRORS: dict[str, ApiErrorCode] = {
    "archive_gone": ApiErrorCode(410, "the conversation of the ended session is gone"),
    "definition_not_writable": ApiErrorCode(409, "the file of the definition holds more than this record; edit it"),
    "etag_mismatch": ApiErrorCode(409, "the record has changed since it was read"),
    "file_not_found": ApiErrorCode(404, "the folder of the session has no such file"),
    "forbidden": ApiErrorCode(403, "the token may only read"),
    "foreign_host": ApiErrorCode(421, "the Host of the request is not the server"),
    "foreign_origin": ApiErrorCode(403, "a page of an origin that is not allowed sent the request"),
    "header_too_large": ApiErrorCode(431, "the headers have over 16 kB"),
    "hive_not_found": ApiErrorCode(404, "the config store has no such hive on this machine"),
    "hive_store_read_failed": ApiErrorCode(409, "the records of the hive cannot be read"),
    "hive_store_write_failed": ApiErrorCode(409, "the records of the hive could not be written"),
    "invalid_message": ApiErrorCode(400, "a message of a WebSocket is no JSON object of a known type"),
    "login_not_found": ApiErrorCode(404, "no login of this id runs"),
    "max_sessions_reached": ApiErrorCode(409, "too many sessions are running; end one"),
    "method_not_allowed": ApiErrorCode(405, "the route has no such method"),
    "missing_tools": ApiErrorCode(412, "the copy would lack MCP servers of its source that the request does not name"),
    "no_credentials": ApiErrorCode(403, "no credential is stored for the agent of the session"),
    "not_found": ApiErrorCode(404, "the API has no such route"),
    "not_owner": ApiErrorCode(403, "a session of the project has no owner socket; it can be read at the org socket"),
    "not_registered": ApiErrorCode(403, "the user has not been registered, or not since the data was removed"),
    "not_supported": ApiErrorCode(501, "the API has no such thing on this machine"),
    "path_refused": ApiErrorCode(403, "the path leads out of the folder of the session"),
    "profile_exists": ApiErrorCode(409, "a profile of this name exists"),
    "rate_limited": ApiErrorCode(429, "too many requests; the header Retry-After has the seconds to wait"),
    "record_exists": ApiErrorCode(409, "the hive has a record of the new name"),
    "record_not_found": ApiErrorCode(400, "the hive has no such record; `error` is `lc_error_code:RECORD_NOT_FOUND`"),
    "session_ended": ApiErrorCode(409, "the session has ended"),
    "size_mismatch": ApiErrorCode(400, "the file has not the size that was announced"),
    "too_large": ApiErrorCode(413, "the body is larger than allowed"),
    "transfer_not_found": ApiErrorCode(404, "the address of the file is unknown, used or expired"),
    "unauthorized": ApiErrorCode(401, "the API key or token is missing, wrong or expired"),
    "validation_failed": ApiErrorCode(422, "a value of the body has a wrong type or range; `details.fields` names it"),
}
