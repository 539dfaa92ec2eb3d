"""Fixtures for tests of the real agents: the fake model and a terminal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.agents_kit import Terminal
from tests.fakes.model_api import FakeModelApi


@pytest.fixture
def api() -> Iterator[FakeModelApi]:
    with FakeModelApi() as running:
        yield running


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal() as running:
        yield running
