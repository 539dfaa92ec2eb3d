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
    machine: LisaHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(examples) == 2
    with serving(machine, "--agent", "scripted"):
        for example in examples:
            exec(compile(example, str(PAGE), "exec"), {"__name__": "example"})
        listed = json.loads(machine.lisa("ai", "chats", "list", check_schema=False).out)
    assert [each["status"] for each in listed] == ["ended", "ended"]
    assert "Describe this project" in capsys.readouterr().out


def test_errors_of_the_page_exist() -> None:
    named = set(re.findall(r"`(\w+Error)`", PAGE.read_text()))
    assert len(named) > 8 and not [name for name in named if not hasattr(lisa_py.client, name)]
