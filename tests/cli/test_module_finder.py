"""The module finder of lisa equals the import system, also for stale, damaged and moved compiled files."""

from __future__ import annotations

import importlib.util
import marshal
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from lisa_py.cli import module_finder
from lisa_py.cli.module_finder import ModuleFinder

HEADER_BYTES = 16


@pytest.fixture(autouse=True)
def beside_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep compiled files where users have them."""
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "part.py"
    file.write_text("VALUE = 1\n")
    yield file
    assert not {name for name in sys.modules if name.startswith("lisa_py.part")}


def load(folder: Path, name: str = "lisa_py.part") -> ModuleType:
    spec = ModuleFinder.find_spec(name, [str(folder)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiled(source: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(source)))


def replace_code(source: Path, code: bytes) -> None:
    """Keep the header of the compiled file, which names the time and size of its source."""
    file = compiled(source)
    file.write_bytes(file.read_bytes()[:HEADER_BYTES] + code)


def test_module_equals_one_of_the_import_system(source: Path) -> None:
    found = load(source.parent)
    usual = importlib.util.spec_from_file_location("lisa_py.part", source)
    assert usual is not None and found.__spec__ is not None and isinstance(found.__loader__, type(usual.loader))
    assert (found.__file__, found.__cached__, found.__package__) == (str(source), str(compiled(source)), "lisa_py")
    assert (found.__spec__.origin, found.__spec__.has_location) == (usual.origin, True)
    assert found.__spec__.submodule_search_locations is None and found.VALUE == 1
    assert found.__loader__.get_source("lisa_py.part") == "VALUE = 1\n"


def test_a_valid_compiled_file_is_used(source: Path) -> None:
    load(source.parent)
    replace_code(source, marshal.dumps(compile("VALUE = 2", str(source), "exec")))
    assert load(source.parent).VALUE == 2


@pytest.mark.parametrize("code", [b"", b"\0", marshal.dumps("no code")], ids=("empty", "damaged", "no_code"))
def test_a_damaged_compiled_file_fails_as_usual(source: Path, code: bytes) -> None:
    load(source.parent)
    replace_code(source, code)
    usual = importlib.util.spec_from_file_location("lisa_py.part", source)
    assert usual is not None and usual.loader is not None
    with pytest.raises((EOFError, ValueError, ImportError)) as expected:
        usual.loader.exec_module(importlib.util.module_from_spec(usual))
    with pytest.raises(type(expected.value)):
        load(source.parent)


def test_a_changed_source_is_compiled_again(source: Path) -> None:
    load(source.parent)
    source.write_text("VALUE = 30\n")
    assert load(source.parent).VALUE == 30
    replace_code(source, marshal.dumps(compile("VALUE = 31", str(source), "exec")))
    assert load(source.parent).VALUE == 31  # the new compiled file is the one of the new source


def test_code_of_a_moved_tree_has_the_new_path(source: Path, tmp_path: Path) -> None:
    source.write_text("def call(): pass\n")
    load(source.parent)
    moved = tmp_path / "moved"
    moved.mkdir()
    for file in (source, compiled(source)):
        target = moved / file.relative_to(tmp_path)
        target.parent.mkdir(exist_ok=True)
        os.rename(file, target)
    assert load(moved).call.__code__.co_filename == str(moved / "part.py")


def test_packages_and_other_names_are_separate(tmp_path: Path) -> None:
    (tmp_path / "group").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "group" / "__init__.py").write_text("NAME = __name__\n")
    found = load(tmp_path, "lisa_py.group")
    assert (found.NAME, found.__path__, found.__package__) == (
        "lisa_py.group",
        [str(tmp_path / "group")],
        "lisa_py.group",
    )
    for name, path in (("lisa_py.empty", [str(tmp_path)]), ("json.group", [str(tmp_path)]), ("lisa_py.group", None)):
        assert ModuleFinder.find_spec(name, path) is None
    assert ModuleFinder.find_spec("lisa_py.group", [str(tmp_path), "/"]) is None


def test_finders_of_other_tools_keep_their_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    other = object()
    usual = [finder for finder in sys.meta_path if finder.__class__ is type]
    monkeypatch.setattr(sys, "meta_path", [other, *usual])
    module_finder.install()
    assert sys.meta_path == [other, ModuleFinder, *usual]


def test_other_bytecode_folder_disables_the_finder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "pycache_prefix", "/somewhere")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    module_finder.install()
    assert ModuleFinder not in sys.meta_path
