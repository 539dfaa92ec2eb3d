"""Fixtures for all tests."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

from tests.fleet import Fleet
from tests.lisa_host import DISK_FOLDER, LisaHost, find_test_folder
from tests.warm_start import WarmStart

# on full cores an example can take longer than 200 ms for reasons that are not the program's
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write", action="store_true", help="with the measurements: write docs/performance.md")
    parser.addoption("--warm", action="store_true", help="calls of the program are forked from a loaded one")


def pytest_configure(config: pytest.Config) -> None:
    # a run in the background of a script ignores Ctrl-C, and every program it starts would do so, too
    signal.signal(signal.SIGINT, signal.default_int_handler)
    LisaHost.warm = WarmStart() if config.getoption("--warm") else None
    measured = config.option.markexpr in ("bench", "soak")
    LisaHost.parent = DISK_FOLDER if measured else find_test_folder()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Return more workers than cores on small machines: tests of warm calls wait more than they compute."""
    cores = os.cpu_count() or 1
    return max(cores, min(3 * cores + 1, 8)) if config.getoption("--warm") else None


def pytest_collection() -> None:
    gc.disable()  # all that is collected stays


def pytest_collection_finish() -> None:
    gc.freeze()  # and need not be visited again by each full collection
    gc.enable()


def pytest_unconfigure() -> None:
    if LisaHost.warm is not None:
        LisaHost.warm.close()


@pytest.fixture
def machine() -> Iterator[LisaHost]:
    """Yield an isolated host, cleaned up afterwards."""
    made = LisaHost()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def fleet(machine: LisaHost) -> Fleet:
    """Return a starter of plain command sessions on the test's host."""
    return Fleet(machine)
