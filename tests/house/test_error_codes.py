"""Every error code that is raised is documented."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from lisa_py import commands
from lisa_py.contract.errors import COMMON_ERRORS
from tests.house.sources import parse_modules

RAISERS = ("LisaError", "UsageError")


def promised() -> set[str]:
    """Return the codes of all commands, of all flags, and the common ones."""
    codes = set(COMMON_ERRORS)
    for path in commands.paths():
        command = commands.load(path)
        assert command is not None
        codes |= {*command.error_codes, *(field.code for field in command.fields)}
    return codes


def raised(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in RAISERS and node.args:
            yield from _literal(node.args[0])
        for keyword in node.keywords:
            if keyword.arg == "error_code" or (keyword.arg == "code" and name in (*RAISERS, "TmuxUnavailable")):
                yield from _literal(keyword.value)


def _literal(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    if isinstance(node, ast.IfExp):
        yield from _literal(node.body)
        yield from _literal(node.orelse)


def test_every_code_that_is_raised_is_documented() -> None:
    """Every code is in COMMON_ERRORS or among the codes of a command."""
    known = promised()
    found = {str(path): sorted(set(raised(tree)) - known) for path, tree in parse_modules().items()}
    assert not {path: codes for path, codes in found.items() if codes}
