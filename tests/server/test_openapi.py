"""`GET /openapi`: the document of the reference, complete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lisa_py import commands
from lisa_py.server import openapi
from lisa_py.server.routes import list_routes
from tests.server_kit import RunningServer

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"


def test_served_document_is_that_of_the_reference(server: RunningServer) -> None:
    assert server.call("GET", "/openapi", token="").body == json.loads(PAGE.read_bytes())


def test_every_route_command_and_reference_is_there() -> None:
    document = openapi.build_document(list_routes())
    for route in list_routes():
        path = route.path.replace(":path}", "}")
        assert route.path.startswith("/commands/") or route.method.lower() in document["paths"][path]
    for words in commands.paths():
        command = commands.load(words)
        assert command is not None
        assert ("/commands/" + "/".join(words) in document["paths"]) is not bool(command.face)
    for kind in ("schemas", "responses", "parameters"):
        wanted = {name for name in _list_references(document) if name.startswith(f"#/components/{kind}/")}
        assert wanted <= {f"#/components/{kind}/{name}" for name in document["components"][kind]}
    assert {"HistoryFrame", "LiveFrame", "SessionEndPayload", "FailureBody"} <= document["components"]["schemas"].keys()


def test_scopes_and_arguments_of_commands_are_described() -> None:
    paths = openapi.build_document(list_routes())["paths"]
    kill, status = paths["/commands/session/kill"]["post"], paths["/commands/session/status"]["post"]
    assert (kill["x-scope"], status["x-scope"]) == ("control", "read")
    described = kill["requestBody"]["content"]["application/json"]["schema"]
    assert described["required"] == ["session"]
    assert described["properties"]["no_archive"]["type"] == "boolean"
    assert "session_not_found" in kill["x-error-codes"] and "404" in kill["responses"]


def _list_references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(_list_references, value.values()))
    return set().union(*map(_list_references, value)) if isinstance(value, list) else set()
