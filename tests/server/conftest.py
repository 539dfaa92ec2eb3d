"""One host and one server for a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lisa_host import LisaHost
from tests.server_kit import RunningServer, serving


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """Yield a server on a free port."""
    machine = LisaHost()
    try:
        with serving(machine, "--agent", "scripted", "--max-creations", "0") as running:
            running.register()
            yield running
    finally:
        machine.close()
