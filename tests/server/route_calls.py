"""Calls of every declared route, so that a new one is covered by the tests of all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from lisa_py.server.route import Route
from lisa_py.server.routes import list_routes
from tests.server_kit import HttpReply, RunningServer

_WRONG_VALUES: tuple[Any, ...] = ({"a": [1]}, 5, "x", [[1]], True)


def fill_path(route: Route, word: str = "none") -> str:
    """Return the path with a word in place of every name; of a command, one that exists."""
    return re.sub(r"\{\w+(:path)?\}", "session/kill-all" if "{name:path}" in route.path else word, route.path)


def list_guarded() -> list[Route]:
    """Return the routes that need a token."""
    return [route for route in list_routes() if route.access != "open"]


def list_with_body() -> list[Route]:
    return [route for route in list_routes() if route.body is not None]


def call_route(server: RunningServer, route: Route, word: str = "none", **more: Any) -> HttpReply:
    return server.call(route.method, fill_path(route, word), **more)


def list_wrong_bodies(kind: type[msgspec.Struct]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield for each field its name in JSON and a body in which it has a wrong type."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    hints = {field.name: field for field in msgspec.structs.fields(kind)}
    for field in info.fields:
        for value in _WRONG_VALUES:
            try:
                msgspec.convert(value, hints[field.name].type, strict=True)
            except msgspec.ValidationError:
                yield field.encode_name, {field.encode_name: value}
                break
