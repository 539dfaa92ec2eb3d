"""The sources of the package and of its tests, parsed once."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TREE = Path(__file__).parents[2]
PACKAGE = TREE / "lisa_py"


@cache
def parse_modules() -> dict[Path, ast.Module]:
    """Return the syntax tree of every module by its path below lisa_py."""
    return _parse(PACKAGE)


@cache
def parse_tests() -> dict[Path, ast.Module]:
    """Return the syntax tree of every module by its path below tests."""
    return _parse(TREE / "tests")


def _parse(folder: Path) -> dict[Path, ast.Module]:
    gc.disable()  # it would visit all trees again and again, which takes five times as long as parsing them
    try:
        return {
            path.relative_to(folder): ast.parse(path.read_text(), str(path)) for path in sorted(folder.rglob("*.py"))
        }
    finally:
        gc.freeze()
        gc.enable()


@cache
def walk(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Return the nodes of a module as ast.walk does, which a dozen rules ask for."""
    return tuple(ast.walk(tree))


def string_constants(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield the string values of a module, without docstrings and annotations."""
    skipped: set[int] = set()
    for node in walk(tree):
        if isinstance(node, ast.Expr):
            skipped.update(id(part) for part in ast.walk(node.value) if isinstance(node.value, ast.Constant))
    for node in walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node
