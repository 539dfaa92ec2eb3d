"""OpenAPI description of the API: its routes, one path per command, and the frames of its sockets."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from msgspec import NODEFAULT

from lisa_py import __version__, commands
from lisa_py.contract import jsontext, schema
from lisa_py.contract.command import Command, Field
from lisa_py.contract.errors import COMMON_ERRORS
from lisa_py.contract.live import HistoryFrame, LiveFrame, NoticeFrame
from lisa_py.contract.peer import PeerMessage
from lisa_py.dispatch import FORMATS
from lisa_py.server.failures import STATUS_BY_CODE, FailureBody
from lisa_py.server.route import Route

FRAMES = (HistoryFrame, LiveFrame, NoticeFrame)
"""Messages of sockets to their reader."""
LINES = "application/x-ndjson"
_JSON = "application/json"
_REFUSALS = {"foreign_host", "foreign_origin", "forbidden", "invalid_request", "too_large", "unauthorized"}
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_NAME_IN_PATH = re.compile(r"\{(\w+)(?::path)?\}")
_INTRODUCTION = """\
The sessions API of `lisa serve`, on this machine only. Every call needs the API key or a token of `POST /jwt` as
`Authorization: Bearer`; `X-LC-OID` names the project. Frames of WebSockets are HistoryFrame, LiveFrame
and NoticeFrame."""


class _Schemas:
    """The named schemas of the document."""

    def __init__(self) -> None:
        self.named: dict[str, Any] = {}

    def describe(self, kind: Any) -> Any:
        """Return the schema of a type; those of its structs are named."""
        if kind is Any or kind is None:
            return {}
        own, shared = schema.describe_type(kind)
        return self.adopt({**own, "$defs": shared})

    def adopt(self, described: schema.Schema) -> Any:
        """Return a schema whose definitions have become named ones."""
        own = dict(described)
        for name, made in own.pop("$defs", {}).items():
            self.named[name] = _move_references(made)
        return _move_references(own)


def _move_references(described: Any) -> Any:
    if isinstance(described, dict):
        return {
            key: value.replace("#/$defs/", "#/components/schemas/") if key == "$ref" else _move_references(value)
            for key, value in described.items()
        }
    return [_move_references(each) for each in described] if isinstance(described, list) else described


def build_document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI document."""
    schemas = _Schemas()
    for kind in (FailureBody, *FRAMES, PeerMessage):
        schemas.describe(kind)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if route.path != "/commands/{name:path}":
            path = _NAME_IN_PATH.sub(r"{\1}", route.path)
            paths.setdefault(path, {})[route.method.lower()] = _describe_route(route, schemas)
    for words in commands.paths():
        command = commands.load(words)
        if command is not None and not command.face:
            paths["/commands/" + "/".join(words)] = {"post": _describe_command(words, command, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "lisa sessions API", "version": __version__, "description": _INTRODUCTION},
        "paths": {path: paths[path] for path in sorted(paths)},
        "components": {
            "schemas": {name: schemas.named[name] for name in sorted(schemas.named)},
            "responses": _describe_statuses(),
            "parameters": {"format": {"name": "format", "in": "query", "schema": {"enum": list(FORMATS)}}},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _describe_route(route: Route, schemas: _Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": route.summary,
        "tags": [route.tag],
        "operationId": _NAME_IN_PATH.sub(r"\1", f"{route.method.lower()}{route.path}").replace("/", "_"),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in _NAME_IN_PATH.findall(route.path)
        ]
        + [{"name": name, "in": "query", "schema": {"type": "string"}} for name in route.query],
        "responses": {
            str(status): _describe_content(text, schemas.describe(route.answer))
            for status, text in {route.status: "the answer", **route.other_statuses}.items()
        },
    }
    common = ["foreign_host", "foreign_origin"]
    if route.access == "open":
        found["security"] = []
    else:
        common.append("unauthorized")
        found["security"] = [{"token": []}]
        found["x-scope"] = route.scope
    if route.scope == "control":
        common.append("forbidden")
    if "{" in route.path:
        common.append("not_found")
    if route.body is not None:
        found["requestBody"] = {"content": {_JSON: {"schema": schemas.describe(route.body)}}}
        common += ["invalid_request", "too_large", "validation_failed"]
    if route.takes_form:
        found["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}}
        common.append("too_large")
    found["responses"] |= _describe_failures({*common, *route.errors})
    found["x-error-codes"] = sorted({*common, *route.errors})
    return found


def _describe_command(words: Sequence[str], command: Command, schemas: _Schemas) -> dict[str, Any]:
    shapes = [schema.answer_schema(command), schema.min_schema(command)]
    members = [schemas.adopt(_drop_policy(each)) for each in shapes if each is not None]
    answer = members[0] if len(members) == 1 else {"anyOf": members}
    content: dict[str, Any] = {_JSON: {"schema": answer}}
    content[LINES] = {"schema": {"$ref": "#/components/schemas/PeerMessage"}}
    codes = {*COMMON_ERRORS, *command.error_codes}
    return {
        "summary": commands.summary(words),
        "tags": ["commands"],
        "operationId": "command_" + "_".join(words).replace("-", "_"),
        "security": [{"token": []}],
        "x-scope": "read" if command.reads else "control",
        "x-streams": command.events is not None,
        "parameters": [{"$ref": "#/components/parameters/format"}],
        "requestBody": {"content": {_JSON: {"schema": _describe_arguments(command)}}},
        "responses": {
            "200": {
                "description": "the answer, as `--json` or `--json-min` prints it; behind events, lines",
                "content": content,
            },
            **_describe_failures(codes | _REFUSALS),
        },
        "x-error-codes": sorted(codes),
    }


def _describe_arguments(command: Command) -> dict[str, Any]:
    described = {
        "type": "object",
        "properties": {field.name: _describe_field(field) for field in command.fields},
        "required": [field.name for field in command.fields if field.required],
        "additionalProperties": False,
    }
    properties: dict[str, Any] = described["properties"]  # type: ignore[assignment]
    properties["stdin"] = {"type": "string", "description": "standard input of the command"}
    return described


def _describe_field(field: Field) -> dict[str, Any]:
    found: dict[str, Any] = {"type": _TYPES.get(field.kind, "string"), "description": field.flag.help}
    if field.flag.choices:
        found["enum"] = list(field.flag.choices)
    if field.flag.minimum is not None:
        found["minimum"] = field.flag.minimum
    if field.flag.maximum is not None:
        found["maximum"] = field.flag.maximum
    if field.flag.repeatable:
        return {"type": "array", "items": {"type": "string"}, "description": field.flag.help}
    if field.default not in (NODEFAULT, None, ""):
        found["default"] = field.default
    return found


def _drop_policy(described: schema.Schema) -> schema.Schema:
    """Return the schema without the key that only the command line adds."""
    members = [
        {
            **member,
            "properties": {key: kind for key, kind in member["properties"].items() if key != "stderrPolicy"},
            "required": [key for key in member.get("required", ()) if key != "stderrPolicy"],
        }
        for member in described.get("anyOf", [described])
    ]
    return {**described, "anyOf": members} if "anyOf" in described else members[0]


def _describe_failures(codes: Iterable[str]) -> dict[str, Any]:
    """Return the refusals by status; a code without a status of its own is a wrong value (422) or a conflict (409)."""
    statuses = {STATUS_BY_CODE.get(code) for code in codes}
    known = {status for status in statuses if status is not None} | ({409, 422} if None in statuses else set())
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(known)}


def _describe_statuses() -> dict[str, Any]:
    refusal = {"$ref": "#/components/schemas/FailureBody"}
    statuses = sorted({*STATUS_BY_CODE.values(), 409, 422})
    return {str(status): _describe_content(HTTPStatus(status).phrase, refusal) for status in statuses}


def _describe_content(what: str, described: Any) -> dict[str, Any]:
    return {"description": what, "content": {_JSON: {"schema": described}}}


@functools.cache
def encode_document() -> bytes:
    """Return the document of all routes, as it is served."""
    from lisa_py.server.routes import list_routes  # noqa: PLC0415 - its route of this document imports this module

    return _format_document(build_document(list_routes()))


def _format_document(document: dict[str, Any]) -> bytes:
    """Return JSON with one line per path and per schema, so that changes can be compared."""
    parts = document["components"]
    lines = [
        f'"openapi": {_encode(document["openapi"])},',
        f'"info": {_encode(document["info"])},',
        f'"paths": {{\n{_format_members(document["paths"])}\n}},',
        '"components": {',
        ",\n".join(f'"{name}": {{\n{_format_members(parts[name])}\n}}' for name in parts),
        "}",
    ]
    return "\n".join(["{", *lines, "}", ""]).encode()


def _format_members(members: dict[str, Any]) -> str:
    return ",\n".join(f"{_encode(name)}: {_encode(described)}" for name, described in members.items())


def _encode(value: Any) -> str:
    return jsontext.encode(value).decode()
