"""Read YAML with the line and column of every value; the library is loaded by the first call."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from lisa_py.contract.errors import LisaError

MAX_DEPTH = 64
_LINE_MARKS = "\x85\u2028\u2029\ufeff"
"""Characters that YAML reads as the end of a line, or leaves out, unless they are escaped."""
MAX_NODES = 200_000
"""Values of a document with its aliases written out."""


class Place(Struct, frozen=True):
    """A position in a file; line and column count from 1, 0 is unknown."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path


class YamlDocument:
    """One document of a file: its value, and where its parts are."""

    def __init__(self, path: str, value: Any, node: Any, line: int) -> None:
        self.path = path
        self.value = value
        self._node = node
        self._line = line

    def locate(self, *keys: str) -> Place:
        """Return the place of the value under the keys, or of its nearest existing parent."""
        node = self._node
        for key in keys:
            found = next((child for name, child in _list_members(node) if name == key), None)
            if found is None:
                break
            node = found
        mark = node.start_mark
        return Place(self.path, mark.line + 1 + self._line, mark.column + 1)

    def read_scalars(self, *keys: str) -> dict[str, str]:
        """Return the scalars of the map under the keys as they are written, without types."""
        node = self._node
        for key in keys:
            node = next((child for name, child in _list_members(node) if name == key), None)
        return {name: child.value for name, child in _list_members(node) if isinstance(child.value, str)}


def _list_members(node: Any) -> Iterator[tuple[str, Any]]:
    if node is not None and node.id == "mapping":
        yield from ((key.value, child) for key, child in node.value if isinstance(key.value, str))


def read_documents(path: str, text: str, first_line: int = 0) -> list[YamlDocument]:
    """Return the documents of a text, which begins after `first_line` lines of the file.

    Raise LisaError(invalid_definition) with file, line and column.
    """
    import yaml  # noqa: PLC0415 - 25 ms

    loader_class = _make_loader()
    try:
        _check_depth(path, text, yaml, first_line)
        loader = loader_class(text)
        try:
            found = []
            while loader.check_node():
                node = loader.get_node()
                _check_node(path, node, first_line)
                found.append(YamlDocument(path, loader.construct_document(node), node, first_line))
            return found
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = Place(path, mark.line + 1 + first_line, mark.column + 1) if mark else Place(path)
        reason = " ".join(filter(None, (problem.context, problem.problem)))
        raise make_error(place, f"it is not YAML: {reason}") from None
    except yaml.reader.ReaderError as problem:
        raise make_error(find_place(path, text, problem.position, first_line), "a character is not allowed") from None
    except (ValueError, OverflowError) as problem:  # a number or time that YAML allows and Python does not
        raise make_error(Place(path), f"a value is not valid: {problem}") from None


def format_document(value: dict[str, Any]) -> str:
    """Return a document as a person would write it: keys in their order, texts of several lines as blocks."""
    import yaml  # noqa: PLC0415 - 25 ms

    class BlockDumper(yaml.SafeDumper):  # type: ignore[misc]
        """The safe dumper with blocks."""

    def represent(dumper: Any, text: str) -> Any:
        style = '"' if any(mark in text for mark in _LINE_MARKS) else "|" if "\n" in text else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    BlockDumper.add_representer(str, represent)
    dumped: str = yaml.dump(value, Dumper=BlockDumper, sort_keys=False, allow_unicode=True, width=120)
    return dumped


def make_error(place: Place, reason: str, code: str = "invalid_definition") -> LisaError:
    return LisaError(code, f"{place}: {reason}", file=place.path, line=place.line, column=place.column)


def find_place(path: str, text: str, position: int, first_line: int = 0) -> Place:
    """Return the place of a character."""
    before = text[:position]
    return Place(path, before.count("\n") + 1 + first_line, position - before.rfind("\n"))


@functools.cache
def _make_loader() -> Any:
    """Return the safe loader without times: `2026-01-01` is a text."""
    import yaml  # noqa: PLC0415

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class DefinitionLoader(base):  # type: ignore[misc]
        """The safe loader of the library, fast where it is compiled."""

    tag = "tag:yaml.org,2002:timestamp"
    DefinitionLoader.yaml_implicit_resolvers = {
        first: [(name, pattern) for name, pattern in resolvers if name != tag]
        for first, resolvers in base.yaml_implicit_resolvers.items()
    }
    return DefinitionLoader


def _check_depth(path: str, text: str, yaml: Any, first_line: int) -> None:
    """Refuse deep nesting before the composer, which is recursive, meets it."""
    depth = 0
    for event in yaml.parse(text, Loader=_make_loader()):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            mark = event.start_mark
            place = Place(path, mark.line + 1 + first_line, mark.column + 1)
            raise make_error(place, f"nested more than {MAX_DEPTH} deep")


def _check_node(path: str, root: Any, first_line: int) -> None:
    """Refuse repeated keys, and aliases that repeat themselves or too much."""
    sizes: dict[int, int] = {}

    def place(node: Any) -> Place:
        return Place(path, node.start_mark.line + 1 + first_line, node.start_mark.column + 1)

    def measure(node: Any) -> int:
        if node.id == "scalar":
            if not _is_utf8(node.value):
                raise make_error(place(node), "half of a surrogate pair is no character")
            return 1
        if sizes.get(id(node)) == 0:
            raise make_error(place(node), "an alias contains itself")
        if id(node) not in sizes:
            sizes[id(node)] = 0
            if node.id == "mapping":
                _refuse_repeated_keys(node, place)
            children = [part for pair in node.value for part in pair] if node.id == "mapping" else node.value
            sizes[id(node)] = 1 + sum(map(measure, children))
        if sizes[id(node)] > MAX_NODES:
            raise make_error(place(node), f"more than {MAX_NODES} values with its aliases")
        return sizes[id(node)]

    measure(root)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_repeated_keys(node: Any, place: Any) -> None:
    known = set()
    for key, _ in node.value:
        if not isinstance(key.value, str) or key.tag.endswith(":merge"):
            continue
        if key.value in known:
            raise make_error(place(key), f"the key {key.value} occurs twice")
        known.add(key.value)
