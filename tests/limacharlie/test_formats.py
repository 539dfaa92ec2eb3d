"""The output formats are those of the real client, for data of every shape."""

from __future__ import annotations

import json
import os
import subprocess
from itertools import product
from typing import Any

import pytest

from lisa_py.cli import client_output
from lisa_py.contract.client_flags import ClientArgs
from tests.client_kit import CLIENT

ROWS = [
    {"id": "a", "n": 10, "cost": 0.5, "tags": ["x", "y"], "none": None, "text": "one\ntwo\x1b[31m\x9b"},
    {"id": "b", "n": 9, "cost": 12.25, "tags": [1, 2, 3, 4], "nested": {"k": "v\x9b"}, "text": "ä" * 90, "flag": True},
    {"id": "", "n": -1, "nested": {"k": "w" * 200}, "extra\x1b": "1e5", "tags": []},
]
DOCUMENTS: dict[str, Any] = {
    "rows": ROWS,
    "record": ROWS[1],
    "records by name": {"first": ROWS[0], "second": {"name": "own", "n": 1}},
    "one record by name": {"only": ROWS[0]},
    "texts": ["one", "two\x1b[0m", "drei"],
    "mixed": [1, {"a": 1}, None],
    "empty list": [],
    "empty record": {},
    "nothing": None,
    "text": "a\rb",
    "number": 4.0,
    "page": {"sessions": ROWS, "next_cursor": ""},
    "many columns": [{f"column-{index}": index if index % 2 else "" for index in range(30)}, {"column-3": "x" * 70}],
}
SELECTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"wide": True},
    {"fields": "n, id,absent"},
    {"sort_by": "n", "reverse": True},
    {"sort_by": "cost"},
    {"filter_": "[?n > `0`].id"},
    {"filter_": "keys(@)[0]"},
)
FORMATS = ("json", "yaml", "csv", "table", "jsonl")
PROGRAM = """
import json, sys
from limacharlie import output
for document, form, chosen in json.load(sys.stdin):
    output.set_wide_mode(chosen.pop("wide", False))
    names = [name.strip() for name in chosen.get("fields", "").split(",") if name.strip()]
    try:
        text = output.format_output(document, form, fields=names or None, filter_expr=chosen.get("filter_"),
                                    sort_by=chosen.get("sort_by"), reverse=chosen.get("reverse", False))
    except Exception as problem:
        text = type(problem).__name__
    print(json.dumps(text))
"""


def format_ours(document: Any, form: str, chosen: dict[str, Any]) -> str:
    try:
        return client_output.format_document(document, ClientArgs(output=form, **chosen))
    except Exception as problem:
        cause = problem.__context__ if type(problem).__name__ == "LisaError" else problem
        return type(cause).__name__


@pytest.mark.parametrize("columns", [80, 200])
def test_formats_are_those_of_the_client(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if not CLIENT.program.exists():
        pytest.skip(CLIENT.reason)
    monkeypatch.setenv("COLUMNS", str(columns))
    cases = [(name, form, chosen) for name, form, chosen in product(DOCUMENTS, FORMATS, SELECTIONS)]
    ran = subprocess.run(
        [str(CLIENT.folder / "bin" / "python"), "-c", PROGRAM],
        input=json.dumps([(DOCUMENTS[name], form, chosen) for name, form, chosen in cases]),
        env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    theirs = [json.loads(line) for line in ran.stdout.splitlines()]
    ours = [format_ours(DOCUMENTS[name], form, dict(chosen)) for name, form, chosen in cases]
    assert len(theirs) == len(cases)
    assert [case for case, mine, other in zip(cases, ours, theirs, strict=True) if mine != other] == []
