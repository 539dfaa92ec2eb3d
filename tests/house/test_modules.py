"""Rules that every module follows."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator

import pytest

from lisa_py import agents
from lisa_py.agents._claude.settings import EVENTS as claude_hooks
from lisa_py.agents._codex.hooks import EVENTS as codex_hooks
from tests.house.sources import PACKAGE, TREE, parse_modules, string_constants, walk


def test_modules_begin_with_a_docstring() -> None:
    first = {path: (ast.get_docstring(tree) or "").partition("\n")[0] for path, tree in parse_modules().items()}
    assert len(first) > 30
    assert not {str(path): line for path, line in first.items() if not line.endswith((".", "?"))}


def test_packages_name_the_place_of_their_tests() -> None:
    texts = {
        path: ast.get_docstring(tree) or "" for path, tree in parse_modules().items() if path.name == "__init__.py"
    }
    assert len(texts) > 50
    found = {path: re.findall(r"tests/[\w/*]+(?:\.py)?", text.partition("Tests: ")[2]) for path, text in texts.items()}
    assert not [str(path) for path, places in found.items() if not places]
    missing = [f"{path}: {place}" for path, places in found.items() for place in places if not list(TREE.glob(place))]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("page", ["README.md", "docs/contributing.md"])
def test_layout_of_a_page_names_every_core_package(page: str) -> None:
    text = (TREE / page).read_text(encoding="utf-8").partition("## Package layout")[2].partition("\n## ")[0]
    packages = {path.parts[1].removesuffix(".py") for path in parse_modules() if path.parts[0] == "core"}
    assert len(packages) > 20
    assert not [name for name in packages - {"__init__"} if not re.search(rf"\b{name}\b", text)]


def test_only_the_command_line_prints() -> None:
    """Programs that run in a pane print too."""
    inner = {
        path: list(walk(tree))
        for path, tree in parse_modules().items()
        if path.parts[0] not in ("cli", "pane", "peer", "server")
    }
    printing = {str(path) for path, nodes in inner.items() for node in nodes if _is_print(node)}
    assert not printing


def _is_print(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id == "print"
    return isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr") and _of_sys(node.value)


def _of_sys(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "sys"


def test_agents_are_named_in_agent_files_only() -> None:
    """Other code uses lisa_py.agents: DEFAULT, names(), get()."""
    named = {
        f"{path}:{word.lineno}"
        for path, tree in parse_modules().items()
        for word in string_constants(tree)
        if path.parts[0] not in ("agents", "pane") and word.value.strip().lower() in agents.names()
    }
    assert not named


def test_hooks_are_named_in_agent_files_only() -> None:
    """Other code uses the turn_edge method of the agent."""
    hooks = {*claude_hooks, *codex_hooks}
    named = {
        f"{path}:{word.lineno}"
        for path, tree in parse_modules().items()
        for word in string_constants(tree)
        if path.parts[0] not in ("agents", "pane") and word.value in hooks
    }
    assert not named


def test_modules_have_at_most_600_lines() -> None:
    lines = {str(path): len((PACKAGE / path).read_text().splitlines()) for path in parse_modules()}
    assert not {path: count for path, count in lines.items() if count > 600}


def test_every_command_has_a_test_file() -> None:
    files = [path for path in parse_modules() if path.parts[0] == "commands" and path.name != "__init__.py"]
    assert not [str(path) for path in files if not (TREE / "tests" / path.parent / f"test_{path.name}").exists()]


TOUCHING = {
    ("os", "environ"),
    ("os", "getenv"),
    ("os", "open"),
    ("os", "system"),
    ("os", "fork"),
    ("time", "time"),
    ("time", "monotonic"),
    ("time", "sleep"),
}


def test_only_host_touches_the_machine() -> None:
    """Files, clock and environment come from host, so that a test can replace them."""
    packages = ("contract", "store", "core", "commands")
    touching = {
        f"{path}:{node.lineno}"
        for path, tree in parse_modules().items()
        for node in walk(tree)
        if path.parts[0] in packages and isinstance(node, (ast.Attribute, ast.Call)) and _touches(node)
    }
    assert not touching


def _touches(node: ast.Attribute | ast.Call) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "open"
    return isinstance(node.value, ast.Name) and (node.value.id, node.attr) in TOUCHING


def test_every_runtime_dependency_is_imported() -> None:
    project = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {"pyyaml": "yaml"}
    distributions = [re.split(r"[^\w.]", line)[0].lower() for line in project["dependencies"]]
    declared = {names.get(each, each) for each in distributions}
    assert "orjson" in declared
    assert not declared - set(_imported_packages())


def _imported_packages() -> Iterator[str]:
    """Yield the packages that are imported when the code runs, with a dot where a namespace package has one."""
    for tree in parse_modules().values():
        type_checking = {
            id(node)
            for block in walk(tree)
            if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
            for node in ast.walk(block)
        }
        for node in walk(tree):
            if id(node) in type_checking:
                continue
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                yield name.partition(".")[0]
                yield ".".join(name.split(".")[:2])


def test_signs_of_agents_are_in_agent_files_only() -> None:
    """Other code uses the layout and the functions of the agent; `terminal` knows pointers of any choice list."""
    signs = [agents.get(name).layout() for name in agents.names()]
    glyphs = set("".join(sign.input_glyphs + sign.below_spinner for sign in signs))
    assert {"❯", "›"} <= glyphs
    shown = {
        f"{path}:{word.lineno}"
        for path, tree in parse_modules().items()
        for word in string_constants(tree)
        if path.parts[0] not in ("agents", "pane", "terminal") and glyphs & set(word.value)
    }
    assert not shown
