"""Every start of a session refuses bad input with a code and creates nothing."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from lisa_py import commands
from lisa_py.cli import parse
from lisa_py.contract.errors import LisaError
from tests.lisa_host import LisaHost

STARTS = {
    "session spawn": "--agent scripted --prompt hello",
    "chat": "hello --agent scripted",
    "start-session": "--definition good",
    "ai start-session": "--definition good",
    "ai chat": "hello --agent scripted",
}
DEEP = '{"a": ' + "[" * 70 + "]" * 70 + "}"
REFUSED: list[tuple[str, str]] = [
    ("--max-turns 0", "invalid_max_turns"),
    ("--max-turns -1", "invalid_max_turns"),
    ("--max-turns 1.5", "invalid_max_turns"),
    ("--max-turns 1_0", "invalid_max_turns"),
    ("--max-turns 9007199254740992", "invalid_max_turns"),
    ("--max-budget-usd 0", "invalid_max_budget_usd"),
    ("--max-budget-usd nan", "invalid_max_budget_usd"),
    ("--max-budget-usd -0.5", "invalid_max_budget_usd"),
    ("--max-budget-usd inf", "invalid_max_budget_usd"),
    ("--task-budget-tokens 0", "invalid_task_budget_tokens"),
    ("--ttl-seconds 0", "invalid_ttl_seconds"),
    ("--ttl-seconds x", "invalid_ttl_seconds"),
    ("--permission-mode default", "invalid_permission_mode"),
    ("--permission-mode ''", "invalid_permission_mode"),
    ("--allowed-tools Bash(rm)", "invalid_tool_pattern"),
    ("--allowed-tools Bash(:*)", "invalid_tool_pattern"),
    ("--allowed-tools 'Read Grep'", "invalid_tool_pattern"),
    ("--allowed-tools mcp__", "invalid_tool_pattern"),
    ("--denied-tools Bash(", "invalid_tool_pattern"),
    ("--env NOVALUE", "invalid_env"),
    ("--env =x", "invalid_env"),
    ("--env A-B=x", "invalid_env"),
    ("--env 1A=x", "invalid_env"),
    ("--env A=secret://none", "secret_not_found"),
    ("--env A=hive://secret/none", "secret_not_found"),
    ("--env A=env:NOT_SET_HERE", "secret_not_found"),
    ("--env A=file:/no/such/file", "secret_not_found"),
    ("--anthropic-key hive://secret/none", "secret_not_found"),
    ("--credential api_key=secret://none", "secret_not_found"),
    ("--credential X", "invalid_credentials"),
    ("--credential =x", "invalid_credentials"),
    ("--definition priced", "price_unknown"),
    ("--mcp-config absent.json", "invalid_mcp_config"),
    ("--mcp-config list.json", "invalid_mcp_config"),
    ("--mcp-config text.json", "invalid_mcp_config"),
    ("--mcp-config server.json", "invalid_mcp_servers"),
    ("--data ''", "invalid_data"),
    ("--data [1]", "invalid_data"),
    ("--data {", "invalid_data"),
    ("--data 5", "invalid_data"),
    ("--data @absent.json", "invalid_data"),
    ("--data @list.json", "invalid_data"),
    ("--data '{\"a\": NaN}'", "invalid_data"),
    (f"--data '{DEEP}'", "invalid_data"),
    ("--definition absent", "definition_not_found"),
    ("--definition ../good", "definition_not_found"),
    ("--definition broken", "invalid_definition"),
    ("--definition mode", "invalid_permission_mode"),
    ("--definition secret", "secret_not_found"),
    ("--definition tool", "invalid_tool_pattern"),
    ("--session 'bad name'", "invalid_session_name"),
    ("--agent nobody", "invalid_agent"),
    ("--project-root /no/such/folder", "invalid_project_root"),
    ("--no-such-flag", "unknown_flag"),
    ("--model", "missing_flag_value"),
]
FILES = {
    "priced.yaml": "agent: scripted\nprompt: p\nmodel: no-such-model\nmax_budget_usd: 1\n",
    "good.yaml": "agent: scripted\nprompt: hello\n",
    "broken.yaml": "prompt: p\n  model: x\n",
    "mode.yaml": "prompt: p\npermission_mode: ask\n",
    "secret.yaml": "agent: scripted\nprompt: p\nanthropic_secret: hive://secret/none\n",
    "tool.yaml": "prompt: p\nallowed_tools: ['Bash(x)']\n",
}
MCP_FILES = {"list.json": "[]", "text.json": "{", "server.json": '{"x": {"type": "stdio"}}'}


@pytest.fixture(scope="module")
def host() -> Iterator[LisaHost]:
    machine = LisaHost()
    folder = machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    for name, text in MCP_FILES.items():
        (machine.project / name).write_text(text)
    yield machine
    machine.close()


def run(machine: LisaHost, command: str, words: str) -> str:
    """Run a command as its line would; return the error code, empty after a success."""
    path = tuple(command.split())
    loaded = commands.load(path)
    assert loaded is not None
    ctx = machine.context(stdin=lambda: b"[]")
    try:
        args, ctx.given_fields = parse.read_arguments(path, loaded, shlex.split(f"{STARTS[command]} {words}"))
        loaded.run(args, ctx)
    except LisaError as problem:
        return problem.code
    return ""


def list_state(machine: LisaHost) -> list[str]:
    """Return all files of lisa and all tmux sockets, without locks and facts about the agents' programs."""
    state = Path(machine.env["LISA_STATE_DIR"])
    kept = ("locks", "agent-facts")
    found = (path for folder in (state, machine.sockets) for path in folder.rglob("*") if not path.is_dir())
    return sorted(str(path) for path in found if not set(kept) & set(path.parts) and path.suffix != ".lock")


@pytest.mark.parametrize("command", STARTS)
def test_bad_input_has_a_code_and_creates_nothing(host: LisaHost, command: str) -> None:
    loaded = commands.load(tuple(command.split()))
    assert loaded is not None
    declared = {spelling for field in loaded.fields for spelling in field.spellings()}
    found = {
        words: run(host, command, words) for words, _ in REFUSED if words.split()[0] in {*declared, "--no-such-flag"}
    }
    assert found == {words: code for words, code in REFUSED if words in found}
    assert list_state(host) == []


def test_a_broken_definition_is_named_with_line_and_column(host: LisaHost) -> None:
    answer = host.lisa("start-session", "--definition", "broken")
    path = host.project / ".lisa" / "agents" / "broken.yaml"
    assert answer.code == 1 and f"{path}:2:8: " in answer.err
