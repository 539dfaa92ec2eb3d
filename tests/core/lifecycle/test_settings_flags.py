"""core/lifecycle/settings_flags: settings of a session from flags."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from lisa_py.contract.errors import LisaError
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.contract.start_session import AgentSettingsArgs
from lisa_py.core.lifecycle import settings_flags
from tests.lisa_host import LisaHost


def read(machine: LisaHost, **given: Any) -> SessionSettings:
    ctx = machine.context()
    ctx.given_fields = frozenset(given)
    return settings_flags.read_settings_flags(ctx, AgentSettingsArgs(**given))


def refused(machine: LisaHost, **given: Any) -> str:
    with pytest.raises(LisaError) as problem:
        read(machine, **given)
    return problem.value.code


def test_flag_that_was_not_given_leaves_the_field_unset(machine: LisaHost) -> None:
    assert read(machine) == SessionSettings()
    empty = read(machine, allowed_tools="")
    assert (empty.allowed_tools, empty.denied_tools) == ((), UNSET)
    given = read(machine, one_shot=False, max_turns=3)
    assert (given.one_shot, given.max_turns, given.ttl_seconds) == (False, 3, UNSET)


def test_flags_become_the_fields_of_the_settings(machine: LisaHost) -> None:
    (machine.project / "mcp.json").write_text('{"mcpServers": {"a": {"command": "x"}}}')
    found = read(
        machine, permission_mode="plan", allowed_tools=" Read, Bash(git log:*) ,,mcp__a", denied_tools="Write",
        env=("A=b=c", "B="), system_prompt="Be brief.", mcp_config=str(machine.project / "mcp.json"),
    )  # fmt: skip
    assert found == SessionSettings(
        permission_mode="plan", allowed_tools=("Read", "Bash(git log:*)", "mcp__a"), denied_tools=("Write",),
        environment={"A": "b=c", "B": ""}, system_prompt="Be brief.", mcp_servers={"a": {"command": "x"}},
    )  # fmt: skip


def test_comma_in_parentheses_belongs_to_the_pattern() -> None:
    assert settings_flags.split_tools("Bash(a,b:*),Read") == ("Bash(a,b:*)", "Read")
    assert settings_flags.split_tools(" , ") == ()


@pytest.mark.parametrize("word", ["A", "=x", "A B=x", "1A=x", "A;rm x=1", "A-B=x"])
def test_variable_that_no_shell_exports_is_refused(machine: LisaHost, word: str) -> None:
    assert refused(machine, env=("OK=1", word)) == "invalid_env"


def test_refused_variable_is_named_without_its_value(machine: LisaHost) -> None:
    with pytest.raises(LisaError) as problem:
        read(machine, env=("A B=planted-secret",))
    assert "A B" in problem.value.message and "planted" not in problem.value.message


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"mcpServers": []}'])
def test_file_without_servers_is_refused(machine: LisaHost, text: str) -> None:
    path = machine.project / "mcp.json"
    path.write_text(text)
    assert refused(machine, mcp_config=str(path)) == "invalid_mcp_config"
    assert refused(machine, mcp_config=str(machine.project / "absent")) == "invalid_mcp_config"


def test_malformed_pattern_is_refused_before_anything_is_created(machine: LisaHost) -> None:
    assert refused(machine, denied_tools="Bash(rm *)") == "invalid_tool_pattern"
    answer = machine.lisa("session", "spawn", "--agent", "scripted", "--denied-tools", "Bash(rm *)", "--json")
    assert answer.json["errorCode"] == "invalid_tool_pattern"
    assert not machine.lisa("session", "list", "--json").json["sessions"]
