"""docs/api.md: its routes exist, its diagram is what a client sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lisa_py import commands
from lisa_py.server import openapi, socket_tickets
from lisa_py.server.routes import list_routes
from tests.server_kit import RunningServer

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
METHODS = "GET|POST|PUT|PATCH|DELETE"
HOSTED = ("ai", "billing", "groups", "installationkeys", "outputs", "rules", "sensors", "usage")
NOT_SERVED = {f"/v1/{name}" for name in HOSTED}
"""Of the hosted service; the page names them by subject."""
SHOWN = ("session_status", "usage_delta")
"""Frames that the diagram leaves out."""


def list_named_routes() -> Iterator[tuple[str, str]]:
    """Yield method, if it is given, and path of each route that the page names."""
    for text in re.findall(r"`([^`\n]+)`", PAGE):
        found = re.fullmatch(rf"(?:({METHODS}) )?((?:\.\.\.)?/[a-z][\w/{{}}.-]*|\.\.\./\{{id\}}[\w/-]*)", text)
        if found:
            path = re.sub(r"^/v1/hive/\w+/", "/v1/hive/{hive}/", found[2].replace("...", "/v1/sessions"))
            yield found[1] or "", path


def test_every_route_of_the_page_exists() -> None:
    served = openapi.build_document(list_routes())["paths"]
    sockets = [path for both in socket_tickets.PATHS.values() for path in both]
    named = set(list_named_routes())
    assert len(named) > 25
    for method, path in named:
        if path.startswith("/commands/"):
            assert path.endswith("/NAME") or commands.load(tuple(path.split("/")[2:])) is not None, path
        elif path not in sockets:
            assert path in served, path
            assert not method or method.lower() in served[path], (method, path)


def test_every_group_of_routes_is_on_the_page() -> None:
    groups = {"/".join(path.split("/")[:3]) for path in openapi.build_document(list_routes())["paths"]}
    named = {"/".join(path.split("/")[:3]) for _, path in list_named_routes()}
    assert {group for group in groups if group.startswith("/v1/")} - NOT_SERVED - named == set()


def read_diagram() -> list[str]:
    """Return the frames that the server sends in the diagram, in order."""
    (diagram,) = re.findall(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)
    sent = re.findall(r"S-->>C: (.*)", diagram)
    return [word for text in sent for word in re.findall(r"[a-z_]+(?:\[\w+\])?", text) if "_" in word or word in FIRST]


FIRST = ("history", "user", "assistant", "result")


def name(frame: dict[str, object]) -> str:
    payload = frame["payload"]
    assert isinstance(payload, dict)
    return f"system[{payload['subtype']}]" if frame["type"] == "system" else str(frame["type"])


def test_diagram_is_what_a_client_sees(server: RunningServer) -> None:
    made = server.call("POST", "/v1/sessions", {"permission_mode": "acceptEdits"}).body["session"]
    with server.connect(made["id"]) as reader:
        assert reader.read()["type"] == "history"
        reader.send("prompt", text="[say I look] [ask touch a.txt]")
        asked = reader.read_until("tool_approval_request")
        reader.send("tool_approval_response", tool_use_id=asked["payload"]["tool_use_id"], approved=True)
        last = reader.read_until("result")
    server.call("DELETE", f"/v1/sessions/{made['id']}")
    with server.connect(made["id"], query=f"?since={last['cursor']}") as again:
        assert again.read_close() == 1000
    seen = [name(frame) for frame in (*reader.frames, *again.frames) if frame["type"] not in SHOWN]
    assert seen == read_diagram()
