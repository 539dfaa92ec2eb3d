"""Everything that programs written for the earlier lisa call is there: 53 commands with all their flags."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lisa_py import commands
from lisa_py.cli import parse
from tests.lisa_host import LisaHost

PROMISED: dict[str, list[str]] = json.loads(Path(__file__).with_name("promised_surface.json").read_text())


def test_all_promised_commands_exist() -> None:
    assert len(PROMISED) == 53 and sum(map(len, PROMISED.values())) == 472


def test_capabilities_list_promised_commands_and_flags(machine: LisaHost) -> None:
    listed = {each["name"]: set(each["flags"]) for each in machine.lisa("capabilities", "--json").json["commands"]}
    missing = {name: sorted(set(flags) - listed.get(name, set())) for name, flags in PROMISED.items()}
    assert not {name: flags for name, flags in missing.items() if flags or name not in listed}


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_flag_is_accepted(name: str) -> None:
    """The parser of the command line accepts each listed flag."""
    path = tuple(name.split())
    command = commands.load(path)
    assert command is not None
    for flag in set(PROMISED[name]) - set(commands.SPELLINGS.get(path, ())):
        try:
            parse.read_arguments(path, command, [flag])
        except parse.UsageError as problem:
            assert problem.code != "unknown_flag", flag
