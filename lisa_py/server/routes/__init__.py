"""Routes of the API, one file per subject; a module with ROUTES is registered.

Tests: tests/server, a file per subject.
"""

from __future__ import annotations

import importlib
import os

from lisa_py.host import files
from lisa_py.server.route import Route


def list_routes() -> list[Route]:
    """Return all routes, those with fixed words before those with names in their place."""
    names = sorted(name[:-3] for name in files.list_names(os.path.dirname(__file__)) if name.endswith(".py"))
    modules = [importlib.import_module(f"lisa_py.server.routes.{name}") for name in names if name != "__init__"]
    found = [route for module in modules for route in module.ROUTES]
    return sorted(found, key=lambda route: [word.startswith("{") for word in route.path.split("/")])
