"""Start the command line with little work; decision 0017 names each measure and its gain.

Only the console script and the launcher start here: a program that imports lisa_py keeps its garbage collector and the
whole of msgspec.
"""

from __future__ import annotations

import gc
import sys
import typing
from collections.abc import Callable
from types import ModuleType
from typing import Any

from lisa_py.cli import module_finder

_YOUNG_OBJECTS = 10_000
"""Objects made before the collector looks at them; 700 is the interpreter's own."""
_UNUSED_TYPES: dict[str, dict[str, dict[str, Any]]] = {
    "uuid": {"UUID": {}, "SafeUUID": {"unknown": None}},
    "decimal": {"Decimal": {}},
}
"""Types that msgspec can read and write, and no struct of lisa has."""
_UNUSED_MODULES = ("msgspec.inspect", "msgspec.msgpack", "msgspec.toml", "msgspec.yaml")
_SCHEMA_MODULE = "msgspec._json_schema"
_SCHEMA_FUNCTIONS = ("schema", "schema_components")


def entry() -> None:
    """Run as the console script and exit at once, without the slow shutdown of the interpreter."""
    gc.disable()  # nothing of what is loaded is garbage; `main` enables it before the command runs
    gc.set_threshold(_YOUNG_OBJECTS)
    module_finder.install()
    load_msgspec()
    from lisa_py.cli import main  # noqa: PLC0415 - after msgspec

    main.entry()


class _AnyReference:
    """Stand-in for typing.ForwardRef while msgspec asks by an example for its parameters: that would compile one."""

    def __init__(self, name: str, *, is_argument: bool = True, is_class: bool = False) -> None:
        """Accept what typing.ForwardRef accepts."""


def load_msgspec() -> None:
    """Import msgspec without modules that lisa does not need at its start; some load on their first use."""
    if "msgspec" in sys.modules:
        return
    if "datetime" not in sys.modules:
        # it is this module, and for 3.11 and older a second implementation in Python that nothing uses
        import _datetime  # type: ignore[import-not-found]  # noqa: PLC0415

        sys.modules["datetime"] = _datetime
    placeholders = _make_placeholders()
    sys.modules.update(placeholders)  # type: ignore[arg-type]
    forward_reference, typing.ForwardRef = typing.ForwardRef, _AnyReference  # type: ignore[assignment, misc]
    try:
        import msgspec  # noqa: F401, PLC0415 - between the placeholders
    except (ImportError, AttributeError, TypeError):  # a version with other needs: the next import loads all of it
        for name in [name for name in sys.modules if name.partition(".")[0] == "msgspec"]:
            del sys.modules[name]
    finally:
        typing.ForwardRef = forward_reference  # type: ignore[misc]
    for name, placeholder in placeholders.items():
        if sys.modules.get(name, sys) is placeholder:
            del sys.modules[name]


def _make_placeholders() -> dict[str, ModuleType | None]:
    found: dict[str, ModuleType | None] = {}
    for name, kinds in _UNUSED_TYPES.items():
        if name not in sys.modules:
            found[name] = _make_module(name, **{kind: type(kind, (), dict(body)) for kind, body in kinds.items()})
    for name in _UNUSED_MODULES:
        found[name] = _make_module(name, __getattr__=_read_from(name))
    functions = {name: _call_of(_SCHEMA_MODULE, name) for name in _SCHEMA_FUNCTIONS}
    found[_SCHEMA_MODULE] = _make_module(_SCHEMA_MODULE, **functions)
    if "typing_extensions" not in sys.modules:
        found["typing_extensions"] = None  # not to be imported: msgspec takes the same from typing
    return found


def _make_module(name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(content)
    return module


def _read_from(module: str) -> Callable[[str], Any]:
    """Return a reader of attributes that imports the real module first."""

    def read(name: str) -> Any:
        if name.startswith("__"):  # the import system looks for some
            raise AttributeError(name)
        return getattr(_import(module), name)

    return read


def _call_of(module: str, name: str) -> Callable[..., Any]:
    """Return a function that calls that of the real module."""

    def call(*args: Any, **options: Any) -> Any:
        return getattr(_import(module), name)(*args, **options)

    return call


def _import(module: str) -> ModuleType:
    import importlib  # noqa: PLC0415 - rarely needed

    return importlib.import_module(module)
