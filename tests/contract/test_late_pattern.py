"""Patterns that are compiled at their first use."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import lisa_py
from lisa_py.contract.late_pattern import LatePattern, compile_late


def test_late_pattern_equals_the_pattern() -> None:
    late, pattern = compile_late(r"(?P<n>\d+)", re.ASCII), re.compile(r"(?P<n>\d+)", re.ASCII)
    assert late.sub("#", "a1b22") == pattern.sub("#", "a1b22") == "a#b#"
    assert (late.pattern, late.flags, late.groupindex) == (pattern.pattern, pattern.flags, pattern.groupindex)
    match = late.search("a1")
    assert match is not None and match["n"] == "1" and late.search is late.search


def test_nothing_is_compiled_before_the_first_use() -> None:
    broken = compile_late("(")
    with pytest.raises(re.error):
        broken.match("x")
    with pytest.raises(AttributeError):
        _ = compile_late("x").no_such_method  # type: ignore[attr-defined]


def find_patterns(value: Any) -> Iterator[re.Pattern[str]]:
    if isinstance(value, LatePattern):
        yield value  # type: ignore[misc]
    elif isinstance(value, tuple):
        for part in value:
            yield from find_patterns(part)


def test_every_late_pattern_of_the_package_compiles() -> None:
    for module in pkgutil.walk_packages(lisa_py.__path__, "lisa_py."):
        if not module.name.startswith(("lisa_py.pane", "lisa_py.cli.boot", "lisa_py.__main__")):
            importlib.import_module(module.name)
    loaded = (module for name, module in list(sys.modules.items()) if name.startswith("lisa_py."))
    found = [pattern for module in loaded for value in vars(module).values() for pattern in find_patterns(value)]
    assert len(found) > 40
    for each in found:
        assert isinstance(each.pattern, str)
