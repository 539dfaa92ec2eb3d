"""The sources of the package, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TREE = Path(__file__).parents[2]
PACKAGE = TREE / "lisa_py"


@cache
def parse_modules() -> dict[Path, ast.Module]:
    """Return the syntax tree of every module by its path below lisa_py."""
    return {path.relative_to(PACKAGE): ast.parse(path.read_text(), str(path)) for path in sorted(PACKAGE.rglob("*.py"))}


def string_constants(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield the string values of a module, without docstrings and annotations."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            skipped.update(id(part) for part in ast.walk(node.value) if isinstance(node.value, ast.Constant))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node
