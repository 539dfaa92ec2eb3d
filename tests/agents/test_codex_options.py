"""Settings of a session as flags, files and variables of codex."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from lisa_py import agents
from lisa_py.agents._codex import BYPASS
from lisa_py.agents.launch import AgentLaunch, Facts, LaunchPlan
from lisa_py.contract.session_settings import SessionSettings

AGENT = agents.get("codex")
NEW = Facts(binary="/opt/bin/codex", version="0.171.0", flags=frozenset())
KEY = "sk-planted"


def plan(
    folder: Path,
    mode: str = "interactive",
    agent_args: str = "",
    model: str = "",
    bypass: bool = False,
    **settings: Any,
) -> LaunchPlan:
    launch = AgentLaunch(
        mode=mode, prompt="P q", folder=str(folder), project_root=str(folder), run_id="17", model=model, bypass=bypass,
        agent_args=agent_args, environ={"HOME": str(folder)}, settings=SessionSettings(**settings),
    )  # fmt: skip
    return AGENT.plan_launch(launch, NEW)


def words(made: LaunchPlan) -> list[str]:
    return shlex.split(made.script.replace("</dev/null", ""))


def config(made: LaunchPlan) -> dict[str, Any]:
    """Return the configuration of all `-c`, as codex reads it."""
    line = words(made)
    found: dict[str, Any] = {}
    for at, word in enumerate(line):
        if word == "-c":
            key, _, value = line[at + 1].partition("=")
            try:
                found[key] = tomllib.loads(f"x={value}")["x"]
            except tomllib.TOMLDecodeError:
                found[key] = value
    return found


@pytest.mark.parametrize(
    ("mode", "permission_mode", "args", "expected"),
    [
        ("interactive", "acceptEdits", "", ["-s", "workspace-write", "-a", "on-request"]),
        ("interactive", "plan", "", ["-s", "read-only", "-a", "on-request"]),
        ("interactive", "bypassPermissions", "", [BYPASS]),
        ("exec", "acceptEdits", "", ["-s", "workspace-write"]),
        ("exec", "plan", "", ["-s", "read-only"]),
        ("exec", "bypassPermissions", "", [BYPASS]),
        ("interactive", "plan", "-s danger-full-access", ["-s", "danger-full-access"]),
        ("exec", "plan", "-s danger-full-access", ["-s", "danger-full-access"]),
    ],
)
def test_permission_mode_selects_the_nearest_sandbox(
    tmp_path: Path, mode: str, permission_mode: str, args: str, expected: list[str]
) -> None:
    made = plan(tmp_path, mode, args, permission_mode=permission_mode)
    flags = ("-s", "workspace-write", "read-only", "danger-full-access", "-a", "on-request", BYPASS)
    assert [word for word in words(made) if word in flags] == expected
    assert [word for word in shlex.split(made.command) if word in flags] == expected
    assert any("plan" in note for note in made.notes) is (permission_mode == "plan")


def test_permission_mode_excludes_the_nesting_bypass(tmp_path: Path) -> None:
    assert BYPASS in words(plan(tmp_path, "exec", bypass=True))
    assert BYPASS not in words(plan(tmp_path, "exec", bypass=True, permission_mode="plan"))


def test_system_prompt_becomes_developer_instructions(tmp_path: Path) -> None:
    made = plan(tmp_path, system_prompt='Be\n"brief" \\ $HOME')
    assert config(made)["developer_instructions"] == 'Be\n"brief" \\ $HOME'
    long = plan(tmp_path, system_prompt="x" * 70_000)
    own = plan(tmp_path, agent_args="-c developer_instructions=mine", system_prompt="x")
    assert [made.warnings[0].split()[0] for made in (long, own)] == ["system_prompt", "system_prompt"]
    assert "xxx" not in long.script


def test_values_of_servers_are_not_on_the_command_line(tmp_path: Path) -> None:
    servers = {
        "a.b": {"command": "/bin/x", "args": ["1 2"], "env": {"T": KEY}},
        "plain": {"command": "y"},
        "web": {"type": "http", "url": "http://h/mcp", "headers": {"X-Key": KEY}},
        "old": {"type": "sse", "url": "http://h"},
    }
    made = plan(tmp_path, mcp_servers=servers)
    found = config(made)
    file = str(tmp_path / "secrets" / "mcp-0.env")
    wrapped = {"command": "/bin/sh", "args": ["-c", f'. \'{file}\' && exec "$0" "$@"', "/bin/x", "1 2"]}
    assert found['mcp_servers."a.b"'] == wrapped
    assert made.secret_files == {"mcp-0.env": f"export T='{KEY}'\n"}
    assert found["mcp_servers.plain"] == {"command": "y", "args": []}
    assert found["mcp_servers.web"]["url"] == "http://h/mcp"
    assert made.env[found["mcp_servers.web"]["env_http_headers"]["X-Key"]] == KEY
    assert KEY not in made.script + made.command
    assert len(made.warnings) == 1 and "sse" in made.warnings[0]


def test_key_is_a_variable_of_an_own_provider(tmp_path: Path) -> None:
    made = plan(tmp_path, credentials={"api_key": KEY, "org_id": "o", "base_url": "http://h/v1"})
    assert (made.env["OPENAI_API_KEY"], made.env["CODEX_API_KEY"], made.env["OPENAI_ORGANIZATION"]) == (KEY, KEY, "o")
    found = config(made)
    provider = found[f"model_providers.{found['model_provider']}"]
    assert (provider["base_url"], provider["env_key"]) == ("http://h/v1", "OPENAI_API_KEY")
    assert KEY not in made.script + made.command
    own = plan(tmp_path, agent_args="-c model_provider=mine", credentials={"api_key": KEY})
    assert config(own)["model_provider"] == "mine" and own.env["OPENAI_API_KEY"] == KEY


@pytest.mark.parametrize("given", [{"anthropic_key": KEY}, {"api_key": "sk-ant-api03-x"}])
def test_anthropic_key_is_never_sent_to_openai(tmp_path: Path, given: dict[str, str]) -> None:
    made, without = plan(tmp_path, credentials=given), plan(tmp_path)
    assert (made.env, made.secret_files, made.script) == (without.env, without.secret_files, without.script)
    assert made.warnings == ("credentials is not applied: codex takes an api_key of OpenAI or Azure",)
    gateway = plan(tmp_path, credentials={"api_key": "sk-ant-api03-x", "base_url": "http://h/v1"})
    assert gateway.env["OPENAI_API_KEY"] == "sk-ant-api03-x"


def test_azure_is_a_provider_with_an_endpoint(tmp_path: Path) -> None:
    given = {"auth": "azure", "endpoint": "https://r.openai.azure.com/", "api_version": "v1", "api_key": KEY}
    provider = config(plan(tmp_path, credentials=given))["model_providers.lisa"]
    assert provider["base_url"] == "https://r.openai.azure.com/openai/v1"
    assert provider["query_params"] == {"api-version": "v1"}


def test_claude_access_and_models_give_warnings(tmp_path: Path) -> None:
    made = plan(tmp_path, model="opus", credentials={"auth": "bedrock", "region": "r"}, plugins=("absent",))
    assert "--model" not in words(made)
    assert [warning.split()[0].rstrip(":") for warning in made.warnings] == ["model", "credentials", "unknown_plugin"]


@pytest.mark.parametrize("settings", [{"environment": {"A": "b"}}, {"credentials": {"api_key": KEY}}, {}])
def test_shell_snapshot_has_no_variables(tmp_path: Path, settings: dict[str, Any]) -> None:
    assert ("features.shell_snapshot" in config(plan(tmp_path, **settings))) is bool(settings)


def test_skill_of_codex_is_a_known_plugin(tmp_path: Path) -> None:
    (tmp_path / ".codex" / "skills" / "known").mkdir(parents=True)
    assert plan(tmp_path, plugins=("known",)).warnings == ()
