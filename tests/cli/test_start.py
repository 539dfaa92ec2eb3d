"""The start of the command line: a lean msgspec, a quiet collector, and what loads on first use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lisa_py.cli.start import _UNUSED_TYPES
from tests.house.sources import PACKAGE, parse_modules
from tests.lisa_host import LisaHost


def run_python(code: str, *words: str, path: str = "") -> str:
    """Return what the code prints in a new interpreter that has not loaded msgspec."""
    place = f"import sys; sys.path.insert(0, {path!r})\n" if path else ""
    ended = subprocess.run(
        [sys.executable, "-P", "-c", place + "from lisa_py.cli import start\n" + code, *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ended.stdout


def test_msgspec_loads_alone_and_the_rest_on_first_use() -> None:
    out = run_python("""
import sys
start.load_msgspec()
start.load_msgspec()
left = {"uuid", "decimal", "inspect", "msgspec.inspect", "msgspec._json_schema"} & set(sys.modules)
import msgspec, datetime, decimal, typing, uuid
class Record(msgspec.Struct):
    name: str
    at: datetime.datetime
    more: "list[int]" = []
record = msgspec.json.decode(b'{"name": "a", "at": "2026-01-02T03:04:05Z", "more": [1]}', type=Record)
print(sorted(left), record.at.year, record.more, record.at.tzinfo is datetime.UTC)
code = typing.ForwardRef("Foo").__forward_code__
print(uuid.uuid5(uuid.NAMESPACE_DNS, "x").version, decimal.Decimal("1.5"), code.co_names)
print(sorted(msgspec.json.schema(Record)["$defs"]), msgspec.json.schema_components([Record])[0])
print(type(msgspec.inspect.type_info(Record)).__name__, msgspec.toml.__name__, msgspec.msgpack.decode(b"\\x01"))
print(set(datetime.__all__ if hasattr(datetime, "__all__") else ()) <= set(dir(datetime)), datetime.timezone.utc)
""")
    assert out.splitlines() == [
        "[] 2026 [1] True",
        "5 1.5 ('Foo',)",
        "['Record'] ({'$ref': '#/$defs/Record'},)",
        "StructType msgspec.toml 1",
        "True UTC",
    ]


def test_other_msgspec_version_is_loaded_whole(tmp_path: Path) -> None:
    other = tmp_path / "msgspec"
    other.mkdir()
    (other / "__init__.py").write_text("from ._json_schema import schema, another\nfrom . import inspect\n")
    (other / "_json_schema.py").write_text("import decimal\nschema = another = decimal.Decimal(2)\n")
    (other / "inspect.py").write_text("")
    out = run_python(
        "start.load_msgspec(); import msgspec; print(msgspec.another, msgspec.__file__)", path=str(tmp_path)
    )
    assert out == f"2 {other / '__init__.py'}\n"


def test_library_user_has_the_whole_msgspec() -> None:
    out = run_python("""
import gc, sys
from lisa_py import Lisa
import msgspec
print(msgspec.json.encode(sys.modules["uuid"].UUID(int=1)).decode(), gc.isenabled(), gc.get_threshold()[0])
""")
    assert out == f'"00000000-0000-0000-0000-000000000001" True {_default_threshold()}\n'


def _default_threshold() -> int:
    return int(subprocess.check_output([sys.executable, "-c", "import gc; print(gc.get_threshold()[0])"]))


def test_structs_use_no_type_omitted_at_start() -> None:
    names = {kind for kinds in _UNUSED_TYPES.values() for kind in kinds}
    using = {
        str(path) for path in parse_modules() if any(f"import {name}" in (PACKAGE / path).read_text() for name in names)
    }
    assert not using


def test_garbage_collector_is_enabled_in_commands() -> None:
    out = run_python(
        """
import gc, sys
from lisa_py.commands import version
from lisa_py.host import build
def look(settings):
    print(gc.isenabled(), gc.get_threshold()[0], gc.get_freeze_count() > 1000, flush=True)
    return build.BuildReport(version="1", commit="2", date="3")
version.run.__globals__["read_build"] = look
start.entry()
""",
        "version",
    )
    assert out == "True 10000 True\nlisa 1 (commit 2, built 3)\n"


def test_schemas_are_made_after_a_lean_start(machine: LisaHost) -> None:
    answer = machine.lisa("session", "schema", "--command", "session exists", "--json", cold=True)
    assert answer.code == 0 and "exists" in answer.out
