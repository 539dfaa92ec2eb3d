"""version."""

from __future__ import annotations

import lisa_py
from tests.lisa_host import LisaHost


def test_every_spelling_prints_the_same_line(machine: LisaHost) -> None:
    line = f"lisa {lisa_py.__version__} (commit none, built unknown)\n"
    for word in ("version", "--version", "-version", "-v"):
        assert machine.lisa(word).out == line


def test_package_build_sets_commit_and_date(machine: LisaHost) -> None:
    build = {"LISA_BUILD_COMMIT": "abc", "LISA_BUILD_DATE": "2026-11-21"}
    answer = machine.lisa("version", "--json", env=build).json
    assert (answer["version"], answer["commit"], answer["date"]) == (lisa_py.__version__, "abc", "2026-11-21")
