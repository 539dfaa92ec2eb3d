"""The examples of docs/guide/client.md run as they stand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import lisa_py.client
from tests.lisa_host import LisaHost
from tests.server_kit import serving

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "client.md"


def test_examples_run_against_a_server(
    machine: LisaHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(examples) == 3
    with serving(machine, "--agent", "scripted"):
        for example in examples:
            exec(compile(example, str(PAGE), "exec"), {"__name__": "example"})
        listed = json.loads(machine.lisa("ai", "chats", "list", check_schema=False).out)
    assert [each["status"] for each in listed] == ["ended"] * 3
    printed = capsys.readouterr().out
    assert "Describe this project" in printed and "100 %" in printed
    assert (tmp_path / "copy.csv").read_text() == "a,b\n1,2\n"


def test_errors_of_the_page_exist() -> None:
    named = set(re.findall(r"`(\w+Error)`", PAGE.read_text()))
    assert len(named) > 8 and not [name for name in named if not hasattr(lisa_py.client, name)]


def list_methods(part: str, section: str) -> set[str]:
    """Return the words of the table of a section."""
    table = section.partition(f"## {part}\n")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| group")]
    return {word for row in rows for word in re.findall(r"`(\w+)`", row)}


def list_public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_page_names_every_method() -> None:
    text = PAGE.read_text()
    own = {"local", "run", "close"}
    assert list_methods("Calls", text) == list_public(lisa_py.client.SessionsClient) - own
    assert list_public(lisa_py.client.AsyncSessionsClient) == list_public(lisa_py.client.SessionsClient)
    inner = {"call", "SocketHandlers"}
    assert list_methods("The socket", text) - inner == list_public(lisa_py.client.SessionSocket) - inner
    assert list_methods("The socket", text) - inner <= list_public(lisa_py.client.AsyncSessionSocket)


def test_readme_of_the_typescript_client_names_every_method() -> None:
    folder = PAGE.parents[2] / "sdk" / "typescript"
    declared = re.findall(r"^  (?:async )?(\w+)\(", (folder / "src" / "client.ts").read_text(), re.MULTILINE)
    assert list_methods("Calls", (folder / "README.md").read_text()) >= set(declared) - {"constructor"}
