"""Find and load the modules of lisa with fewer steps than the import system takes for any module; decision 0017.

The module, its spec and its loader are those of the import system, and whatever is not plain (no valid compiled file,
another place for these, optimisation, a package in an archive) is left to it.
"""

from __future__ import annotations

import _frozen_importlib_external as external  # these two are the import system itself, always loaded
import marshal
import os
import sys
from _frozen_importlib import BuiltinImporter, ModuleSpec
from collections.abc import Sequence
from types import CodeType, ModuleType

_PACKAGE = "lisa_py"
_COMPILED = f".{sys.implementation.cache_tag}.pyc"
_PLAIN_MAGIC = external.MAGIC_NUMBER + bytes(4)
"""Begin of a compiled file that is valid for the time and size of its source."""


class _CompiledFileLoader(external.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType | None:
        folder, _, name = self.path.rpartition("/")
        try:
            source = os.stat(self.path)
            handle = os.open(f"{folder}/__pycache__/{name[:-3]}{_COMPILED}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                data = os.read(handle, os.fstat(handle).st_size)
            finally:
                os.close(handle)
            numbers = (int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF)
            if data[:16] == _PLAIN_MAGIC + b"".join(number.to_bytes(4, "little") for number in numbers):
                code = marshal.loads(memoryview(data)[16:])
                if (
                    isinstance(code, CodeType) and code.co_filename == self.path
                ):  # else the tree was moved, and tracebacks need the new path
                    return code
        except (OSError, EOFError, ValueError, TypeError):
            pass  # the import system repeats all of it, and reports what is wrong
        return super().get_code(fullname)


class ModuleFinder:
    """Finder of the modules in the folder of lisa."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith(_PACKAGE + ".") or path is None or len(path) != 1:
            return None
        base = f"{path[0]}/{name.rpartition('.')[2]}"
        places = None
        file = base + ".py"
        if not os.path.exists(file):
            places, file = [base], base + "/__init__.py"
            if not os.path.exists(file):
                return None
        spec = ModuleSpec(name, _CompiledFileLoader(name, file), origin=file)
        spec.submodule_search_locations = places
        spec.has_location = True
        return spec


def install() -> None:
    """Use the finder for the next imports, after the finders of other tools."""
    if sys.pycache_prefix is None and not sys.flags.optimize and BuiltinImporter in sys.meta_path:
        sys.meta_path.insert(sys.meta_path.index(BuiltinImporter), ModuleFinder)
