"""The config store: definitions, secrets and plain records by name, as the limacharlie client reads and writes them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.hive import (
    HivePage,
    HiveRecord,
    HiveSchema,
    RecordMetadata,
    RemovedRecord,
    ValidationReport,
    WrittenRecord,
)
from lisa_py.core.definitions.hives import (
    PAGE_SIZE,
    RECORD_BYTES,
    SECRET,
    Hive,
    PageRequest,
    RecordChange,
    hide_values,
)
from lisa_py.server import bodies
from lisa_py.server.failures import choose_status
from lisa_py.server.route import ApiReply, RestCall, Route, read_number

PATH = "/v1/hive/{hive}/{oid}"
ONE = PATH + "/{key:path}"
CODES = {
    "record_not_found": "RECORD_NOT_FOUND",
    "etag_mismatch": "ETAG_MISMATCH",
    "invalid_cursor": "INVALID_CURSOR",
    "forbidden": "UNAUTHORIZED",
}
"""Codes by which the client knows what happened."""
FORM_BYTES = 4 * RECORD_BYTES + bodies.MAX_BYTES
"""Of a form: a byte of a record takes up to four in the JSON of the client."""
_QUERY = ("limit", "cursor", "mtd_only", "tag_prefix", "max_bytes")


def open_hive(call: RestCall) -> Hive:
    """Return the hive of the path. Raise LisaError(hive_not_found | project_not_found)."""
    return Hive(call.ctx, call.ctx.existing_project(call.folder), call.path["hive"])


def list_records(call: RestCall) -> Any:
    """Return all records, or with a limit a page; secrets without their values."""
    hive = open_hive(call)
    is_short = call.query.get("mtd_only") == "true" or hive.name == SECRET
    show = _shorten if is_short else functools.partial(_show, call)
    if "limit" not in call.query and "cursor" not in call.query:
        return {name: show(each) for name, each in hive.list_records().items()}
    page = hive.read_page(
        PageRequest(
            limit=read_number(call, "limit", PAGE_SIZE),
            cursor=call.query.get("cursor", ""),
            tag_prefix=call.query.get("tag_prefix", ""),
            max_bytes=read_number(call, "max_bytes", 0),
        )
    )
    return HivePage(
        records={name: show(each) for name, each in page.records.items()},
        next_cursor=page.next_cursor,
    )


def _shorten(record: HiveRecord) -> HiveRecord:
    return msgspec.structs.replace(record, data={})


def _show(call: RestCall, record: HiveRecord) -> HiveRecord:
    """Return a record as the caller may see it: a token that may only read gets no values that may be secrets."""
    return record if call.caller.scope == "control" else hide_values(record)


def get_record(call: RestCall) -> HiveRecord:
    """Return a record; the value of a secret only for control. Raise LisaError(forbidden)."""
    hive = open_hive(call)
    if hive.name == SECRET and call.caller.scope != "control":
        raise LisaError("forbidden", "the token may only read; the value of a secret needs one of scope control")
    return _show(call, hive.get(call.path["key"]))


def get_metadata(call: RestCall) -> HiveRecord:
    return _shorten(open_hive(call).get(call.path["key"]))


def write_record(call: RestCall) -> WrittenRecord:
    return open_hive(call).write(call.path["key"], _read_form(call))


def write_metadata(call: RestCall) -> WrittenRecord:
    change = _read_form(call, takes_data=False)
    return open_hive(call).write(call.path["key"], msgspec.structs.replace(change, data=None))


def validate_record(call: RestCall) -> ValidationReport:
    change = _read_form(call)
    open_hive(call).check(call.path["key"], change.data or {}, change.metadata)
    return ValidationReport(valid=True)


def rename_record(call: RestCall) -> WrittenRecord:
    """Give a record another name. Raise UsageError(validation_failed)."""
    new_name = call.query.get("new_name", "")
    if not new_name:
        raise UsageError("validation_failed", "new_name is missing", fields=["new_name"])
    return open_hive(call).rename(call.path["key"], new_name)


def remove_record(call: RestCall) -> RemovedRecord:
    open_hive(call).remove(call.path["key"])
    return RemovedRecord()


def get_schema(call: RestCall) -> HiveSchema:
    return HiveSchema(schema=open_hive(call).describe_schema())


def _read_form(call: RestCall, *, takes_data: bool = True) -> RecordChange:
    """Return the change of a form. Raise UsageError(validation_failed), LisaError(not_supported)."""
    form = dict(parse_qsl(call.raw.decode("utf-8", "replace"), keep_blank_values=True))
    if form.get("arl"):
        raise LisaError("not_supported", "records are not read from another place (arl) on this machine")
    if takes_data and "data" not in form:
        raise UsageError("validation_failed", "the form has no data", fields=["data"])
    metadata = _read_object(form["usr_mtd"], "usr_mtd") if form.get("usr_mtd") else None
    try:
        made = None if metadata is None else msgspec.convert(_drop_null(metadata), RecordMetadata)
    except msgspec.ValidationError as problem:
        raise UsageError("validation_failed", f"invalid usr_mtd: {problem}", fields=["usr_mtd"]) from None
    data = _read_object(form["data"], "data") if takes_data else None
    return RecordChange(data=data, metadata=made, etag=form.get("etag", ""))


def _drop_null(value: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in value.items() if each is not None}


def _read_object(text: str, field: str) -> dict[str, Any]:
    """Return the JSON object of a field. Raise UsageError(validation_failed)."""
    try:
        found = jsontext.decode(text)
    except msgspec.DecodeError as problem:
        raise UsageError("validation_failed", f"{field} is not JSON: {problem}", fields=[field]) from None
    if not isinstance(found, dict) or bodies.is_deeper(found, bodies.MAX_DEPTH):
        raise UsageError(
            "validation_failed", f"{field} is no JSON object of at most {bodies.MAX_DEPTH} levels", fields=[field]
        )
    return found


def _answer(run: Callable[[RestCall], Any], call: RestCall) -> Any:
    """Return the answer, or a failure in the words of the client."""
    try:
        return run(call)
    except LisaError as problem:
        code = CODES.get(problem.code)
        if code is None:
            raise
        text = f"lc_error_code:{code} - {problem.message}"
        body = {"error": text, "error_code": code, "message": problem.message}
        return ApiReply(choose_status(problem), body)


def _route(method: str, path: str, summary: str, run: Callable[[RestCall], Any], **fields: Any) -> Route:
    given = {"scope": "read" if method == "GET" else "control", "tag": "hive", **fields}
    if method == "POST":
        given |= {"takes_form": True, "max_bytes": FORM_BYTES}
    errors = ("hive_not_found", "project_not_found", *given.pop("errors", ()))
    return Route(method=method, path=path, summary=summary, run=functools.partial(_answer, run), errors=errors, **given)


_MISSING = ("record_not_found",)
_WRITE = ("definition_not_writable", "etag_mismatch", "invalid_definition", "validation_failed")
ROUTES = (
    _route("GET", "/v1/hive/{hive}/schema", "Return the JSON Schema of a hive", get_schema, answer=HiveSchema),
    _route("GET", PATH, "Return all records by name, or with a limit a page", list_records, answer=HivePage,
           query=_QUERY, errors=("invalid_cursor",)),
    _route("GET", ONE + "/data", "Return a record", get_record, answer=HiveRecord, errors=_MISSING),
    _route("GET", ONE + "/mtd", "Return the metadata of a record", get_metadata, answer=HiveRecord, errors=_MISSING),
    _route("POST", ONE + "/data", "Write a record (form: data, usr_mtd, etag)", write_record, answer=WrittenRecord,
           errors=_WRITE),
    _route("POST", ONE + "/mtd", "Write the metadata of a record (form: usr_mtd, etag)", write_metadata,
           answer=WrittenRecord, errors=(*_MISSING, *_WRITE)),
    _route("POST", ONE + "/validate", "Check a record without writing it (form: data, usr_mtd)", validate_record,
           answer=ValidationReport, errors=("invalid_definition", "validation_failed")),
    _route("POST", ONE + "/rename", "Give a record another name", rename_record, answer=WrittenRecord,
           query=("new_name",), errors=(*_MISSING, *_WRITE, "record_exists")),
    _route("DELETE", ONE, "Remove a record", remove_record, answer=RemovedRecord,
           errors=(*_MISSING, "definition_not_writable")),
)  # fmt: skip
